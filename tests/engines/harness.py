"""What the tests of the engines share."""

import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BINARY = Path(os.environ.get("YOLO_CAM_BINARY") or ROOT / "target/release/yolo-cam").absolute()
MODEL = ROOT / "tests/data/shortcut/planted.pt"
PICTURES = ROOT / "tests/data/shortcut/images"
SIZE = "--img-size=128"

# Seconds after which something hangs; nothing here takes a tenth of it.
PATIENCE = 300


def wait_until(condition, what):
    """What `condition` returns, as soon as that is true."""
    end = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE} s in vain: {what() if callable(what) else what}")
        time.sleep(0.05)
    return result


def end_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def is_alive(process):
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def ancestors(process):
    while process > 1:
        yield process
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def files(folder):
    """All files that a user sees, without those by which a run goes on."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".yolo-cam" not in path.name
    }


class Sharded(unittest.TestCase):
    """Pictures, a program that can be held, and what a run that was not split makes of them.

    Names have spaces in them, for the scripts' sake.
    """

    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="yolo cam ")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.gate = self.folder / "gate"
        self.gate.mkdir()
        self.pictures = self.folder / "some pictures"
        shutil.copytree(PICTURES, self.pictures)
        self.output = self.folder / "the output"

        libraries = [os.environ.get("LIBTORCH", ""), str(ROOT / "libtorch")]
        libraries = [f"{library}/lib" for library in libraries if library] + [os.environ.get("LD_LIBRARY_PATH", "")]
        self.program = self.folder / "yolo-cam"
        words = [sys.executable, Path(__file__).with_name("gated.py"), self.gate, BINARY]
        # A file of its own, since not every engine hands on its environment.
        self.program.write_text(
            "#!/bin/sh\n"
            f"export SOURCE_DATE_EPOCH=1700000000 LD_LIBRARY_PATH={shlex.quote(':'.join(libraries))}\n"
            f"exec {shlex.join(map(str, words))} \"$@\"\n"
        )
        self.program.chmod(0o755)
        self.environment = {**os.environ, "YOLO_CAM": str(self.program)}

    def run_here(self, command, **more):
        """Runs `command` in the test's folder, to its end."""
        try:
            return subprocess.run(
                list(map(str, command)), cwd=self.folder, env={**self.environment, **more}, text=True, timeout=PATIENCE,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=end_with_parent,
            )
        except subprocess.TimeoutExpired as error:
            self.fail(f"{command[0]} hangs: {error.stdout}")

    def start(self, command, log, **more):
        """Starts `command`; it ends with the test at the latest."""
        with open(log, "a") as out:
            process = subprocess.Popen(
                list(map(str, command)), cwd=self.folder, env={**self.environment, **more},
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, preexec_fn=end_with_parent,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def add_broken_picture(self):
        (self.pictures / "0 broken.png").write_bytes((self.pictures / "000.png").read_bytes()[:100])

    def arguments(self):
        """Those of the examples in shell: model, pictures, output, options."""
        return [MODEL, self.pictures, self.output, SIZE]

    def hold(self, node=""):
        """The next run (on this node) will stop in the middle."""
        (self.gate / "armed").write_text(node)

    def held(self, is_over, log):
        """The process of the run that stopped, unless all is over without one."""
        path = self.gate / "held"
        wait_until(lambda: path.exists() or is_over(), lambda: f"no run is held\n{log()}")
        self.assertTrue(path.exists(), f"no run was held\n{log()}")
        self.assertLess(len(list(self.output.glob("*-res.png"))), len(list(self.pictures.iterdir())))
        return int(path.read_text())

    def held_by(self, process, log):
        return self.held(lambda: process.poll() is not None, log.read_text)

    def open(self):
        (self.gate / "open").touch()

    def shards_started(self):
        """The Slurm node and the command of each run of a shard so far."""
        starts = map(json.loads, (self.gate / "starts").read_text().splitlines())
        return [(node, command) for node, command in starts if "--shard" in " ".join(command)]

    def assert_as_unsplit(self, code=0):
        """The output has what the shards' command writes there without --shard, byte for byte."""
        sharded = files(self.output)
        self.output.rename(self.folder / "sharded")  # reports name files in the output
        ((_, command), *_) = self.shards_started()
        command = re.sub(r"\0--shard[=\0][^\0]*", "", "\0".join(command[1:])).split("\0")
        unsplit = self.run_here([self.program, *command])
        self.assertEqual(unsplit.returncode, code, unsplit.stdout)
        expected = files(self.output)
        self.assertLessEqual({"report.csv", "report.html", "000-res.json", "000-res.png"}, set(expected))
        self.assertEqual(sorted(sharded), sorted(expected))
        self.assertEqual([name for name in expected if sharded[name] != expected[name]], [])
