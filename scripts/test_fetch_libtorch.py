"""python3 -m unittest discover -s scripts"""

import fcntl
import os
import re
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

import fetch_libtorch

MAKEFILE = Path(__file__).parent.parent / "Makefile"


def is_sha256(text):
    return re.fullmatch("[0-9a-f]{64}", text) is not None


class FetchLibtorch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.enterContext(mock.patch.object(fetch_libtorch, "say"))

    if not hasattr(unittest.TestCase, "enterContext"):  # Python before 3.11

        def enterContext(self, context):
            self.addCleanup(context.__exit__, None, None, None)
            return context.__enter__()

    def test_all_that_is_downloaded_is_pinned(self):
        version = re.search(r"^LIBTORCH_VERSION := (.*)$", MAKEFILE.read_text(), re.M).group(1)
        archives = [sha256 for _, sha256 in fetch_libtorch.ARCHIVES[version].values()]
        self.assertEqual(len(archives), 2)
        pins = [archives, fetch_libtorch.WHEELS[version], *fetch_libtorch.CUDA_PACKAGES.values()]
        self.assertTrue(all(hashes and all(map(is_sha256, hashes)) for hashes in pins))

    def archive(self, sha256):
        """What comes of an archive that should have this sum."""
        path = self.folder / "lib.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("libtorch/build-version", "0")
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        system = (fetch_libtorch.platform.system(), fetch_libtorch.platform.machine())
        archives = {"0": {system: (path.name, sha256 or fetch_libtorch.hashlib.sha256(path.read_bytes()).hexdigest())}}
        with mock.patch.multiple(fetch_libtorch, ARCHIVES=archives, ARCHIVE_FOLDER=self.folder.as_uri()):
            return fetch_libtorch.from_archive("0", work)

    def test_another_archive_is_not_unpacked(self):
        with self.assertRaisesRegex(ValueError, "expected " + "0" * 64):
            self.archive("0" * 64)
        self.assertFalse((self.folder / "work/libtorch").exists())
        self.assertTrue((self.archive(None) / "build-version").exists())

    def test_pip_takes_no_other_wheel(self):
        with mock.patch("subprocess.run") as run:
            fetch_libtorch.pip_download(self.folder, {"a==1": ["0" * 64, "1" * 64], "b==2": ["2" * 64]})
        self.assertIn("--require-hashes", run.call_args.args[0])
        lines = (self.folder / "requirements.txt").read_text().splitlines()
        self.assertEqual(lines[0], f"a==1 --hash=sha256:{'0' * 64} --hash=sha256:{'1' * 64}")
        self.assertEqual(len(lines), 2)
        with self.assertRaisesRegex(OSError, "not known"):
            fetch_libtorch.from_wheel("0.0.0", self.folder)

    def test_what_a_killed_run_left_is_swept(self):
        for name in (".yolo-cam-left", ".yolo-cam-open", "libtorch-2.13.0"):
            (self.folder / name / "lib").mkdir(parents=True)
        lock = os.open(self.folder / ".yolo-cam-open", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetch_libtorch.sweep(self.folder)
        self.assertEqual(sorted(os.listdir(self.folder)), [".yolo-cam-open", "libtorch-2.13.0"])


if __name__ == "__main__":
    unittest.main()
