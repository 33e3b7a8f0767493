"""Makes, in zoo/ beside this file, figures of some checkpoints that strangers trained with forks: a sample of what the fork's
own code computes with each, `pred` [rows, values], with the numbers of those `rows` among all predictions.

The checkpoints are in the folder that YOLO_CAM_MATERIAL names, and none of their weights are here.

    python3 make_zoo.py CHECKPOINTS SOURCES

CHECKPOINTS holds the files, SOURCES a checkout of each repository of the list below, as OWNER+NAME. Needs PyTorch, numpy and
what the forks import.
"""

import subprocess
import sys
from pathlib import Path

FIGURES = {
    "41-v7tiny-p6": "gracaliffo94+yolo_models_rc23",
    "44-pruned-C3": "souvikm99+yoloV5_pruning_BNIEEE",
    "50-v8n-ghost": "ainandafiq55+YOLOv8-GSM",
    "55-11n-pruned": "ImOP12138+yolov11-prune-selfstudy",
}
HEIGHT, WIDTH = 192, 256
ROWS = 96


def pattern(height, width):
    import numpy as np

    c, y, x = np.ogrid[:3, :height, :width]
    return (((37 * c + 3 * y + 5 * x + x * y // 16) % 256) / 255).astype(np.float32)[None]


def compute(checkpoint, source, output):
    """In a process of its own: the forks' modules have the same names."""
    sys.path.insert(0, source)
    import numpy as np
    import torch

    # The forks are older than the default of today, and their files hold whole objects.
    load = torch.load
    torch.load = lambda *arguments, **options: load(*arguments, **{**options, "weights_only": False})
    file = torch.load(checkpoint, map_location="cpu")
    model = (file.get("ema") or file["model"]).float().eval()
    for module in model.modules():
        # Of PyTorch before 1.11.
        if isinstance(module, torch.nn.Upsample) and not hasattr(module, "recompute_scale_factor"):
            module.recompute_scale_factor = None
    with torch.no_grad():
        pred = model(torch.from_numpy(pattern(HEIGHT, WIDTH)))
    pred = (pred[0] if isinstance(pred, (list, tuple)) else pred)[0].numpy()
    # Later networks give a column for each prediction.
    if pred.shape[0] < pred.shape[1]:
        pred = pred.T
    score = pred[:, 4:].max(1)
    spread = np.linspace(0, len(pred) - 1, ROWS // 2).astype(int)
    rows = np.unique(np.concatenate([spread, np.argsort(-score)[: ROWS // 2]]))
    assert np.isfinite(pred).all() and pred.std() > 0.01
    np.savez_compressed(output, pred=pred[rows], rows=rows.astype(np.float32), all=np.float32([len(pred)]))


def main():
    if len(sys.argv) == 5:
        return compute(*sys.argv[2:])
    checkpoints, sources = Path(sys.argv[1]), Path(sys.argv[2])
    folder = Path(__file__).parent / "zoo"
    folder.mkdir(exist_ok=True)
    for name, source in FIGURES.items():
        paths = [checkpoints / f"{name}.pt", sources / source, folder / f"{name}.npz"]
        subprocess.run([sys.executable, __file__, "--compute", *map(str, paths)], check=True)


main()
