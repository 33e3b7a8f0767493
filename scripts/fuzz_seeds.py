#!/usr/bin/env python3
"""Lays out what the fuzz targets start from: fuzz_seeds.py TESTDATA FOLDER makes FOLDER/TARGET/* for each target."""

import sys
import zipfile
from pathlib import Path


def main():
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])

    def seed(target, name, content):
        path = folder / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    checkpoint = data / "blocks.pt"
    seed("archive", checkpoint.stem, checkpoint.read_bytes())
    with zipfile.ZipFile(checkpoint) as archive:
        (pickle,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        seed("pickle", checkpoint.stem, archive.read(pickle))

    script = data / "torchscript/base.torchscript"
    seed("archive", script.stem, script.read_bytes())
    with zipfile.ZipFile(script) as archive:
        # The first byte says what the rest stands for.
        entries = ["code/__torch__/m_00_base.py", "data.pkl", "constants.pkl"]
        for kind, name in enumerate(entries):
            seed("torchscript", f"kind{kind}", bytes([kind]) + archive.read(f"00-base/{name}"))

    for picture in [*data.glob("tiff/*"), *data.glob("*.jpg")]:
        seed("picture", picture.name, picture.read_bytes())


main()
