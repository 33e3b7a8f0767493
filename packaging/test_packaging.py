"""python3 -m unittest discover -s packaging"""

import importlib.util
import os
import re
import sys
import tarfile
import tempfile
import unittest
from email.parser import Parser
from io import BytesIO
from pathlib import Path
from unittest import mock

import archive
import parts
import release_notes

WORKFLOW = parts.ROOT / ".github/workflows/release.yml"


def load(name, path):
    """A module that no folder of the search path has."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


build = load("wheel_build", parts.ROOT / "packaging/wheel/build.py")

# A program that answers as ours does.
PROGRAM = r"""#!/bin/sh
case "$1 $2" in
  "--version ") echo "yolo-cam VERSION" ;;
  "man ") printf '.SH SUBCOMMANDS\n.TP\nyolo\\-cam\\-layers(1)\nLayers\n.TP\nyolo\\-cam\\-help(1)\nHelp\n' ;;
  *) echo "$@" ;;
esac
"""


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.program = self.folder / "yolo-cam"
        self.program.write_text(PROGRAM.replace("VERSION", parts.version()))
        self.program.chmod(0o755)

    def file(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Parts(Folder):
    def test_each_command_has_a_page_and_each_shell_a_script(self):
        files = parts.share(self.program)
        self.assertEqual(files["man/man1/yolo-cam-layers.1"], "man layers\n")
        self.assertEqual(files["zsh/site-functions/_yolo-cam"], "completions zsh\n")
        self.assertEqual(len(files), 5)

    def test_another_version_is_refused(self):
        self.assertEqual(parts.check_version(self.program), parts.version())
        self.program.write_text(PROGRAM.replace("VERSION", "0.0.0"))
        with self.assertRaisesRegex(SystemExit, "0.0.0.*build it again"):
            parts.check_version(self.program)

    def test_libtorch_and_torch_tell_their_versions(self):
        self.file("a/build-version", "2.13.0+cpu\n")
        self.file("b/version.py", "from typing import Optional\n__version__ = '2.11.1+cu130'\n")
        self.assertEqual(parts.version_of_libtorch(f"{self.folder}/a/lib"), "2.13.0")
        self.assertEqual(parts.version_of_libtorch(f"$ORIGIN/nowhere:{self.folder}/b/lib"), "2.11.1")
        with self.assertRaisesRegex(SystemExit, "does not say which version"):
            parts.version_of_libtorch(str(self.folder))

    def test_notices_have_each_text_once(self):
        def package(name, licence, **more):
            manifest = self.file(f"{name}/Cargo.toml", "")
            return {
                "name": name,
                "version": "1.0.0",
                "license": licence,
                "authors": [],
                "manifest_path": str(manifest),
                **more,
            }

        packages = [package("a", "MIT"), package("b", "MIT"), package("c", "Apache-2.0", authors=["C. C."])]
        self.file("a/LICENSE-MIT", "Permission is granted.\r\n")
        self.file("a/src/license.rs", "fn main() {}")
        self.file("b/c_src/LICENSE", "Permission is granted.\n\n")
        self.file("b/COPYING.txt", "Copying is allowed.\n")
        text = parts.notices(packages)
        self.assertEqual(text.count("Permission is granted."), 1)
        self.assertIn("a 1.0.0, b 1.0.0\n\nPermission is granted.\n", text)
        self.assertIn("\nb 1.0.0\n\nCopying is allowed.\n", text)
        # It has no text of its own.
        self.assertIn("c 1.0.0: Apache-2.0; by C. C.\n", text)
        self.assertNotIn("fn main", text)

    def test_tools_are_pinned(self):
        lines = parts.ROOT.joinpath("packaging/tools.txt").read_text().splitlines()
        lines = [line for line in lines if not line.startswith("#")]
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^[a-z]+==[\d.]+( --hash=sha256:[0-9a-f]{64})+$")


class Archive(Folder):
    def test_the_same_files_give_the_same_archive(self):
        content = {"bin/yolo-cam": (b"program", 0o755), "README.txt": (b"words", 0o644)}
        first = archive.pack(content, "yolo-cam-1")
        self.assertEqual(first, archive.pack(dict(reversed(content.items())), "yolo-cam-1"))
        with tarfile.open(fileobj=BytesIO(first)) as packed:
            self.assertEqual(packed.getnames(), ["yolo-cam-1/README.txt", "yolo-cam-1/bin/yolo-cam"])
            self.assertEqual([entry.mode for entry in packed], [0o644, 0o755])
            self.assertEqual({(entry.uid, entry.uname, entry.mtime) for entry in packed}, {(0, "", 0)})
            self.assertEqual(packed.extractfile("yolo-cam-1/bin/yolo-cam").read(), b"program")

    def test_the_sum_is_read_by_sha256sum(self):
        archive.write(self.folder / "a/b.tar.gz", b"")
        self.assertEqual(
            (self.folder / "a/b.tar.gz.sha256").read_text(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b.tar.gz\n",
        )

    def test_it_holds_all_parts(self):
        with mock.patch.multiple(parts, relocate=copy, licences=lambda: {"LICENSE": "MIT"}):
            content = archive.files(self.program, "1.2.3", "2.13.0", self.folder / "work")
        self.assertEqual({content[path][1] for path in content if path != "bin/yolo-cam"}, {0o644})
        self.assertEqual(content["bin/yolo-cam"][1], 0o755)
        self.assertLess({"README.txt", "licenses/LICENSE", "share/man/man1/yolo-cam.1"}, set(content))
        self.assertIn(b"libtorch 2.13.0", content["README.txt"][0])


def copy(program, target, _runpath):
    """What `relocate` does, without tools."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(program.read_bytes())


class Wheel(Folder):
    def test_it_holds_what_pip_expects(self):
        with mock.patch.multiple(parts, relocate=copy, licences=lambda: {"LICENSE": "MIT"}):
            build.lay_out(self.folder / "wheel", self.program, "1.2.3", "2.13.0")
        root = self.folder / "wheel"
        about = root / "yolo_cam-1.2.3.dist-info"
        fields = Parser().parsestr((about / "METADATA").read_text())
        self.assertEqual((fields["Name"], fields["Version"]), ("yolo-cam", "1.2.3"))
        self.assertEqual(fields.get_all("Requires-Dist"), ["torch==2.13.0", "numpy"])
        self.assertIn("# yolo-cam", fields.get_payload())
        self.assertIn("WEIGHTS.md", fields.get_all("License-File"))
        self.assertIn("yolo-cam = yolocam._launcher:main", (about / "entry_points.txt").read_text())
        self.assertTrue((root / "yolo_cam-1.2.3.data/data/share/man/man1/yolo-cam-layers.1").exists())
        self.assertEqual({path.suffix for path in root.rglob("*") if "weights" in path.name.lower()}, set())
        # Nothing of the module is missing, and nothing but that is there.
        module = {path.name for path in (root / "yolocam").iterdir()}
        sources = {path.name for path in (build.HERE / "yolocam").iterdir() if path.name != "__pycache__"}
        self.assertEqual(module - sources, {"_build.py", "yolo-cam"})
        self.assertEqual(sources - module, set())

    def test_the_import_name_is_no_folder_of_others(self):
        self.assertNotEqual(build.MODULE, "yolo_cam")


class Launcher(Folder):
    """The launcher in a folder like that of an installation, with a torch of our own making."""

    def setUp(self):
        super().setUp()
        site = self.folder / "site"
        module = site / "yolocam"
        module.mkdir(parents=True)
        for name in ("__init__.py", "_launcher.py"):
            (module / name).write_text((build.HERE / "yolocam" / name).read_text())
        (module / "_build.py").write_text('VERSION = "1.2.3"\nTORCH = "2.13.0"\n')
        self.addCleanup(
            lambda: [sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "yolocam"]
        )
        # Nothing of the machine's own torch.
        path = mock.patch.object(sys, "path", [str(site)])
        path.start()
        self.addCleanup(path.stop)
        self.launcher = load("yolocam._launcher", module / "_launcher.py")
        importlib.invalidate_caches()

    def torch(self, version, folder="site", libraries=("libtorch_cpu.so",)):
        self.file(f"{folder}/torch/__init__.py", "raise ImportError('it is not to be imported')")
        self.file(f"{folder}/torch/version.py", f"__version__ = '{version}'\n")
        for name in libraries:
            self.file(f"{folder}/torch/lib/{name}", "")
        importlib.invalidate_caches()

    def refused(self):
        with self.assertRaises(self.launcher.Unusable) as caught:
            self.launcher.environment()
        self.assertNotIn("\n", str(caught.exception))
        self.assertIn("pip install torch==2.13.0", str(caught.exception))
        return str(caught.exception)

    def test_the_torch_beside_it_needs_no_help(self):
        self.torch("2.13.0+cu130")
        self.assertEqual(self.launcher.environment(), dict(os.environ))

    def test_a_torch_elsewhere_is_found(self):
        self.torch("2.13.0", folder="other")
        with mock.patch.object(sys, "path", [str(self.folder / "other")]):
            found = self.launcher.environment()
        self.assertEqual(found["LD_LIBRARY_PATH"].split(":")[0], str(self.folder / "other/torch/lib"))

    def test_what_is_wrong_with_torch_is_told(self):
        self.assertIn("torch is not installed", self.refused())
        self.torch("2.13.0", libraries=())
        self.assertIn("lacks libtorch_cpu.so", self.refused())
        self.torch("2.12.1+cpu")
        self.assertIn("torch 2.12.1 is installed, and this yolo-cam needs 2.13.0", self.refused())


class Workflow(unittest.TestCase):
    def test_actions_are_pinned_and_scripts_are_there(self):
        text = WORKFLOW.read_text()
        for action in re.findall(r"uses: *(\S+)", text):
            self.assertRegex(action, r"^[\w./-]+@(v\d+|release/v1|[0-9a-f]{40})$")
        for script in re.findall(r"packaging/[\w./]+\.(?:py|sh)|packaging/[\w./]*Containerfile[\w.]*", text):
            self.assertTrue((parts.ROOT / script).exists(), script)

    def test_the_notes_of_a_release_are_those_of_the_changelog(self):
        text = "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-02\n\n### Added\n- A.\n\n## 1.2.2\n- B.\n"
        self.assertEqual(release_notes.section(text, "1.2.3"), "### Added\n- A.\n")
        self.assertEqual(release_notes.section(text, "1.2.2"), "- B.\n")
        self.assertIsNone(release_notes.section(text, "1.2"))
        with self.assertRaisesRegex(SystemExit, "tag v9.9.9"):
            release_notes.notes("v9.9.9")


if __name__ == "__main__":
    unittest.main()
