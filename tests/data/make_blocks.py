"""Makes, beside this file,

- blocks.pt and blocks.npz: a small detector with random weights of the blocks that few models use, and what PyTorch
  computes with it. Heads in descending order of stride, fp16, not fused.
- three.pt: three layers whose every value can be worked out by hand. In each cell of 8x8 pixels the channels are the mean
  of red and that of green; the logit of class 0 is 2 red - green, that of class 1 is -9, objectness 2, and the box the
  cell itself.

    PYTHONPATH=/path/to/yolov5-7.0 python3 make_blocks.py

Needs PyTorch, numpy and a checkout of Ultralytics' YOLOv5 v7.0.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.common import C3SPP, C3x, Concat, Contract, Conv, CrossConv, DWConvTranspose2d, Expand
from models.experimental import MixConv2d, Sum
from models.yolo import Detect, DetectionModel

HEIGHT, WIDTH = 64, 96
STRIDES = [16, 8]
ANCHORS = [[30, 20, 40, 60, 80, 50], [10, 13, 16, 30, 33, 23]]


def as_v5(block):
    """MixConv2d of YOLOv5 v5.0: another activation, and its input added."""
    block.act = nn.LeakyReLU(0.1, inplace=True)
    later = MixConv2d.forward
    MixConv2d.forward = lambda self, x: (x if isinstance(self.act, nn.LeakyReLU) else 0) + later(self, x)
    return block


def with_sync_norm(block):
    """As training on several GPUs with --sync-bn leaves it."""
    block.bn = nn.SyncBatchNorm(block.bn.num_features)
    return block


def layers():
    """(from, module); the strides in front."""
    return [
        (-1, Conv(3, 8, 6, 2, 2)),  # 2
        (-1, Conv(8, 16, 3, 2, act=nn.Hardswish())),  # 4
        (-1, C3x(16, 16, 1)),
        (-1, CrossConv(16, 16, 3, 1, shortcut=True)),
        (-1, Conv(16, 16, 3, 2, act=nn.ReLU())),  # 8
        (-1, MixConv2d(16, 16, (1, 3))),
        (-1, C3SPP(16, 16)),
        (-1, as_v5(MixConv2d(16, 16, (3, 5)))),
        (-1, Contract(2)),  # 16
        (-1, Conv(64, 16, 1, act=nn.Mish())),
        (-1, Expand(2)),  # 8
        (-1, Conv(4, 16, 1, act=nn.ReLU6())),
        ([7, 11, 5], Sum(3, weight=True)),
        (-1, with_sync_norm(Conv(16, 16, 3, 2))),  # 16
        (-1, DWConvTranspose2d(16, 16, 4, 2, 1)),  # 8
        (13, nn.ConvTranspose2d(16, 16, 3, 2, 1, 1)),
        ([14, 15], Sum(2)),
        (-1, nn.BatchNorm2d(16)),
        (13, nn.Upsample(None, 2, "bilinear")),
        ([17, 18, 12], Concat(1)),
        (-1, nn.ZeroPad2d([0, 0, 0, 0])),
        (-1, Conv(48, 16, 3, act=False)),
        ([13, 21], Detect(2, ANCHORS, [16, 16])),
    ]


def three_layers():
    mean = nn.Conv2d(3, 2, 8, 8, bias=False)
    mean.weight.data.zero_()
    mean.weight.data[0, 0] = mean.weight.data[1, 1] = 1 / 64
    detect = Detect(2, [[8, 8]], [2])
    detect.m[0].weight.data.zero_()
    detect.m[0].weight.data[5, :, 0, 0] = torch.tensor([2.0, -1.0])
    detect.m[0].bias.data = torch.tensor([0.0, 0, 0, 0, 2, 0, -9])
    return [(-1, mean), (-1, nn.ReLU(inplace=True)), ([1], detect)]


def network(blocks, strides):
    model = DetectionModel.__new__(DetectionModel)
    nn.Module.__init__(model)
    for index, (origin, block) in enumerate(blocks):
        block.i, block.f, block.type, block.np = index, origin, type(block).__name__, 0
    model.model = nn.Sequential(*(block for _, block in blocks))
    model.save = list(range(len(blocks)))
    model.names = {0: "bolt", 1: "nut"}
    model.yaml, model.inplace = {}, True
    detect = model.model[-1]
    detect.stride = model.stride = torch.tensor([float(stride) for stride in strides])
    detect.anchors /= detect.stride.view(-1, 1, 1)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            module.eps = 1e-3
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.2, 1.5)
    return model


def pattern(height, width):
    c, y, x = np.ogrid[:3, :height, :width]
    return (((37 * c + 3 * y + 5 * x + x * y // 16) % 256) / 255).astype(np.float32)[None]


def main():
    torch.manual_seed(0)
    folder = Path(__file__).parent
    torch.save({"model": network(three_layers(), [8]).eval()}, folder / "three.pt")
    model = network(layers(), STRIDES).eval().half()
    torch.save({"epoch": -1, "ema": None, "model": model}, folder / "blocks.pt")
    model.float()
    with torch.no_grad():
        pred, heads = model(torch.from_numpy(pattern(HEIGHT, WIDTH)))
    figures = {"pred": pred.numpy()}
    for index, head in enumerate(heads):
        n, anchors, h, w, channels = head.shape
        figures[f"head{index}"] = head.permute(0, 1, 4, 2, 3).reshape(n, anchors * channels, h, w).numpy()
    assert all(np.isfinite(values).all() and values.std() > 0.01 for values in figures.values())
    np.savez_compressed(folder / "blocks.npz", **figures)


main()
