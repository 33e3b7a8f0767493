"""Makes zoo/NAME.npz beside this file: what PyTorch computes, by the code of the repository that trained it, with one of the model files
of strangers that tests find where YOLO_CAM_MATERIAL points (zoo/ there; the files themselves are not in the repository).

    python3 make_zoo_lite.py /path/to/material 31-lite-s-sadi /path/to/YOLOv5-Lite
    python3 make_zoo_lite.py /path/to/material 33-lite-e-coco /path/to/YOLOv5-Lite
    python3 make_zoo_lite.py /path/to/material 37-face-cnplate /path/to/Chinese_license_plate_detection_recognition
    python3 make_zoo_lite.py /path/to/material 38-face-n05 /path/to/yolov5-face

Needs PyTorch, numpy and a checkout of that repository: github.com/ppogg/YOLOv5-Lite, we0091234/Chinese_license_plate_detection_recognition,
deepcam-cn/yolov5-face. It runs code of both the repository and the model file.

Arrays: `pred` [n, values], rows of the decoded output for the pattern of tests/data/README.md at 192x256; `rows` [n], their places in it.
"""

import sys
from pathlib import Path

import numpy as np
import torch

HEIGHT, WIDTH = 192, 256
ROWS = 120
# Values in a file: 30 kB of numbers that do not compress.
VALUES = 6000


def pattern(height, width):
    c, y, x = np.ogrid[:3, :height, :width]
    return (((37 * c + 3 * y + 5 * x + x * y // 16) % 256) / 255).astype(np.float32)[None]


def main():
    material, name, checkout = sys.argv[1:]
    sys.path.insert(0, checkout)
    checkpoint = torch.load(Path(material) / "zoo" / f"{name}.pt", map_location="cpu", weights_only=False)
    model = checkpoint["model"].float().eval()
    with torch.no_grad():
        pred = model(torch.from_numpy(pattern(HEIGHT, WIDTH)))[0][0].numpy()
    assert np.isfinite(pred).all()
    # Some of all levels, and those of most confidence.
    count = min(ROWS, VALUES // pred.shape[1])
    best = np.argsort(-pred[:, 4])[: count // 4]
    spread = np.linspace(0, len(pred) - 1, count - len(best)).astype(int)
    rows = np.unique(np.concatenate([best, spread]))
    folder = Path(__file__).parent / "zoo"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", pred=pred[rows], rows=rows.astype(np.int64))


main()
