"""examples/kubernetes: the manifests against Kubernetes' schemas, and their commands as pods would run them."""

import importlib.util
import os
import signal
import unittest

from harness import EXAMPLES, MODEL, SIZE, Sharded

FOLDER = EXAMPLES / "kubernetes"
# The first version that the README promises.
FIRST = (1, 29)


@unittest.skipUnless(importlib.util.find_spec("kubernetes_validate"), "kubernetes-validate is not installed")
class Manifests(unittest.TestCase):
    def setUp(self):
        import kubernetes_validate
        import yaml

        self.validate = kubernetes_validate
        self.manifests = {path.name: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")}

    def versions(self):
        versions = [v for v in self.validate.utils.all_versions() if tuple(map(int, v.split(".")[:2])) >= FIRST]
        self.assertGreater(len(versions), 1)
        return versions

    def test_they_keep_to_the_schema_of_every_version(self):
        self.assertEqual(sorted(self.manifests), ["claim.yaml", "job.yaml", "merge.yaml"])
        for version in sorted(self.versions()):
            for name, manifest in self.manifests.items():
                with self.subTest(version=version, manifest=name):
                    self.validate.validate(manifest, version, strict=True)

    def test_a_field_that_is_not_in_the_schema_is_found(self):
        spec = self.manifests["job.yaml"]["spec"]
        spec["backoffLimitPerIndx"] = spec.pop("backoffLimitPerIndex")
        with self.assertRaisesRegex(self.validate.ValidationError, "backoffLimitPerIndx"):
            self.validate.validate(self.manifests["job.yaml"], self.versions()[-1], strict=True)

    def test_they_agree(self):
        job, merge = self.manifests["job.yaml"]["spec"], self.manifests["merge.yaml"]["spec"]
        pods = [spec["template"]["spec"] for spec in (job, merge)]
        (explain,), (join,) = (pod["containers"] for pod in pods)
        self.assertIn({"name": "JOB_COMPLETIONS", "value": str(job["completions"])}, explain["env"])
        self.assertEqual(explain["image"], join["image"])
        self.assertIn(explain["image"], (FOLDER / "README.md").read_text())
        self.assertEqual(pods[0]["volumes"], pods[1]["volumes"])
        (volume,) = pods[0]["volumes"]
        claim = self.manifests["claim.yaml"]["metadata"]["name"]
        self.assertEqual(volume["persistentVolumeClaim"]["claimName"], claim)
        codes = {rule["action"]: rule["onExitCodes"]["values"] for rule in job["podFailurePolicy"]["rules"][1:]}
        self.assertEqual(codes, {"FailIndex": [1], "FailJob": [2]})


@unittest.skipUnless(importlib.util.find_spec("yaml"), "PyYAML is not installed")
class Pods(Sharded):
    def setUp(self):
        import yaml

        super().setUp()
        (self.folder / "best.pt").symlink_to(MODEL)
        self.pictures = self.pictures.rename(self.folder / "pictures")
        self.output = self.folder / "out"
        self.jobs = {name: yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["spec"] for name in ("job", "merge")}

    def pod(self, job, index=0):
        """The command and the environment of a pod, with the test's folder for the volume."""
        (container,) = self.jobs[job]["template"]["spec"]["containers"]
        self.assertEqual(container["command"], ["yolo-cam"])
        words = [word.replace("/data", str(self.folder)) for word in container["args"]]
        environment = {variable["name"]: variable["value"] for variable in container.get("env", [])}
        if self.jobs[job].get("completionMode") == "Indexed":
            environment["JOB_COMPLETION_INDEX"] = str(index)
            words.append(SIZE)
        return [self.program, *words], environment

    def run_pod(self, *pod):
        command, environment = self.pod(*pod)
        done = self.run_here(command, **environment)
        self.assertEqual(done.returncode, 0, done.stdout)

    def stopped_pod(self, index, ending):
        """The exit code of a pod that gets a signal in the middle."""
        self.hold()
        command, environment = self.pod("job", index)
        log = self.folder / "log"
        process = self.start(command, log, **environment)
        os.kill(self.held_by(process, log), ending)
        self.open()
        return process.wait()

    def test_merged_pods_are_as_one_run(self):
        self.run_all_pods()

    def test_an_evicted_pod_goes_on(self):
        self.few_pods()
        self.assertEqual(self.stopped_pod(1, signal.SIGTERM), 143)
        self.run_all_pods()

    def test_a_killed_pod_goes_on(self):
        self.few_pods()
        self.assertEqual(self.stopped_pod(1, signal.SIGKILL), -signal.SIGKILL)
        self.run_all_pods()

    def few_pods(self):
        """So that each has more pictures than it does before it is held."""
        self.jobs["job"]["completions"] = 3
        (container,) = self.jobs["job"]["template"]["spec"]["containers"]
        container["env"] = [{"name": "JOB_COMPLETIONS", "value": "3"}]

    def run_all_pods(self):
        for index in reversed(range(self.jobs["job"]["completions"])):
            self.run_pod("job", index)
        self.run_pod("merge")
        self.assert_as_unsplit()
