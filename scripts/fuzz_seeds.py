#!/usr/bin/env python3
"""Lays out what the fuzz targets start from: fuzz_seeds.py CHECKPOINT FOLDER makes FOLDER/archive and FOLDER/pickle."""

import sys
import zipfile
from pathlib import Path


def main():
    checkpoint, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(checkpoint) as archive:
        (pickle,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        seeds = {"archive": checkpoint.read_bytes(), "pickle": archive.read(pickle)}
    for target, content in seeds.items():
        seed = folder / target / checkpoint.stem
        seed.parent.mkdir(parents=True, exist_ok=True)
        seed.write_bytes(content)


main()
