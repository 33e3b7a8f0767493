#!/usr/bin/env python3
"""Makes the archive of a release.

    archive.py PROGRAM FOLDER

The archive holds PROGRAM, completions, manual pages and licences. libtorch is not in it: the program looks for it in the
folder libtorch/ of the unpacked archive. The archive is written to FOLDER, and beside it its SHA-256. From the same files
comes the same archive, byte by byte.
"""

import gzip
import hashlib
import io
import os
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import parts

# From bin/ to the folder beside it.
RUNPATH = "$ORIGIN/../libtorch/lib"

README = """yolo-cam {version} shows what a YOLO detector looked at.

bin/yolo-cam needs libtorch {torch}: unpack it here as libtorch/, or make that a link to one, or to the folder of a Python's
torch {torch}:

    ln -s "$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')" libtorch

share/ has manual pages and completions for bash, zsh and fish, licenses/ the licences.
"""


def files(program, version, torch, work):
    """What the archive holds: bytes and mode by path."""
    relocated = Path(work) / "yolo-cam"
    parts.relocate(program, relocated, RUNPATH)
    texts = {"README.txt": README.format(version=version, torch=torch)}
    texts.update({f"licenses/{name}": text for name, text in parts.licences().items()})
    texts.update({f"share/{path}": text for path, text in parts.share(program).items()})
    content = {path: (text.encode(), 0o644) for path, text in texts.items()}
    content["bin/yolo-cam"] = (relocated.read_bytes(), 0o755)
    return content


def pack(content, root):
    """A .tar.gz with all in the folder `root`."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", 0))
    packed = io.BytesIO()
    # Neither the time nor the name of a file of ours.
    with gzip.GzipFile("", "wb", fileobj=packed, mtime=moment) as stream:
        with tarfile.open(mode="w", fileobj=stream, format=tarfile.PAX_FORMAT) as archive:
            for path, (data, mode) in sorted(content.items()):
                entry = tarfile.TarInfo(f"{root}/{path}")
                entry.size, entry.mode, entry.mtime = len(data), mode, moment
                archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def write(path, data):
    """Writes the archive, and its sum as `sha256sum --check` reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, target = Path(sys.argv[1]), Path(sys.argv[2])
    version, torch = parts.check_version(program), parts.torch_version(program)
    host = re.search(r"^host: (.+)$", parts.say("rustc", "-vV"), re.MULTILINE).group(1)
    root = f"yolo-cam-{version}-{host}"
    with tempfile.TemporaryDirectory() as work:
        data = pack(files(program, version, torch, work), root)
    path = target / f"{root}.tar.gz"
    write(path, data)
    print(f"{path}: {len(data) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
