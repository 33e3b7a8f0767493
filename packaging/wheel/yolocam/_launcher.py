"""Starts the program in this folder with the libraries of the installed torch."""

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from ._build import TORCH

PROGRAM = Path(__file__).parent / "yolo-cam"


class Unusable(Exception):
    """The program cannot start; in one line why, and what helps."""


def environment() -> dict[str, str]:
    """The environment in which the program finds torch's libraries.

    torch itself is not imported, which would take longer than the program does.
    """
    advice = f"install it with 'pip install torch=={TORCH}' in the environment of {sys.executable}"
    found = importlib.util.find_spec("torch")
    if found is None or not found.origin:
        raise Unusable(f"torch is not installed; {advice}")
    folder = Path(found.origin).parent
    libraries = folder / "lib"
    if not (libraries / "libtorch_cpu.so").exists():
        raise Unusable(f"{libraries} lacks libtorch_cpu.so, which is part of torch {TORCH}; {advice}")
    version = installed_version(folder)
    if version != TORCH:
        raise Unusable(f"torch {version} is installed, and this yolo-cam needs {TORCH}; {advice}")

    variables = dict(os.environ)
    # The program looks beside this folder. torch may lie elsewhere, as in the system's Python below a virtual environment.
    if libraries.resolve() != (PROGRAM.parent.parent / "torch/lib").resolve():
        earlier = variables.get("LD_LIBRARY_PATH")
        variables["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [str(libraries), earlier]))
    return variables


def installed_version(folder: Path) -> str:
    """Version of the torch in `folder`, without the part behind the plus that tells builds apart."""
    try:
        text = (folder / "version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"__version__ = ['\"]([^'\"+]+)", text)
    return found.group(1) if found else "of an unknown version"


def main() -> NoReturn:
    """Becomes the program, so that signals and exit codes are its own."""
    try:
        os.execve(PROGRAM, ["yolo-cam", *sys.argv[1:]], environment())
    except Unusable as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {PROGRAM} does not start: {error.strerror}")


if __name__ == "__main__":
    main()
