"""examples/slurm with real Slurm: two nodes on this machine, with daemons and a configuration of their own."""

import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import EXAMPLES, Sharded, ancestors, end_with_parent, is_alive, wait_until

SUBMIT = EXAMPLES / "slurm/submit.sh"
NEEDED = ["munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue", "sinfo"]

# cred_expire is how long a task that is put back into the queue waits there, sched_interval how often Slurm looks for such tasks, and
# KillWait how long a cancelled task has between SIGTERM and SIGKILL, in seconds.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/spool.%n
StateSaveLocation={folder}/state
SlurmUser=root
SwitchType=switch/none
KillWait=2
SchedulerParameters=sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=500
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=500
PartitionName=p Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(number):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment_of(process):
    words = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return dict(word.decode(errors="replace").split("=", 1) for word in words if b"=" in word)


def processes_of(node, configuration):
    """The processes of all jobs on a node of ours, after those of Slurm above them, which would tell of their end."""
    above, jobs = set(), set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            process = int(folder.name)
            environment = environment_of(process)
            if (environment.get("SLURMD_NODENAME"), environment.get("SLURM_CONF")) == (node, str(configuration)):
                jobs.add(process)
                above |= {each for each in ancestors(process) if "slurmstepd" in Path(f"/proc/{each}/cmdline").read_text()}
        except OSError:
            continue  # it has ended
    return [*above, *(jobs - above)]


@unittest.skipUnless(all(map(shutil.which, NEEDED)), "Slurm is not installed")
@unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0, "the daemons of Slurm need root")
class Slurm(Sharded):
    def setUp(self):
        super().setUp()
        # Slurm's own paths have no spaces in them.
        folder = tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.slurm = Path(folder.name)
        self.slurm.chmod(0o755)  # munged insists
        for name in ("state", "spool.n1", "spool.n2"):
            (self.slurm / name).mkdir()
        key = self.slurm / "munge.key"
        key.touch(0o400)
        key.write_bytes(secrets.token_bytes(64))
        host = platform.node().split(".")[0]
        self.configuration = self.slurm / "slurm.conf"
        self.configuration.write_text(CONFIGURATION.format(host=host, folder=self.slurm, ports=free_ports(3)))
        for name in [name for name in self.environment if name.startswith(("SLURM_", "SBATCH_"))]:
            del self.environment[name]
        self.environment["SLURM_CONF"] = str(self.configuration)

        self.addCleanup(self.end_jobs)
        self.daemon(
            "munged", "--foreground", f"--socket={self.slurm}/munge.socket", f"--key-file={key}",
            f"--pid-file={self.slurm}/munged.pid", f"--log-file={self.slurm}/munged.log", f"--seed-file={self.slurm}/munge.seed",
        )
        wait_until((self.slurm / "munge.socket").exists, self.logs)
        controller = self.daemon("slurmctld", "-D")
        # If it were killed, a process that it starts would stay.
        self.addCleanup(controller.wait)
        self.addCleanup(controller.terminate)
        self.nodes = {node: self.daemon("slurmd", "-D", "-N", node) for node in ("n1", "n2")}
        wait_until(lambda: self.say("sinfo", "-h", "-o", "%t %D") == "idle 2", self.logs)

    def daemon(self, *command):
        out = self.slurm / f"{command[0]}.out"
        return self.start(command, out)

    def end_jobs(self):
        for node in ("n1", "n2"):
            self.kill_jobs(node)

    def kill_jobs(self, node):
        for process in processes_of(node, self.configuration):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def say(self, *command):
        return self.run_here(command).stdout.strip()

    def logs(self):
        """For messages: what Slurm and the jobs wrote."""
        paths = [*self.folder.glob("slurm-*.out"), *self.slurm.glob("*.log"), *self.slurm.glob("*.out")]
        logs = [f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in paths]
        return "\n".join([self.say("squeue"), *logs])

    def submit(self, shards):
        """The numbers of the array and of the job that merges."""
        done = self.run_here([SUBMIT, shards, *self.arguments()])
        self.assertRegex(done.stdout, r"^job \d+ explains in \d+ shards; job \d+ merges them")
        words = done.stdout.replace(";", "").split()
        return words[1], words[7]

    def state(self, job):
        """How a job ended; `None` before."""
        words = self.say("scontrol", "--oneliner", "show", "job", job).split()
        states = [word.partition("=")[2] for word in words if word.startswith("JobState=")]
        return states[0] if states and states[0] not in ("PENDING", "RUNNING", "COMPLETING") else None

    def finished(self, job):
        """How a job ended, and its log."""
        state = wait_until(lambda: self.state(job), lambda: f"job {job} does not end\n{self.logs()}")
        return state, (self.folder / f"slurm-{job}.out").read_text()

    def assert_merged(self, merge):
        state, log = self.finished(merge)
        self.assertEqual(state, "COMPLETED", log + self.logs())
        self.assert_as_unsplit()

    def task_of(self, process):
        environment = environment_of(process)
        return f"{environment['SLURM_ARRAY_JOB_ID']}_{environment['SLURM_ARRAY_TASK_ID']}"

    def test_merged_shards_are_as_one_run(self):
        _, merge = self.submit(4)
        self.assert_merged(merge)
        nodes = [node for node, _ in self.shards_started()]
        self.assertEqual((len(nodes), set(nodes)), (4, {"n1", "n2"}))

    def test_a_lost_node_loses_nothing(self):
        self.hold("n2")
        _, merge = self.submit(4)
        held = self.held(lambda: self.state(merge), self.logs)
        task = self.task_of(held)
        self.nodes["n2"].kill()
        self.kill_jobs("n2")
        wait_until(lambda: not is_alive(held), "the held process lives on")
        self.assertEqual(self.say("scontrol", "update", "nodename=n2", "state=down", "reason=test"), "")
        self.assert_merged(merge)
        nodes = [node for node, _ in self.shards_started()]
        self.assertEqual((len(nodes), nodes.count("n2"), nodes[-1]), (5, 1, "n1"))
        self.assertIn("ended with exit code 0", (self.folder / f"slurm-{task}.out").read_text())

    def test_when_time_is_up_a_task_goes_back_into_the_queue(self):
        self.hold()
        _, merge = self.submit(3)
        task = self.task_of(self.held(lambda: self.state(merge), self.logs))
        # What Slurm does two minutes before the end.
        self.assertEqual(self.say("scancel", "--signal=USR1", "--batch", task), "")
        log = self.folder / f"slurm-{task}.out"
        wait_until(lambda: "the time is nearly up" in log.read_text(), self.logs)
        self.open()
        self.assert_merged(merge)
        self.assertRegex(log.read_text(), "(?s)back into the queue.*ended with exit code 0")
        self.assertEqual(len(self.shards_started()), 4)

    def test_a_cancelled_task_is_missing_and_a_second_call_goes_on(self):
        self.hold()
        _, merge = self.submit(3)
        task = self.task_of(self.held(lambda: self.state(merge), self.logs))
        self.assertEqual(self.say("scancel", task), "")
        state, log = self.finished(merge)
        self.assertEqual(state, "FAILED", log)
        self.assertIn(task.partition("_")[2], log)
        self.assertFalse((self.output / "report.csv").exists())
        _, merge = self.submit(3)
        self.assert_merged(merge)

    def test_a_broken_picture_is_in_the_report(self):
        self.add_broken_picture()
        _, merge = self.submit(2)
        state, log = self.finished(merge)
        self.assertEqual(state, "FAILED", log)
        self.assert_as_unsplit(code=1)
