"""examples/ray with real Ray: a head and two nodes on this machine."""

import importlib.util
import os
import signal
import sys
import unittest

from harness import EXAMPLES, MODEL, SIZE, Sharded, ancestors, is_alive, wait_until

RUN = EXAMPLES / "ray/run.py"


@unittest.skipUnless(importlib.util.find_spec("ray"), "Ray is not installed")
class Ray(Sharded):
    @classmethod
    def setUpClass(cls):
        from ray.cluster_utils import Cluster

        os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DISABLE_IMPORT_WARNING="1")
        node = {"object_store_memory": 100 << 20, "include_dashboard": False}
        # The head does no work, so that each of the nodes can be lost.
        cls.cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0})
        cls.addClassCleanup(cls.cluster.shutdown)
        cls.add_node = lambda: cls.cluster.add_node(**node, num_cpus=1)
        cls.nodes = [cls.add_node(), cls.add_node()]
        cls.cluster.wait_for_nodes()

    def setUp(self):
        super().setUp()
        self.environment["RAY_ADDRESS"] = self.cluster.address

    def command(self, shards, *options):
        paths = ["--model-path", MODEL, "--img-path", self.pictures, "--output-dir", self.output]
        return [sys.executable, RUN, *paths, "--shards", shards, "--", SIZE, *options]

    def test_merged_shards_are_as_one_run(self):
        done = self.run_here(self.command(5))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assert_as_unsplit()

    def test_a_lost_node_loses_nothing(self):
        self.hold()
        log = self.folder / "log"
        process = self.start(self.command(4), log)
        held = self.held_by(process, log)
        raylets = {self.raylet(node): node for node in self.nodes}
        (raylet,) = set(ancestors(held)) & set(raylets)
        self.cluster.remove_node(raylets[raylet], allow_graceful=False)
        type(self).nodes = [node for node in self.nodes if node is not raylets[raylet]] + [type(self).add_node()]
        wait_until(lambda: not is_alive(held), "the held process lives on")
        self.assertEqual(process.wait(), 0, log.read_text())
        self.assertEqual(len(self.shards_started()), 5, self.shards_started())
        self.assert_as_unsplit()

    def raylet(self, node):
        (raylet,) = node.all_processes["raylet"]
        return raylet.process.pid

    def test_a_killed_process_goes_on(self):
        self.hold()
        log = self.folder / "log"
        process = self.start(self.command(3), log)
        os.kill(self.held_by(process, log), signal.SIGKILL)
        self.assertEqual(process.wait(), 0, log.read_text())
        self.assertEqual(len(self.shards_started()), 4, self.shards_started())
        self.assert_as_unsplit()

    def test_a_broken_picture_is_in_the_report(self):
        self.add_broken_picture()
        done = self.run_here(self.command(3))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assert_as_unsplit(code=1)

    def test_what_cannot_work_is_tried_once_and_told_in_a_line(self):
        done = self.run_here(self.command(2, "--no-such-flag"))
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(len(self.shards_started()), 2)
        self.assertRegex(done.stdout, r"(?m)^failed: shard ./2, ./2: .*error: ")
        done = self.run_here(self.command(2), YOLO_CAM="/nowhere/yolo-cam")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^failed: shard ./2, ./2: cannot run /nowhere/yolo-cam in ")
