#!/usr/bin/env python3
"""Lays out what the fuzz targets start from: fuzz_seeds.py TESTDATA FOLDER makes FOLDER/TARGET/* for each target."""

import json
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

    category = {"id": 1, "name": "cat"}
    image = {"id": 7, "file_name": "a\\picture.jpg", "width": 200, "height": 100}
    annotation = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3.5, 4], "iscrowd": False}
    coco = {"images": [image], "annotations": [annotation], "categories": [category]}
    seed("labels", "coco", json.dumps(coco).encode())
    seed("labels", "yolo", b"0 0.5 0.5 0.2 0.4\n1 0.1 0.2 0.4 0.9 0.3 0.1\n")


main()
