#!/usr/bin/env python3
"""Makes tiff/*.tif, each of a kind of its own, and beside each the pixels that OpenCV reads: make_tiffs.py.

Needs numpy, tifffile, imagecodecs and opencv-python-headless 4.11. Our own, under the licence of the project.
"""

from pathlib import Path

import cv2
import numpy as np
import tifffile

FOLDER = Path(__file__).parent / "tiff"


def main():
    y, x = np.mgrid[0:24, 0:40]
    rgb = np.stack([x * 6, y * 10, x * y % 256], 2).astype(np.uint8)
    grey = (x * 1600 + y).astype(np.uint16)
    colors = np.random.default_rng(0).integers(0, 65536, (3, 256)).astype(np.uint16)
    palette = dict(photometric="palette", colormap=colors)
    kinds = {
        "palette": (rgb[..., 0], palette),
        "palette-upside-down": (rgb[..., 0], palette | dict(extratags=[(274, 3, 1, 3, True)])),
        "bigtiff": (rgb, dict(photometric="rgb", bigtiff=True, byteorder=">")),
        "signed": ((grey.astype(np.int32) - 20000).astype(np.int16), dict(photometric="minisblack")),
        "cielab": (rgb, dict(photometric="cielab")),
        "ycbcr-tiles": (rgb, dict(photometric="ycbcr", compression="jpeg", tile=(16, 16))),
        "planes": (np.moveaxis(rgb, 2, 0), dict(photometric="rgb", planarconfig="separate")),
    }
    for name, (samples, options) in kinds.items():
        file = FOLDER / f"{name}.tif"
        tifffile.imwrite(file, samples, metadata=None, software=None, **options)
        cv2.imwrite(str(file.with_suffix(".png")), cv2.imread(str(file), cv2.IMREAD_COLOR))


main()
