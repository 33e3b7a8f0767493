"""examples/parallel with GNU parallel."""

import os
import shutil
import signal
import unittest

from harness import EXAMPLES, Sharded

RUN = EXAMPLES / "parallel/run.sh"


@unittest.skipUnless(shutil.which("parallel"), "GNU parallel is not installed")
class Parallel(Sharded):
    def test_merged_shards_are_as_one_run(self):
        done = self.run_here([RUN, 4, *self.arguments()])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assert_as_unsplit()

    def test_a_broken_picture_is_in_the_report(self):
        self.add_broken_picture()
        done = self.run_here([RUN, 3, *self.arguments()])
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assert_as_unsplit(code=1)

    def test_after_a_killed_shard_a_second_call_goes_on(self):
        self.hold()
        log = self.folder / "log"
        process = self.start([RUN, 4, *self.arguments()], log)
        os.kill(self.held_by(process, log), signal.SIGKILL)
        self.assertEqual(process.wait(), 2, log.read_text())
        self.assertFalse((self.output / "report.csv").exists())
        done = self.run_here([RUN, 4, *self.arguments()])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assert_as_unsplit()
