"""Makes forks/NAME.pt, small detectors with random weights of the blocks of two forks of YOLOv5, and forks/NAME.npz, what PyTorch computes with
them:

- lite: all blocks of YOLOv5-Lite (github.com/ppogg/YOLOv5-Lite) that YOLOv5 does not have. RepVGGBlock as it is trained, with the means of
  its channels, fused, and fused by older code.
- face: all blocks of YOLOv5-face (github.com/deepcam-cn/yolov5-face) that YOLOv5 does not have, and its head with five points; two classes.
- plate: the same head with four points, as forks for licence plates have it; one class.

face.torchscript (figures: trace.npz) is a trace of a shorter network with five points, in which sizes are baked. All archives are packed anew,
compressed.

    python3 make_lite.py

Needs PyTorch and numpy. The classes are written anew here, under the names that files of those repositories have.
"""

import io
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# Higher than wide: the means of SEBlock are taken over squares as wide as the map, and are no means where it is less high.
HEIGHT, WIDTH = 96, 64
STRIDES = [16, 32]
ANCHORS = [[10, 13, 16, 30], [30, 20, 40, 60]]

for name in ["models", "models.common", "models.yolo"]:
    sys.modules[name] = types.ModuleType(name)


def of(module):
    def place(block):
        block.__module__ = module
        setattr(sys.modules[module], block.__name__, block)
        return block

    return place


common, yolo = of("models.common"), of("models.yolo")


def conv_norm(c1, c2, k, s=1, groups=1, bias=False):
    return [nn.Conv2d(c1, c2, k, s, k // 2, groups=groups, bias=bias), nn.BatchNorm2d(c2)]


def by_turns(x):
    # As in the forks: a trace has the sizes as numbers.
    n, c, h, w = x.data.size()
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


@common
class Conv(nn.Module):
    def __init__(self, c1, c2, k=1, s=1):
        super().__init__()
        self.conv, self.bn = conv_norm(c1, c2, k, s)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


@common
class Bottleneck(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cv1, self.cv2, self.add = Conv(c, c), Conv(c, c, 3), True

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


@common
class GhostConv(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.cv1, self.cv2 = Conv(c1, c2 // 2), Conv(c2 // 2, c2 // 2, 3)

    def forward(self, x):
        y = self.cv1(x)
        return torch.cat([y, self.cv2(y)], 1)


@common
class stem(nn.Module):
    def __init__(self, c2):
        super().__init__()
        self.conv = nn.Sequential(*conv_norm(3, c2, 3, 2), nn.ReLU(inplace=True))

    def forward(self, x):
        return self.conv(x)


@common
class conv_bn_relu_maxpool(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.conv = nn.Sequential(*conv_norm(c1, c2, 3, 2), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x):
        return self.maxpool(self.conv(x))


class Shuffled(nn.Module):
    def __init__(self, c1, c2, stride, act):
        super().__init__()
        self.stride = stride
        half = c2 // 2
        if stride > 1:
            self.branch1 = nn.Sequential(*conv_norm(c1, c1, 3, stride, c1), *conv_norm(c1, half, 1), act())
        elif self.keeps_empty_branch:
            self.branch1 = nn.Sequential()
        middle = conv_norm(half, half, 3, stride, half)
        self.branch2 = nn.Sequential(
            *conv_norm(c1 if stride > 1 else half, half, 1), act(), *middle, *conv_norm(half, half, 1), act()
        )

    def forward(self, x):
        if self.stride == 1:
            kept, x = x.chunk(2, dim=1)
            return by_turns(torch.cat((kept, self.branch2(x)), 1))
        return by_turns(torch.cat((self.branch1(x), self.branch2(x)), 1))


@common
class Shuffle_Block(Shuffled):
    keeps_empty_branch = False

    def __init__(self, c1, c2, stride):
        super().__init__(c1, c2, stride, nn.ReLU)


@common
class ShuffleV2Block(Shuffled):
    keeps_empty_branch = True

    def __init__(self, c1, c2, stride):
        super().__init__(c1, c2, stride, nn.SiLU)


@common
class DWConvblock(nn.Module):
    def __init__(self, c1, c2, k, s):
        super().__init__()
        self.p = k // 2
        self.conv1, self.bn1 = conv_norm(c1, c1, k, s, c1)
        self.conv2, self.bn2 = conv_norm(c1, c2, 1)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


@common
class ADD(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.a = a

    def forward(self, x):
        return torch.add(x[0], x[1], alpha=self.a)


@common
class CBH(nn.Module):
    def __init__(self, c1, c2, k, s, groups=1):
        super().__init__()
        self.conv, self.bn = conv_norm(c1, c2, k, s, groups)
        self.hardswish = nn.Hardswish()

    def forward(self, x):
        return self.hardswish(self.bn(self.conv(x)))


class Squeeze(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv1, self.relu, self.conv2 = nn.Conv2d(c, c // 4, 1), nn.ReLU(), nn.Conv2d(c // 4, c, 1)

    def forward(self, x):
        return x * self.last(self.conv2(self.relu(self.conv1(self.avg_pool(x)))))


@common
class LC_SEModule(Squeeze):
    def __init__(self, c):
        super().__init__(c)
        self.SiLU = nn.SiLU()

    def last(self, x):
        return self.SiLU(x)


@common
class ES_SEModule(Squeeze):
    def __init__(self, c):
        super().__init__(c)
        self.hardsigmoid = nn.Hardsigmoid()

    def last(self, x):
        return self.hardsigmoid(x)


@common
class LC_Block(nn.Module):
    def __init__(self, c1, c2, s, k, use_se):
        super().__init__()
        self.use_se = use_se
        self.dw_conv = CBH(c1, c1, k, s, c1)
        if use_se:
            self.se = LC_SEModule(c1)
        self.pw_conv = CBH(c1, c2, 1, 1)

    def forward(self, x):
        x = self.dw_conv(x)
        return self.pw_conv(self.se(x) if self.use_se else x)


@common
class Dense(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.dense_conv, self.hardswish, self.dropout = nn.Conv2d(c1, c2, 1, bias=False), nn.Hardswish(), nn.Dropout(0.2)

    def forward(self, x):
        return self.dropout(self.hardswish(self.dense_conv(x)))


@common
class ES_Bottleneck(nn.Module):
    def __init__(self, c1, c2, stride):
        super().__init__()
        self.stride = stride
        half = c2 // 2
        if stride > 1:
            self.branch1 = nn.Sequential(*conv_norm(c1, c1, 3, 2, c1), *conv_norm(c1, half, 1), nn.Hardswish(inplace=True))
        self.branch2 = nn.Sequential(
            *conv_norm(c1 if stride > 1 else half, half, 1),
            nn.Hardswish(inplace=True),
            *conv_norm(half, half, 3, stride, half),
            ES_SEModule(half),
            *conv_norm(half, half, 1),
            nn.Hardswish(inplace=True),
        )
        self.branch3 = nn.Sequential(
            GhostConv(half, half), ES_SEModule(half), *conv_norm(half, half, 1), nn.Hardswish(inplace=True)
        )
        self.branch4 = nn.Sequential(*conv_norm(c2, c2, 3, 1, c2), *conv_norm(c2, c2, 1), nn.Hardswish(inplace=True))

    def forward(self, x):
        if self.stride == 1:
            kept, x = x.chunk(2, dim=1)
            return by_turns(torch.cat((kept, self.branch3(x)), 1))
        return self.branch4(torch.cat((self.branch1(x), self.branch2(x)), 1))


@common
class SEBlock(nn.Module):
    def __init__(self, c, inner):
        super().__init__()
        self.down, self.up, self.input_channels = nn.Conv2d(c, inner, 1), nn.Conv2d(inner, c, 1), c

    def forward(self, x):
        y = F.relu(self.down(F.avg_pool2d(x, kernel_size=x.size(3))))
        return x * torch.sigmoid(self.up(y)).view(-1, self.input_channels, 1, 1)


@common
class RepVGGBlock(nn.Module):
    def __init__(self, c1, c2, s=1, deploy=False, use_se=False):
        super().__init__()
        self.deploy, self.groups, self.in_channels = deploy, 1, c1
        self.nonlinearity = nn.SiLU()
        self.se = SEBlock(c2, 4) if use_se else nn.Identity()
        if deploy:
            self.rbr_reparam = nn.Conv2d(c1, c2, 3, s, 1)
            return
        named = lambda layers: nn.Sequential(dict_of(conv=layers[0], bn=layers[1]))
        self.rbr_identity = nn.BatchNorm2d(c1) if c1 == c2 and s == 1 else None
        self.rbr_dense, self.rbr_1x1 = named(conv_norm(c1, c2, 3, s)), named(conv_norm(c1, c2, 1, s))

    def as_older_code_fuses(self):
        self.rbr_dense = nn.Conv2d(self.in_channels, self.in_channels, 3, 1, 1)
        del self.rbr_1x1, self.rbr_identity, self.se
        self.deploy = True
        return self

    def forward(self, x):
        if hasattr(self, "rbr_reparam"):
            return self.nonlinearity(self.se(self.rbr_reparam(x)))
        if not hasattr(self, "rbr_1x1"):
            return self.nonlinearity(self.rbr_dense(x))
        same = 0 if self.rbr_identity is None else self.rbr_identity(x)
        return self.nonlinearity(self.se(self.rbr_dense(x) + self.rbr_1x1(x) + same))


def dict_of(**named):
    from collections import OrderedDict

    return OrderedDict(named)


@common
class Hswish(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x):
        return self.relu(x + 3) / 6


@common
class SELayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Linear(c, c // 4), nn.ReLU(inplace=True), nn.Linear(c // 4, c), Hswish())

    def forward(self, x):
        n, c, _, _ = x.size()
        return x * self.fc(self.avg_pool(x).view(n, c)).view(n, c, 1, 1)


@common
class mobilev3_bneck(nn.Module):
    def __init__(self, c1, c2, inner, k, s, use_se, use_hs):
        super().__init__()
        self.identity = s == 1 and c1 == c2
        act = lambda: Hswish() if use_hs else nn.ReLU(inplace=True)
        squeeze = SELayer(inner) if use_se else nn.Sequential()
        depthwise, last = conv_norm(inner, inner, k, s, inner), conv_norm(inner, c2, 1)
        if c1 == inner:
            self.conv = nn.Sequential(*depthwise, act(), squeeze, *last)
        else:
            self.conv = nn.Sequential(*conv_norm(c1, inner, 1), act(), *depthwise, squeeze, act(), *last)

    def forward(self, x):
        return x + self.conv(x) if self.identity else self.conv(x)


@common
class MBConvBlock(nn.Module):
    def __init__(self, c1, c2, k, s):
        super().__init__()
        self._momentum, self._epsilon, self.id_skip = 0.01, 1e-3, True
        self.input_filters, self.output_filters, self.stride = c1, c2, s
        self._depthwise_conv, self._bn1 = conv_norm(c2, c2, k, s, c2)
        self._project_conv, self._bn2 = conv_norm(c2, c2, 1)
        self._relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self._bn2(self._project_conv(self._relu(self._bn1(self._depthwise_conv(x)))))
        return y + x if self.stride == 1 and self.input_filters == self.output_filters else y


@common
class LC3(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.cv1, self.cv2, self.cv3 = Conv(c1, c2 // 2), Conv(c1, c2 // 2), Conv(c2 // 2, c2)
        self.m = nn.Sequential(Bottleneck(c2 // 2))

    def forward(self, x):
        return self.cv3(torch.add(self.m(self.cv1(x)), self.cv2(x)))


@common
class ContextBlock2d(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.inplanes, self.planes, self.pool, self.fusions = c, c // 4, "att", ["channel_add", "channel_mul"]
        self.conv_mask, self.softmax = nn.Conv2d(c, 1, 1), nn.Softmax(dim=2)
        branch = lambda: nn.Sequential(
            nn.Conv2d(c, c // 4, 1), nn.LayerNorm([c // 4, 1, 1]), nn.ReLU(inplace=True), nn.Conv2d(c // 4, c, 1)
        )
        self.channel_add_conv, self.channel_mul_conv = branch(), branch()

    def forward(self, x):
        n, c, h, w = x.size()
        weight = self.softmax(self.conv_mask(x).view(n, 1, h * w)).unsqueeze(3)
        context = torch.matmul(x.view(n, c, h * w).unsqueeze(1), weight).view(n, c, 1, 1)
        return x * torch.sigmoid(self.channel_mul_conv(context)) + self.channel_add_conv(context)


@common
class C3_GC(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.gc = ContextBlock2d(c1)
        self.cv1, self.cv2, self.cv3 = Conv(c1, c2 // 2), Conv(c1, c2 // 2), Conv(c2, c2)
        self.m = nn.Sequential(Bottleneck(c2 // 2))

    def forward(self, x):
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(self.gc(x))), 1))


@common
class StemBlock(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.stem_1, self.stem_2a, self.stem_2b = Conv(c1, c2, 3, 2), Conv(c2, c2 // 2), Conv(c2 // 2, c2, 3, 2)
        self.stem_2p, self.stem_3 = nn.MaxPool2d(2, 2, ceil_mode=True), Conv(2 * c2, c2)

    def forward(self, x):
        x = self.stem_1(x)
        return self.stem_3(torch.cat((self.stem_2b(self.stem_2a(x)), self.stem_2p(x)), 1))


class Blaze(nn.Module):
    def __init__(self, c1, c2, s, *layers):
        super().__init__()
        self.use_pool = s > 1
        self.branch1 = nn.Sequential(*layers)
        if self.use_pool:
            self.shortcut = nn.Sequential(nn.MaxPool2d(s, s), *conv_norm(c1, c2, 1, bias=True))
        self.relu = nn.SiLU(inplace=True)

    def forward(self, x):
        return self.relu(self.branch1(x) + (self.shortcut(x) if self.use_pool else x))


@common
class BlazeBlock(Blaze):
    def __init__(self, c1, c2, s=1):
        super().__init__(c1, c2, s, *conv_norm(c1, c1, 5, s, c1, True), *conv_norm(c1, c2, 1, bias=True))


@common
class DoubleBlazeBlock(Blaze):
    def __init__(self, c1, c2, inner, s=1):
        first = [*conv_norm(c1, c1, 5, s, c1, True), *conv_norm(c1, inner, 1, bias=True), nn.SiLU(inplace=True)]
        super().__init__(c1, c2, s, *first, *conv_norm(inner, inner, 5, bias=True), *conv_norm(inner, c2, 1, bias=True))


@yolo
class Detect(nn.Module):
    """That of YOLOv5 v5.0. Points stand between objectness and classes: what is learnt is how many anchors from the cell's corner."""

    def __init__(self, nc, points, inputs):
        super().__init__()
        self.nc, self.no, self.nl, self.na = nc, 5 + 2 * points + nc, len(inputs), len(ANCHORS[0]) // 2
        self.grid = [torch.zeros(1)] * self.nl
        anchors = torch.tensor(ANCHORS[: self.nl]).float().view(self.nl, -1, 2)
        self.register_buffer("anchors", anchors)
        self.register_buffer("anchor_grid", anchors.clone().view(self.nl, 1, -1, 1, 1, 2))
        self.m = nn.ModuleList(nn.Conv2d(c, self.no * self.na, 1) for c in inputs)
        self.stride = torch.tensor([float(stride) for stride in STRIDES])
        self.anchors /= self.stride.view(-1, 1, 1)

    def forward(self, x):
        decoded, raw = [], []
        points = (self.no - self.nc - 5) // 2
        for level, convolution in enumerate(self.m):
            y = convolution(x[level])
            raw.append(y)
            n, _, h, w = y.shape
            y = y.view(n, self.na, self.no, h, w).permute(0, 1, 3, 4, 2).contiguous()
            rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            grid = torch.stack((columns, rows), 2).view(1, 1, h, w, 2).float()
            anchors = self.anchor_grid[level].float()
            s = y.sigmoid()
            xy = (s[..., 0:2] * 2 - 0.5 + grid) * self.stride[level]
            wh = (s[..., 2:4] * 2) ** 2 * anchors
            places = [y[..., 5 + 2 * k : 7 + 2 * k] * anchors + grid * self.stride[level] for k in range(points)]
            y = torch.cat([xy, wh, s[..., 4:5], *places, s[..., 5 + 2 * points :]], -1)
            decoded.append(y.view(n, -1, self.no))
        return torch.cat(decoded, 1), raw


@yolo
class Model(nn.Module):
    def forward(self, x):
        outputs = []
        for block in self.model:
            if block.f != -1:
                x = [outputs[at] for at in block.f]
            x = block(x)
            outputs.append(x)
        return x


def lite():
    """(from, module); the strides behind."""
    return [
        (-1, stem(8)),  # 2
        (-1, conv_bn_relu_maxpool(8, 8)),  # 8
        (-1, Shuffle_Block(8, 12, 2)),  # 16
        (-1, Shuffle_Block(12, 12, 1)),
        (-1, CBH(12, 12, 3, 1)),
        (-1, LC_Block(12, 12, 1, 5, True)),
        (-1, LC_Block(12, 12, 1, 3, False)),
        (-1, mobilev3_bneck(12, 12, 16, 3, 1, True, True)),
        (-1, mobilev3_bneck(12, 16, 12, 5, 1, False, False)),
        (-1, RepVGGBlock(16, 12)),
        (-1, RepVGGBlock(12, 12, use_se=True)),
        (-1, RepVGGBlock(12, 12, deploy=True)),
        (-1, RepVGGBlock(12, 12).as_older_code_fuses()),
        (-1, MBConvBlock(12, 12, 3, 1)),
        (-1, LC3(12, 12)),
        (-1, C3_GC(12, 12)),
        (-1, DWConvblock(12, 12, 3, 1)),
        ([16, 3], ADD(0.5)),
        (-1, ES_Bottleneck(12, 12, 2)),  # 32
        (-1, ES_Bottleneck(12, 12, 1)),
        (-1, Dense(12, 12)),
        ([17, 20], Detect(2, 0, [12, 12])),
    ]


def face(points, classes):
    return [
        (-1, StemBlock(3, 8)),  # 4
        (-1, ShuffleV2Block(8, 16, 2)),  # 8
        (-1, ShuffleV2Block(16, 16, 1)),
        (-1, BlazeBlock(16, 16)),
        (-1, BlazeBlock(16, 16, 2)),  # 16
        (-1, DoubleBlazeBlock(16, 16, 8)),
        (-1, DoubleBlazeBlock(16, 24, 8, 2)),  # 32
        ([5, 6], Detect(classes, points, [16, 24])),
    ]


def short_face():
    return [
        (-1, StemBlock(3, 8)),  # 4
        (-1, ShuffleV2Block(8, 8, 2)),  # 8
        (-1, ShuffleV2Block(8, 8, 2)),  # 16
        (-1, ShuffleV2Block(8, 8, 1)),
        (-1, Conv(8, 8, 3, 2)),  # 32
        ([3, 4], Detect(1, 5, [8, 8])),
    ]


def network(blocks, names):
    model = Model()
    for index, (origin, block) in enumerate(blocks):
        block.i, block.f, block.type, block.np = index, origin, f"{type(block).__module__}.{type(block).__name__}", 0
    model.model = nn.Sequential(*(block for _, block in blocks))
    model.save = list(range(len(blocks)))
    model.names, model.nc, model.yaml, model.stride = names, len(names), {}, model.model[-1].stride
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.2, 1.5)
    for convolution in model.model[-1].m:
        nn.init.normal_(convolution.weight, 0, 0.4)
        nn.init.normal_(convolution.bias, 0, 0.5)
    return model


def pack(model):
    """All tensors into one storage: a file of a few hundred has more bytes of headers than of numbers."""
    tensors = [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]
    values, at = torch.cat([tensor.data.flatten() for tensor in tensors]), 0
    for tensor in tensors:
        tensor.data = values[at : at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    steps = torch.tensor(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = steps
    return model


def pattern(height, width):
    c, y, x = np.ogrid[:3, :height, :width]
    return (((37 * c + 3 * y + 5 * x + x * y // 16) % 256) / 255).astype(np.float32)[None]


def write(save, what, path):
    """Compressed, and without the debugging symbols that make most of a small trace."""
    buffer = io.BytesIO()
    save(what, buffer)
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(path, "w", compresslevel=9) as small:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                # The time of the day would make each run's file another.
                small.writestr(zipfile.ZipInfo(entry.filename), whole.read(entry), zipfile.ZIP_DEFLATED, 9)


def main():
    torch.manual_seed(0)
    folder = Path(__file__).parent / "forks"
    folder.mkdir(exist_ok=True)
    x = torch.from_numpy(pattern(HEIGHT, WIDTH))
    for name, blocks, names in [
        ("lite", lite(), ["bolt", "nut"]),
        ("face", face(5, 2), ["face", "mask"]),
        ("plate", face(4, 1), ["plate"]),
        ("trace", short_face(), ["face"]),
    ]:
        model = network(blocks, names).eval()
        model = pack(model.half())
        if name == "trace":
            write(torch.jit.save, torch.jit.trace(model.float(), x, strict=False), folder / "face.torchscript")
        else:
            write(torch.save, {"epoch": -1, "model": model, "ema": None}, folder / f"{name}.pt")
        model.float()
        with torch.no_grad():
            pred, raw = model(x)
        figures = {"pred": pred.numpy()} | {f"head{level}": output.numpy() for level, output in enumerate(raw)}
        print(name, {key: (values.shape, values.std()) for key, values in figures.items()})
        assert all(np.isfinite(values).all() and values.std() > 0.01 for values in figures.values())
        np.savez_compressed(folder / f"{name}.npz", **figures)


main()
