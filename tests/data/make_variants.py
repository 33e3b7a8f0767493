"""Makes, in variants/ beside this file, small checkpoints in which sound files differ from those that YOLOv5 v7.0 writes by
itself, and figures.npz: what PyTorch computes with them. Weights are random.

    python3 make_variants.py

Needs PyTorch and numpy. The classes below stand in for those of YOLOv5, whose names the pickles have to hold.
"""

import sys
import types
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

FOLDER = Path(__file__).parent / "variants"
SIDE = 64
STRIDES = [8.0, 16.0]
ANCHORS = [[[10, 14], [23, 27]], [[37, 58], [81, 82]]]


def of_module(module):
    """Makes a class one of this Python module."""

    def place(cls):
        for name in module.split(".")[0], module:
            made = sys.modules.setdefault(name, types.ModuleType(name))
        cls.__module__ = module
        setattr(made, cls.__name__, cls)
        return cls

    return place


@of_module("models.common")
class Conv(nn.Module):
    def __init__(self, inputs, outputs, size, act):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, size, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = act

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


@of_module("models.common")
class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = 1

    def forward(self, x):
        return torch.cat(x, self.d)


@of_module("utils.activations")
class FReLU(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.max(x, self.bn(self.conv(x)))


@of_module("utils.activations")
class AconC(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.p1, self.p2 = (nn.Parameter(torch.randn(1, channels, 1, 1)) for _ in range(2))
        self.beta = nn.Parameter(torch.rand(1, channels, 1, 1) + 0.5)

    def forward(self, x):
        difference = (self.p1 - self.p2) * x
        return difference * torch.sigmoid(self.beta * difference) + self.p2 * x


@of_module("utils.activations")
class MetaAconC(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.p1, self.p2 = (nn.Parameter(torch.randn(1, channels, 1, 1)) for _ in range(2))
        self.fc1, self.fc2 = (nn.Conv2d(channels, channels, 1) for _ in range(2))

    def forward(self, x):
        beta = torch.sigmoid(self.fc2(self.fc1(x.mean((2, 3), keepdim=True))))
        difference = (self.p1 - self.p2) * x
        return difference * torch.sigmoid(beta * difference) + self.p2 * x


@of_module("models.yolo")
class Detect(nn.Module):
    def __init__(self, classes, inputs, strides, anchors):
        super().__init__()
        self.nc, self.no, self.nl, self.na = classes, classes + 5, len(anchors), len(anchors[0])
        self.stride = torch.tensor(strides)
        self.register_buffer("anchors", torch.tensor(anchors).float() / self.stride.view(-1, 1, 1))
        self.m = nn.ModuleList(nn.Conv2d(channels, self.no * self.na, 1) for channels in inputs)

    def sizes(self, head):
        """Of the anchors, in pixels. Up to v5.0 there is a buffer for them, which counts."""
        if hasattr(self, "anchor_grid"):
            return self.anchor_grid[head]
        return (self.anchors[head] * self.stride[head]).view(1, self.na, 1, 1, 2)

    def forward(self, x):
        """The raw heads, and centre, width, height, objectness and classes of each prediction."""
        raw = [convolution(value) for convolution, value in zip(self.m, x)]
        rows = []
        for head, value in enumerate(raw):
            n, _, h, w = value.shape
            y = value.view(n, self.na, self.no, h, w).permute(0, 1, 3, 4, 2).sigmoid()
            v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack((u, v), 2).float() - 0.5
            y[..., 0:2] = (y[..., 0:2] * 2 + grid) * self.stride[head]
            y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * self.sizes(head)
            rows.append(y.reshape(n, -1, self.no))
        return raw, torch.cat(rows, 1)


@of_module("models.yolo")
class Model(nn.Module):
    def __init__(self, blocks, classes, names):
        super().__init__()
        for index, (origin, block) in enumerate(blocks):
            block.i, block.f = index, origin
        self.model = nn.Sequential(*(block for _, block in blocks))
        self.nc, self.names = classes, names

    def forward(self, x):
        outputs = []
        for block in self.model:
            origin = block.f
            x = [outputs[index] for index in origin] if isinstance(origin, list) else x if origin == -1 else outputs[origin]
            x = block(x)
            outputs.append(x)
        return x


@of_module("models.experimental")
class Ensemble(nn.ModuleList):
    pass


def pattern(channels=3):
    c, y, x = np.ogrid[:channels, :SIDE, :SIDE]
    return torch.from_numpy((((37 * c + 3 * y + 5 * x + x * y // 16) % 256) / 255).astype(np.float32)[None])


def settled(model, channels=3):
    """With statistics of the pattern, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.normal_(module.bias, 0, 0.5)
            nn.init.uniform_(module.weight, 1, 3)
    with torch.no_grad():
        model.train()(pattern(channels))
    return model.eval()


def plain(classes=2, channels=3, names=("bolt", "nut")):
    """Two blocks and a head behind each."""
    blocks = [
        (-1, Conv(channels, 6, 8, nn.SiLU())),
        (-1, Conv(6, 8, 2, nn.SiLU())),
        ([0, 1], Detect(classes, [6, 8], STRIDES, ANCHORS)),
    ]
    return settled(Model(blocks, classes, list(names)), channels)


def with_activations():
    """A block for each activation, side by side, so that a mistake in one is seen."""
    channels = 3
    activations = [
        nn.CELU(0.7), nn.ELU(0.6), nn.GELU(), nn.GELU("tanh"), nn.Hardshrink(0.4), nn.Hardsigmoid(), nn.Hardswish(),
        nn.Hardtanh(-0.6, 0.9), nn.LeakyReLU(0.2), nn.LogSigmoid(), nn.Mish(), nn.PReLU(channels), nn.PReLU(), nn.ReLU(),
        nn.ReLU6(), nn.RReLU(0.1, 0.4), nn.SELU(), nn.Sigmoid(), nn.SiLU(), nn.Softplus(1.5, 1.0), nn.Softshrink(0.3),
        nn.Softsign(), nn.Tanh(), nn.Tanhshrink(), nn.Threshold(0.2, -0.5), nn.Identity(),
        FReLU(channels), AconC(channels), MetaAconC(channels),
    ]  # fmt: skip
    stem = Conv(3, 8, 8, nn.SiLU())
    blocks = [(-1, stem)] + [(0, Conv(8, channels, 1, activation)) for activation in activations]
    blocks.append((list(range(1, len(blocks))), Concat()))
    blocks.append(([len(blocks) - 1], Detect(2, [channels * len(activations)], STRIDES[:1], ANCHORS[:1])))
    return settled(Model(blocks, 2, ["bolt", "nut"]))


def pruned():
    model = plain()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            prune.random_unstructured(module, "weight", amount=0.4)
            if module.bias is not None:
                prune.random_unstructured(module, "bias", amount=0.3)
    return model


def with_attributes():
    model = plain()
    for number, tensor in enumerate([*model.parameters(), *model.buffers()]):
        tensor.note = number
    return model


def anchors_reversed():
    """As v5.0 leaves a model whose anchors came in descending order: it reverses both buffers, but has divided one of them
    before."""
    model = plain()
    detect = model.model[-1]
    sizes = torch.tensor(ANCHORS).float().flip(0)
    detect.anchors = (sizes / detect.stride.view(-1, 1, 1)).flip(0)
    detect.register_buffer("anchor_grid", sizes.flip(0).view(2, 1, 2, 1, 1, 2))
    return model


def with_stale_number():
    model = plain()
    model.nc = 80
    return model


def diverged(share):
    model = plain()
    with torch.no_grad():
        for parameter in list(model.parameters())[: None if share == 1 else 1]:
            parameter.fill_(float("nan"))
    return model


def one_class():
    """As training leaves it: the class output says yes, and nothing was learnt by it."""
    model = plain(1, names=["weed"])
    for convolution in model.model[-1].m:
        with torch.no_grad():
            weight, bias = convolution.weight.view(2, 6, -1), convolution.bias.view(2, 6)
            weight[:, 5], bias[:, 5] = 0, 11
            bias[:, 4] = 1
    return model


def main():
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    models = {
        "activations": with_activations(),
        "anchors-reversed": anchors_reversed(),
        "attributes": with_attributes(),
        "one-class": one_class(),
        "pruned": pruned(),
        "stale-number": with_stale_number(),
    }
    figures = {}
    for name, model in models.items():
        torch.save({"model": model}, FOLDER / f"{name}.pt")
        with torch.no_grad():
            raw, rows = model(pattern())
        figures[f"{name}/rows"] = rows.numpy()
        for head, value in enumerate(raw):
            figures[f"{name}/head{head}"] = value.numpy()
    assert all(np.isfinite(values).all() and values.std() > 0.01 for values in figures.values())
    np.savez_compressed(FOLDER / "figures.npz", **figures)

    model = plain()
    for name, content in {
        "compiled": {"model": torch.compile(model)},
        "other-key": {"epoch": 3, "student": {"net": model}},
        "two-keys": {"classifier": nn.Sequential(nn.Conv2d(3, 4, 1)), "student": model, "teacher": plain()},
        "in-a-list": [model],
        "ensemble-of-one": Ensemble([model]),
        "ensemble-of-two": Ensemble([model, plain()]),
        "one-channel": {"model": plain(channels=1)},
        "undefined": {"model": diverged(1)},
        "undefined-first": {"model": diverged(0)},
    }.items():
        torch.save(content, FOLDER / f"{name}.pt")


main()
