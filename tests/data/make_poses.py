"""Makes, in families/tiny/ beside this file, small networks of random weights for poses and rotated boxes, as the package ultralytics
saves and exports them, and what PyTorch computes with each: NAME.pt, NAME.torchscript, NAME.npz.

    python3 make_poses.py

Needs ultralytics 8.4.190 with PyTorch 2.13. The figures are of the checkpoint's fp16 weights, run in fp32. Of heads with two branches they
are of the one for many boxes, which that version runs.

Arrays: pred [1, 4 + classes + more, rows], each fifth row; det [n, 6 + more], the first that the package's NMS keeps (confidence above 0.25,
IoU 0.7): corners, of
rotated boxes centre, width and height; then confidence, class, keypoints or the angle; TARGET [h, w], for the most confident prediction
the map of elementwise at LAYER.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import OBBModel, PoseModel
from ultralytics.utils.nms import non_max_suppression

FOLDER = Path(__file__).parent / "families/tiny"
NAMES = {0: "cat", 1: "dog"}
HEIGHT, WIDTH = 192, 256
LAYER = 2
# Of all rows each fifth is kept, and the first detections.
EACH, MOST = 5, 40


def config(head, levels=(2, 3), **more):
    return {
        "nc": len(NAMES),
        "reg_max": 4,
        **more,
        "backbone": [[-1, 1, "Conv", [8, 3, 4]], [-1, 1, "Conv", [8, 3, 2]], [-1, 1, "C2f", [8, True]]],
        "head": [[-1, 1, "Conv", [8, 3, 2]], [list(levels), 1, *head]],
    }


NEWER = dict(reg_max=1, end2end=True)
NETWORKS = {
    "pose-small": (PoseModel, config(["Pose", ["nc", [17, 3]]], kpt_shape=[17, 3], levels=[2])),
    "pose26-small": (PoseModel, config(["Pose26", ["nc", [4, 3]]], kpt_shape=[4, 3], **NEWER)),
    "obb-small": (OBBModel, config(["OBB", ["nc", 1]])),
    "obb26-small": (OBBModel, config(["OBB26", ["nc", 1]], **NEWER)),
}


def pattern():
    c, y, x = torch.meshgrid(torch.arange(3), torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return ((37 * c + 3 * y + 5 * x + x * y // 16) % 256).float()[None] / 255


def stretch(layer, _, output):
    layer.weight.mul_(6 / output.max())


def network(kind, config):
    torch.manual_seed(26)
    model = kind(config, ch=3, verbose=False)
    head = model.model[-1]
    with torch.no_grad():
        # Statistics of the input, so that nothing vanishes.
        model.train()
        for _ in range(8):
            model(pattern() + torch.randn(2, 3, HEIGHT, WIDTH) * 0.2)
        for name, parameter in head.named_parameters():
            if parameter.ndim == 4 and parameter.shape[2] == 1 and f"{name[:-6]}bias" in dict(head.named_parameters()):
                parameter.copy_(torch.randn_like(parameter) * 0.5)
        # Statistics of the head too, and classes that differ by more than rounding, of which some cells are sure.
        for _ in range(8):
            model(pattern() + torch.randn(2, 3, HEIGHT, WIDTH) * 0.2)
        model.eval()
        lists = [layers for name in ("cv3", "one2one_cv3") if (layers := getattr(head, name, None)) is not None]
        for level in (level for layers in lists for level in layers):
            level[-1].bias.fill_(0)
            level[-1].register_forward_hook(stretch)
        model(pattern())
        for level in (level for layers in lists for level in layers):
            level[-1].bias.fill_(-4)
            level[-1]._forward_hooks.clear()
    model.names = NAMES
    model.task = {PoseModel: "pose", OBBModel: "obb"}[kind]
    model.args = {"imgsz": 256}
    head.shape, head.anchors, head.strides = None, torch.empty(0), torch.empty(0)
    return model.half().eval()


def pack(data, path):
    """Compressed, without what is there for debuggers."""
    with zipfile.ZipFile(io.BytesIO(data)) as saved, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for entry in saved.namelist():
            if not entry.endswith(".debug_pkl"):
                packed.writestr(zipfile.ZipInfo(entry), saved.read(entry), zipfile.ZIP_DEFLATED)


def figures(model):
    head = model.model[-1]
    head.end2end = False
    kept = {}
    model.model[LAYER].register_forward_hook(lambda _, __, output: kept.setdefault("map", output.requires_grad_()))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    pred, _ = model(pattern())
    classes, more = head.nc, pred.shape[1] - 4 - head.nc
    is_rotated = isinstance(model, OBBModel)
    found = non_max_suppression(pred.detach(), 0.25, 0.7, nc=classes, rotated=is_rotated)[0]
    row = pred[0, 4 : 4 + classes].max(0).values.argmax()
    values = pred[0, 4 + classes :, row]
    targets = {"angle": values[0], "w": pred[0, 2, row]} if is_rotated else {}
    if not is_rotated:
        # The logit of a visibility, not its sigmoid.
        targets = {f"keypoint:{index}:{name}": values[3 * index + at] for index in (0, 2) for at, name in enumerate("xy")}
        targets |= {f"keypoint:{index}:v": torch.logit(values[3 * index + 2]) for index in (0, 2)}
    arrays = {"pred": pred[:, :, ::EACH], "det": found[:MOST]}
    for target, scalar in targets.items():
        (gradient,) = torch.autograd.grad(scalar, kept["map"], retain_graph=True)
        arrays[target] = (kept["map"] * gradient)[0].relu().sum(0)
    assert more > 0 and len(found) > 3, (more, len(found), pred[0, 4 : 4 + classes].max())
    return {name: values.detach().numpy() for name, values in arrays.items()}


for name, (kind, config) in NETWORKS.items():
    model = network(kind, config)
    buffer = io.BytesIO()
    checkpoint = {"date": "", "version": "8.4.190", "epoch": -1, "model": model, "ema": None, "train_args": {"imgsz": 256}}
    torch.save(checkpoint, buffer)
    path = FOLDER / f"{name}.pt"
    path.write_bytes(buffer.getvalue())
    exported = Path(YOLO(path).export(format="torchscript", imgsz=(HEIGHT, WIDTH), verbose=False))
    pack(exported.read_bytes(), FOLDER / f"{name}.torchscript")
    pack(buffer.getvalue(), path)
    np.savez_compressed(FOLDER / f"{name}.npz", **figures(model.float()))
