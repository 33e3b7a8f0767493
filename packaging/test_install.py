#!/usr/bin/env python3
"""Installs the wheel as a user does, and compares what it gives with the program that it was made from.

    test_install.py WHEEL PROGRAM

In an empty virtual environment pip installs the wheel and, because the wheel asks for it, torch: 3 GB, which stay in the
user's cache. Without the registry nothing is tested, which counts as skipped. `make test-install` makes the wheel and the
program first.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import parts

MODEL = parts.ROOT / "weights/yolov5s.torchscript"
PICTURE = parts.ROOT / "images/dog.jpg"

# What torch takes in the cache and in the environment, in bytes.
NEEDED_BYTES = 10_000_000_000
# Of gigabytes something may be lost on the way. What has arrived stays.
ATTEMPTS = 3

# What a wheel depends on.
NEEDED = """
import sys, zipfile
from email.parser import Parser
with zipfile.ZipFile(sys.argv[1]) as wheel:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    print("\\n".join(Parser().parsestr(wheel.read(name).decode()).get_all("Requires-Dist")))
"""
# What is printed is compared: each detection, and its map as bytes.
MODULE = """
import sys, yolocam
for found in yolocam.explain(sys.argv[1], sys.argv[2]):
    print(found.class_name, f"{found.confidence:.6f}", *found.map.shape, found.map.tobytes().hex())
"""
# The same of the maps that a program has written.
FILES = """
import json, sys, numpy
from pathlib import Path
(report,) = Path(sys.argv[1]).glob("*-res.json")
for found in json.loads(report.read_text())["detections"]:
    heat = numpy.load(report.with_name(found["map"]))
    print(found["class"], f"{found['confidence']:.6f}", *heat.shape, heat.tobytes().hex())
"""


def load_tests(_loader, tests, pattern):
    """`make test` finds this file too; only `make test-install` runs it."""
    return tests if pattern is None else unittest.TestSuite()


class Install(unittest.TestCase):
    wheel = program = None

    @classmethod
    def setUpClass(cls):
        work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(work.cleanup)
        free = min(shutil.disk_usage(place).free for place in (work.name, Path.home()))
        if free < NEEDED_BYTES:
            raise unittest.SkipTest(f"{free / 1e9:.0f} GB are free, and torch takes {NEEDED_BYTES / 1e9:.0f}")
        # The environment itself lies in a folder with spaces too.
        cls.work = Path(work.name) / "a path with spaces"
        cls.work.mkdir()
        environment = cls.work / "environment"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        cls.python, cls.command = environment / "bin/python", environment / "bin/yolo-cam"
        started = time.monotonic()
        cls.install()
        size = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_dir())
        print(f"installed in {time.monotonic() - started:.0f} s, {size / 1e9:.1f} GB", file=sys.stderr)
        # Neither a compiler nor anything else but the environment.
        cls.environment = {"PATH": str(environment / "bin"), "HOME": str(cls.work), "TMPDIR": str(cls.work)}
        assert not any(shutil.which(name, path=cls.environment["PATH"]) for name in ("cc", "c++", "gcc", "ld", "cargo"))
        cls.expected = cls.explained(cls.program, PICTURE, cls.work / "expected", environment=None)

    @classmethod
    def install(cls):
        """Installs the wheel. What it needs is downloaded first: not every registry lets pip's own cache keep that."""
        kept = parts.cache_dir() / "wheels"
        pip = [cls.python, "-m", "pip", "--disable-pip-version-check"]
        needed = cls.run_in(cls.python, "-c", NEEDED, cls.wheel, environment=None).splitlines()
        download = [*pip, "download", "--quiet", "--only-binary=:all:", "--dest", kept, "--find-links", kept, *needed]
        for _ in range(ATTEMPTS):
            downloaded = subprocess.run(download, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if downloaded.returncode == 0:
                break
        install = [*pip, "install", "--quiet", "--no-index", "--find-links", kept, cls.wheel]
        installed = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if installed.returncode == 0:
            return
        # Where even a small package cannot be had, it is the registry.
        probe = [*pip, "download", "--quiet", "--no-deps", "--dest", cls.work / "probe", "typing_extensions"]
        if subprocess.run(probe, capture_output=True).returncode != 0:
            print("the registry cannot be reached: nothing is tested", file=sys.stderr)
            raise unittest.SkipTest("the registry cannot be reached")
        raise AssertionError(f"pip could not install the wheel:\n{downloaded.stdout}{installed.stdout}")

    @classmethod
    def run_in(cls, *command, environment):
        ended = subprocess.run(
            [str(word) for word in command], env=environment, cwd=cls.work, capture_output=True, text=True
        )
        if ended.returncode != 0:
            raise AssertionError(f"{command} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    @classmethod
    def explained(cls, program, picture, output, environment):
        """What a program says of a picture, as `FILES` prints it."""
        cls.run_in(
            program,
            "--model-path",
            MODEL,
            "--img-path",
            picture,
            "--output-dir",
            output,
            "--raw",
            environment=environment,
        )
        return cls.run_in(cls.python, "-c", FILES, output, environment=None)

    def test_the_command_gives_the_same_maps(self):
        self.assertEqual([line.split()[0] for line in self.expected.splitlines()], ["dog", "bicycle", "car", "truck"])
        # Bit by bit: the libraries come from the same release, and the sums are made in the same order.
        self.assertEqual(self.explained(self.command, PICTURE, self.work / "command", self.environment), self.expected)

    def test_a_path_with_spaces(self):
        picture = self.work / "a dog's picture.jpg"
        shutil.copy(PICTURE, picture)
        output = self.work / "results of it"
        self.assertEqual(self.explained(self.command, picture, output, self.environment), self.expected)
        self.assertEqual(
            self.run_in(self.python, "-c", MODULE, MODEL, picture, environment=self.environment), self.expected
        )

    def test_the_module_gives_the_same_maps(self):
        self.assertEqual(
            self.run_in(self.python, "-c", MODULE, MODEL, PICTURE, environment=self.environment), self.expected
        )

    def test_an_array_is_taken_as_its_file(self):
        code = "import numpy, yolocam, sys\n"
        code += "found = yolocam.explain(sys.argv[1], numpy.full((480, 640, 3), 114, numpy.uint8))\nprint(found)"
        self.assertEqual(self.run_in(self.python, "-c", code, MODEL, environment=self.environment), "[]\n")

    def test_the_module_tells_errors_in_one_line(self):
        code = "import yolocam, sys\n"
        code += "try: yolocam.explain('no.pt', sys.argv[1])\nexcept yolocam.YoloCamError as error: print(error)"
        told = self.run_in(self.python, "-c", code, PICTURE, environment=self.environment)
        self.assertRegex(told, r'\Amodel file "no.pt" not found.*\n\Z')

    def test_exit_codes_pass_through(self):
        for arguments, code in ((["--version"], 0), (["--no-such-flag"], 2)):
            ended = subprocess.run([self.command, *arguments], env=self.environment, capture_output=True)
            self.assertEqual(ended.returncode, code)

    def test_an_interrupt_passes_through(self):
        pictures = self.work / "many"
        pictures.mkdir()
        for index in range(500):
            shutil.copy(PICTURE, pictures / f"{index}.jpg")
        running = subprocess.Popen(
            [self.command, "--model-path", MODEL, "--img-path", pictures, "--output-dir", self.work / "interrupted"],
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        # It is at work.
        while "/500]" not in (line := running.stderr.readline()):
            self.assertTrue(line, "it ended by itself")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=120)
        self.assertEqual(running.returncode, 130)
        # Nothing half-written.
        self.assertEqual([path.name for path in (self.work / "interrupted").glob(".yolo-cam-*")], [])

    def test_completions_and_manual_pages_are_there(self):
        share = self.python.parent.parent / "share"
        for path in [*parts.COMPLETIONS.values(), "man/man1/yolo-cam.1", "man/man1/yolo-cam-layers.1"]:
            self.assertGreater((share / path).stat().st_size, 100, path)

    def test_what_is_wrong_with_torch_is_told_in_one_line(self):
        folder = Path(
            self.run_in(
                self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", environment=None
            ).strip()
        )
        version = folder / "torch/version.py"
        text = version.read_text()
        self.addCleanup(version.write_text, text)
        version.write_text("__version__ = '2.0.1+cpu'\n")
        self.assertRegex(
            self.refused(),
            r"\Aerror: torch 2\.0\.1 is installed, and this yolo-cam needs [\d.]+; install it with .+\n\Z",
        )
        (folder / "torch").rename(folder / "elsewhere")
        self.addCleanup((folder / "elsewhere").rename, folder / "torch")
        self.assertRegex(self.refused(), r"\Aerror: torch is not installed; install it with 'pip install torch==.+\n\Z")

    def refused(self):
        ended = subprocess.run([self.command, "--version"], env=self.environment, capture_output=True, text=True)
        self.assertEqual(ended.returncode, 1)
        return ended.stderr


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Install.wheel, Install.program = (Path(word).resolve() for word in sys.argv[1:])
    del sys.argv[1:]
    unittest.main()
