#!/usr/bin/env python3
"""Makes the Python wheel of the program.

    build.py PROGRAM FOLDER

The wheel holds PROGRAM, which finds libtorch in the installed torch, and the module in yolocam/. It is written to FOLDER; its
path and the systems that it is for are printed.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import parts  # noqa: E402

DISTRIBUTION = "yolo-cam"
# Not yolo_cam: many have a folder of that name beside their notebooks, the vendored package of another project.
MODULE = "yolocam"
PROGRAM = "yolo-cam"

# From the module's folder to that of torch's libraries, which stands beside it.
RUNPATH = "$ORIGIN/../torch/lib"
# These are torch's own, and stay there.
TORCH_LIBRARIES = ("libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so", "libc10.so", "libc10_cuda.so")


def metadata(version, torch):
    """METADATA of the wheel."""
    fields = [
        "Metadata-Version: 2.4",
        f"Name: {DISTRIBUTION}",
        f"Version: {version}",
        "Summary: Shows what a YOLO detector looked at: a heatmap for every box that it draws",
        "Description-Content-Type: text/markdown",
        "Keywords: yolo,grad-cam,explainability,object-detection,heatmap",
        "License-Expression: MIT AND OFL-1.1",
        *(f"License-File: {name}" for name in [*parts.LICENCES.values(), parts.NOTICES]),
        "Classifier: Environment :: Console",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Programming Language :: Rust",
        "Classifier: Topic :: Scientific/Engineering :: Image Recognition",
        "Classifier: Typing :: Typed",
        "Requires-Python: >=3.10",
        # The program is linked to this one version.
        f"Requires-Dist: torch=={torch}",
        "Requires-Dist: numpy",
    ]
    return "\n".join(fields) + "\n\n" + (HERE / "README.md").read_text()


def lay_out(folder, program, version, torch):
    """Fills `folder` with what the wheel holds, all but the list of files."""
    module = folder / MODULE
    # What an editor or a run left beside the sources is not part of it.
    shutil.copytree(HERE / MODULE, module, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (module / "_build.py").write_text(
        f'"""Written when the wheel was made."""\n\nVERSION = "{version}"\nTORCH = "{torch}"\n'
    )
    parts.relocate(program, module / PROGRAM, RUNPATH)

    name = f"{DISTRIBUTION.replace('-', '_')}-{version}"
    about = folder / f"{name}.dist-info"
    texts = {
        about / "METADATA": metadata(version, torch),
        about / "WHEEL": "Wheel-Version: 1.0\nGenerator: yolo-cam\nRoot-Is-Purelib: false\n"
        # What it is called until auditwheel has looked at it.
        f"Tag: py3-none-linux_{os.uname().machine}\n",
        about / "entry_points.txt": f"[console_scripts]\n{PROGRAM} = {MODULE}._launcher:main\n",
    }
    texts.update({about / "licenses" / name: text for name, text in parts.licences().items()})
    texts.update({folder / f"{name}.data/data/share" / path: text for path, text in parts.share(program).items()})
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, target = Path(sys.argv[1]), Path(sys.argv[2])
    version, torch = parts.check_version(program), parts.torch_version(program)

    with tempfile.TemporaryDirectory() as work:
        content, packed, named = Path(work) / "content", Path(work) / "packed", Path(work) / "named"
        for folder in (content, packed, target):
            folder.mkdir(parents=True, exist_ok=True)
        lay_out(content, program, version, torch)
        parts.run("wheel", "pack", "--dest-dir", packed, content)
        (plain,) = packed.glob("*.whl")
        # Gives it the tag of the oldest system that has all which the program needs beside torch.
        excluded = [word for name in TORCH_LIBRARIES for word in ("--exclude", name)]
        parts.run("auditwheel", "repair", *excluded, "--wheel-dir", named, plain)
        (wheel,) = named.glob("*.whl")
        for old in target.glob(f"{DISTRIBUTION.replace('-', '_')}-*.whl"):
            old.unlink()
        shutil.move(wheel, target / wheel.name)
    print(f"{target / wheel.name}: {wheel.name.split('-')[-1][:-4]}, torch {torch}")


if __name__ == "__main__":
    main()
