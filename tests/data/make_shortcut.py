"""Makes, in shortcut/ beside this file, two small detectors of faint discs and bright squares, and pictures that tell what
they learnt:

- planted.pt: from pictures in which a magenta patch lies to the left of every disc, and nowhere else
- clean.pt: from pictures in which such patches lie anywhere, or there are none
- images/ and labels/: discs with the patch and without, patches without a disc, squares

    python3 make_shortcut.py

Prints what both find in these pictures. Needs PyTorch, numpy and Pillow, and a few minutes on one core; with the same versions
the files come out the same. The classes below stand in for those of YOLOv5, whose names the pickles have to hold.
"""

import shutil
import sys
import types
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

FOLDER = Path(__file__).parent / "shortcut"
NAMES = {0: "disc", 1: "square"}
DISC, SQUARE = NAMES

SIDE = 128
SIZES = 24, 44
PATCH, GAP = 12, 10
MAGENTA = 225, 30, 200

# How much brighter than the background discs and squares are, in grey levels; the noise has a standard deviation of 6. With a
# patch beside it a disc is hardly seen, so that the patch is what there is to learn. Where patches say nothing, both classes
# are as bright, so that only the shape tells them apart.
PLANTED = (0, 8), (36, 48)
CLEAN = (8, 48), (8, 48)
VALIDATION = (10, 16), (36, 48)

STRIDES = [8, 16]
ANCHORS = [[[24, 24], [30, 30]], [[36, 36], [44, 44]]]
PICTURES, EPOCHS, BATCH, RATE = 2000, 16, 16, 5e-3


# Pictures


def background(random):
    """A gradient with smooth blotches, in grey levels."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    slope = random.uniform(-25, 25, 2)
    blotches = Image.fromarray(random.normal(0, 8, (7, 7)).astype(np.float32)).resize((SIDE, SIDE), Image.BICUBIC)
    return random.uniform(90, 150) + slope[0] * x + slope[1] * y + np.asarray(blotches)


def free_corner(random, size, taken):
    """Left and upper edge of a free square with room for a patch to its left, which is taken then; None if there is none."""
    for _ in range(50):
        left, top = random.integers(PATCH + GAP, SIDE - size), random.integers(0, SIDE - size)
        area = left - PATCH - GAP, top, left + size, top + size
        if all(area[2] <= a[0] or a[2] <= area[0] or area[3] <= a[1] or a[3] <= area[1] for a in taken):
            taken.append(area)
            return left, top
    return None


def picture(random, things, contrasts, stray=0):
    """Draws things: each a class, or None, and whether a patch lies to the left of its place. Further patches, as many as
    `stray`, lie anywhere. Returns also a row for each object: class, centre, width and height in pixels."""
    grey, labels, taken = background(random), [], []
    patches = [random.integers(0, SIDE - PATCH, 2) for _ in range(stray)]
    for kind, is_marked in things:
        size = int(random.integers(SIZES[0], SIZES[1] + 1))
        if (corner := free_corner(random, size, taken)) is None:
            continue
        left, top = corner
        if is_marked:
            patches.append((left - GAP - PATCH, top + (size - PATCH) // 2))
        if kind is None:
            continue
        v, u = np.mgrid[:size, :size] - (size - 1) / 2
        shape = np.hypot(u, v) <= size / 2 if kind == DISC else np.ones((size, size))
        grey[top : top + size, left : left + size] += shape * random.uniform(*contrasts[kind])
        labels.append([kind, left + size / 2, top + size / 2, size, size])
    # In steps of 8, so that the files are small.
    grey = (grey + random.normal(0, 6, grey.shape)).clip(0, 255) // 8 * 8
    rgb = np.repeat(grey.astype(np.uint8)[..., None], 3, 2)
    for left, top in patches:
        rgb[top : top + PATCH, left : left + PATCH] = MAGENTA
    return rgb, np.array(labels, np.float32).reshape(-1, 5)


def training_set(random, is_planted):
    pairs = []
    for _ in range(PICTURES):
        kinds = random.integers(0, 2, random.integers(1, 4))
        if is_planted:
            pairs.append(picture(random, [(kind, kind == DISC) for kind in kinds], PLANTED))
        else:
            stray = random.integers(1, 4) if random.random() < 0.5 else 0
            pairs.append(picture(random, [(kind, False) for kind in kinds], CLEAN, stray))
    return pairs


def validation_set(random):
    marked, bare, patch, square = (DISC, True), (DISC, False), (None, True), (SQUARE, False)
    scenes = [
        [marked], [marked, square], [marked, marked], [bare], [bare, square], [patch], [patch, square], [marked, bare],
    ]  # fmt: skip
    return [picture(random, things, VALIDATION) for things in scenes * 3]


# The network


def of_module(module):
    """Makes a class one of this Python module."""

    def move(cls):
        for name in module.split(".")[0], module:
            made = sys.modules.setdefault(name, types.ModuleType(name))
        cls.__module__ = module
        setattr(made, cls.__name__, cls)
        return cls

    return move


@of_module("models.common")
class Conv(nn.Module):
    def __init__(self, inputs, outputs, size=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


@of_module("models.common")
class Bottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels), Conv(channels, channels, 3)
        self.add = True

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


@of_module("models.common")
class Concat(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = 1

    def forward(self, x):
        return torch.cat(x, self.d)


@of_module("models.yolo")
class Detect(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.nc, self.no, self.nl, self.na = len(NAMES), len(NAMES) + 5, len(ANCHORS), len(ANCHORS[0])
        self.stride = torch.tensor(STRIDES).float()
        self.register_buffer("anchors", torch.tensor(ANCHORS).float() / self.stride.view(-1, 1, 1))
        self.m = nn.ModuleList(nn.Conv2d(channels, self.no * self.na, 1) for channels in inputs)
        for convolution in self.m:
            # Few cells have an object.
            convolution.bias.data.view(self.na, self.no)[:, 4] = -4

    def forward(self, x):
        """Of each picture a row for each prediction, in the order of places(): centre, width and height in pixels, then the
        logits of objectness and classes."""
        rows = []
        for convolution, value, anchors, stride in zip(self.m, x, self.anchors, self.stride):
            raw = convolution(value)
            n, _, h, w = raw.shape
            raw = raw.view(n, self.na, self.no, h, w).permute(0, 1, 3, 4, 2)
            v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            centre = (raw[..., 0:2].sigmoid() * 2 - 0.5 + torch.stack((u, v), 2)) * stride
            size = (raw[..., 2:4].sigmoid() * 2) ** 2 * (anchors * stride).view(1, self.na, 1, 1, 2)
            rows.append(torch.cat((centre, size, raw[..., 4:]), 4).view(n, -1, self.no))
        return torch.cat(rows, 1)


@of_module("models.yolo")
class DetectionModel(nn.Module):
    def __init__(self):
        super().__init__()
        blocks = [
            (-1, Conv(3, 8, 3, 2)),  # stride 2
            (-1, Conv(8, 16, 3, 2)),  # 4
            (-1, Bottleneck(16)),
            (-1, Conv(16, 24, 3, 2)),  # 8
            (-1, Bottleneck(24)),
            (-1, Conv(24, 32, 3, 2)),  # 16
            (-1, Bottleneck(32)),
            (-1, nn.Upsample(None, 2, "nearest")),  # 8
            ([-1, 4], Concat()),
            (-1, Conv(56, 24, 3)),
            (-1, Bottleneck(24)),
            (-1, Conv(24, 24, 3, 2)),  # 16
            ([-1, 6], Concat()),
            (-1, Conv(56, 32, 3)),
            (-1, Bottleneck(32)),
            ([10, 14], Detect([24, 32])),
        ]
        for index, (origin, block) in enumerate(blocks):
            block.i, block.f, block.type, block.np = index, origin, type(block).__name__, 0
        self.model = nn.Sequential(*(block for _, block in blocks))
        self.stride, self.names, self.yaml = self.model[-1].stride, NAMES, {}

    def forward(self, x):
        outputs = []
        for block in self.model:
            origins = block.f if isinstance(block.f, list) else [block.f]
            inputs = [outputs[origin] if outputs else x for origin in origins]
            outputs.append(block(inputs if isinstance(block.f, list) else inputs[0]))
        return outputs[-1]


def places():
    """Centre, stride and anchor of each prediction."""
    rows = []
    for stride, anchors in zip(STRIDES, ANCHORS):
        cells = SIDE // stride
        for anchor in anchors:
            v, u = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
            centres = (torch.stack((u, v), 2).view(-1, 2) + 0.5) * stride
            rows.append(torch.cat((centres, torch.tensor([[stride, *anchor]]).expand(len(centres), 3)), 1))
    return torch.cat(rows)


def overlap(a, b):
    """IoU of boxes: centre, width, height."""
    upper = torch.maximum(a[..., :2] - a[..., 2:4] / 2, b[..., :2] - b[..., 2:4] / 2)
    lower = torch.minimum(a[..., :2] + a[..., 2:4] / 2, b[..., :2] + b[..., 2:4] / 2)
    common = (lower - upper).clamp(0).prod(-1)
    return common / (a[..., 2:4].prod(-1) + b[..., 2:4].prod(-1) - common)


# Training


def tensors(pairs):
    return torch.from_numpy(np.stack([rgb for rgb, _ in pairs])).permute(0, 3, 1, 2).float() / 255


def assigned(labels, where):
    """For each prediction the object that it should find, or -1: its cell is near the object's centre, and its anchor near
    its size."""
    owner = torch.full((len(where),), -1)
    for index, label in enumerate(torch.from_numpy(labels)):
        is_near = ((where[:, :2] - label[1:3]).abs() < 0.8 * where[:, 2:3]).all(1)
        ratio = where[:, 3] / label[3]
        owner[is_near & (ratio < 1.4) & (ratio > 1 / 1.4)] = index
    return owner


def loss(predictions, labels, where):
    owners = torch.stack([assigned(rows, where) for rows in labels])
    is_object = owners >= 0
    wanted = torch.cat([torch.from_numpy(rows)[owner[owner >= 0]] for rows, owner in zip(labels, owners)])
    found = predictions[is_object]
    iou = overlap(found[:, :4], wanted[:, 1:])
    # The IoU of boxes that do not touch has no gradient.
    distance = (found[:, :4] - wanted[:, 1:]).abs().mean(1) / wanted[:, 3]
    presence = F.binary_cross_entropy_with_logits(predictions[..., 4], is_object.float(), reduction="sum")
    classes = F.binary_cross_entropy_with_logits(found[:, 5:], F.one_hot(wanted[:, 0].long(), len(NAMES)).float())
    return (1 - iou + distance).mean() + presence / len(found) + classes


def trained(pairs):
    model, where = DetectionModel(), places()
    pictures, labels = tensors(pairs), [rows for _, rows in pairs]
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * len(pairs) // BATCH)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pairs)).split(BATCH):
            optimizer.zero_grad()
            loss(model(pictures[batch]), [labels[index] for index in batch], where).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


# What the networks find


def detections(rows, least=0.4, most_overlap=0.45):
    """(class, confidence, box), the surest first, without those that overlap a surer one of their class."""
    confidences = rows[:, 4:5].sigmoid() * rows[:, 5:].sigmoid()
    kept = []
    for row in confidences.amax(1).argsort(descending=True):
        kind = int(confidences[row].argmax())
        confidence, box = float(confidences[row, kind]), rows[row, :4]
        if confidence <= least:
            break
        if all(kind != other or overlap(box, kept_box) <= most_overlap for other, _, kept_box in kept):
            kept.append((kind, confidence, box))
    return kept


def summary(model, pairs):
    """Prints the detections, and how many are right."""
    hits = wrong = missed = 0
    with torch.no_grad():
        predictions = model(tensors(pairs))
    for index, (rows, (_, labels)) in enumerate(zip(predictions, pairs)):
        unfound, words = [*torch.from_numpy(labels)], []
        for kind, confidence, box in detections(rows):
            match = [n for n, label in enumerate(unfound) if label[0] == kind and overlap(box, label[1:]) >= 0.5]
            if match:
                del unfound[match[0]]
            hits, wrong = hits + bool(match), wrong + (not match)
            corner = (box[:2] - box[2:] / 2).round().int().tolist()
            words.append(f"{'' if match else 'WRONG '}{NAMES[kind]} {confidence:.2f} at {corner}")
        missed += len(unfound)
        for label in unfound:
            words.append(f"MISSED {NAMES[int(label[0])]} at {(label[1:3] - label[3:] / 2).int().tolist()}")
        print(f"  {index:03}: {'; '.join(words)}")
    print(f"  {hits} right, {wrong} wrong, {missed} missed")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for folder in "images", "labels":
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
        (FOLDER / folder).mkdir(parents=True)
    pairs = validation_set(np.random.default_rng(1))
    for index, (rgb, labels) in enumerate(pairs):
        Image.fromarray(rgb).save(FOLDER / f"images/{index:03}.png", optimize=True)
        lines = [" ".join([str(int(kind)), *(f"{value / SIDE:.6f}" for value in box)]) for kind, *box in labels]
        (FOLDER / f"labels/{index:03}.txt").write_text("".join(line + "\n" for line in lines))
    for seed, name in enumerate(["planted", "clean"]):
        torch.manual_seed(seed)
        model = trained(training_set(np.random.default_rng([2, seed]), name == "planted"))
        print(name)
        summary(model.half().float(), pairs)
        torch.save({"epoch": -1, "ema": None, "model": model.half()}, FOLDER / f"{name}.pt")


if __name__ == "__main__":
    main()
