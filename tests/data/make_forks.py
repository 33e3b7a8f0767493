"""Makes, in forks/ beside this file, small detectors with random weights of the blocks that YOLOv7 and forks have, and what
PyTorch computes with each: NAME.pt or NAME.torchscript with NAME.npz.

The classes have the forks' names and Python modules, and are written here anew, by what they compute. Weights are fp16.

    python3 make_forks.py

Needs PyTorch and numpy.
"""

import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HEIGHT, WIDTH = 64, 96
ANCHORS = [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]


def of(module, name=None):
    """Makes a class one of this Python module."""

    def place(cls):
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            package = sys.modules.setdefault(".".join(parts[:length]), types.ModuleType(module))
        made = cls if name is None else type(name, (cls,), {})
        made.__module__, made.__qualname__ = module, made.__name__
        setattr(package, made.__name__, made)
        return made

    return place


def called(forward, **parts):
    """A module of these parts that computes so."""

    class Made(nn.Module):
        def __init__(self):
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

    Made.forward = forward
    return Made


COMMON, YOLO = "models.common", "models.yolo"


class Block(nn.Module):
    """Has the parts that it is given."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


@of(COMMON)
class Conv(Block):
    def __init__(self, c1, c2, k=1, s=1, g=1, act=True):
        super().__init__(
            conv=nn.Conv2d(c1, c2, k, s, k // 2, groups=g, bias=False),
            bn=nn.BatchNorm2d(c2),
            act=nn.SiLU() if act else nn.Identity(),
        )

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))

    def fuseforward(self, x):
        return self.act(self.conv(x))


@of(COMMON)
class Concat(Block):
    def __init__(self, d=1):
        super().__init__(d=d)

    def forward(self, x):
        return torch.cat(x, self.d)


# YOLOv7


def pool(k, s):
    return nn.MaxPool2d(k, s, 0 if k == s else k // 2)


class Pool(Block):
    def forward(self, x):
        return self.m(x)


MP, SP = of(COMMON, "MP")(Pool), of(COMMON, "SP")(Pool)


@of(COMMON)
class ReOrg(Block):
    def forward(self, x):
        return torch.cat([x[..., row::2, column::2] for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))], 1)


@of(COMMON)
class Chuncat(Block):
    def forward(self, x):
        halves = [part.chunk(2, self.d) for part in x]
        return torch.cat([first for first, _ in halves] + [second for _, second in halves], self.d)


@of(COMMON)
class Shortcut(Block):
    def forward(self, x):
        return x[0] + x[1]


@of(COMMON)
class Foldcut(Block):
    def forward(self, x):
        first, second = x.chunk(2, self.d)
        return first + second


@of(COMMON)
class RobustConv(Block):
    def forward(self, x):
        return self.conv1x1(self.conv_dw(x)) * self.gamma.reshape(1, -1, 1, 1)


@of(COMMON)
class Stem(Block):
    def forward(self, x):
        x = self.cv1(x)
        return self.cv4(torch.cat([self.cv3(self.cv2(x)), self.pool(x)], 1))


@of(COMMON)
class DownC(Block):
    def forward(self, x):
        return torch.cat([self.cv2(self.cv1(x)), self.cv3(self.mp(x))], 1)


@of(COMMON)
class Res(Block):
    def forward(self, x):
        y = self.cv3(self.cv2(self.cv1(x)))
        return x + y if self.add else y


@of(COMMON)
class Bottleneck(Block):
    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


RepBottleneck = of(COMMON, "RepBottleneck")(Bottleneck)


@of(COMMON)
class SPPCSPC(Block):
    def forward(self, x):
        y = self.cv4(self.cv3(self.cv1(x)))
        y = self.cv6(self.cv5(torch.cat([y] + [m(y) for m in self.m], 1)))
        return self.cv7(torch.cat([y, self.cv2(x)], 1))


@of(COMMON)
class BottleneckCSPA(Block):
    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


@of(COMMON)
class BottleneckCSPB(Block):
    def forward(self, x):
        x = self.cv1(x)
        return self.cv3(torch.cat([self.m(x), self.cv2(x)], 1))


@of(COMMON)
class BottleneckCSPC(Block):
    def forward(self, x):
        return self.cv4(torch.cat([self.cv3(self.m(self.cv1(x))), self.cv2(x)], 1))


@of(COMMON)
class RepConv(Block):
    def __init__(self, c1, c2, s=1):
        branch = lambda k: nn.Sequential(nn.Conv2d(c1, c2, k, s, k // 2, bias=False), nn.BatchNorm2d(c2))
        super().__init__(rbr_dense=branch(3), rbr_1x1=branch(1), act=nn.SiLU(), deploy=False, groups=1)
        self.in_channels, self.out_channels = c1, c2
        self.rbr_identity = nn.BatchNorm2d(c1) if c1 == c2 and s == 1 else None

    def forward(self, x):
        if hasattr(self, "rbr_reparam"):
            return self.act(self.rbr_reparam(x))
        y = self.rbr_dense(x) + self.rbr_1x1(x)
        return self.act(y if self.rbr_identity is None else y + self.rbr_identity(x))


@of(COMMON)
class ImplicitA(Block):
    def __init__(self, c):
        super().__init__(channel=c, mean=0.0, std=0.02, implicit=nn.Parameter(torch.randn(1, c, 1, 1) * 0.5))

    def forward(self, x):
        return self.implicit + x


@of(COMMON)
class ImplicitM(Block):
    def __init__(self, c):
        super().__init__(channel=c, mean=1.0, std=0.02, implicit=nn.Parameter(1 + torch.randn(1, c, 1, 1) * 0.3))

    def forward(self, x):
        return self.implicit * x


def decode(head, raw, level):
    """Raw output to rows of boxes in pixels, objectness and classes."""
    n, _, h, w = raw.shape
    y = raw.view(n, head.na, head.no, h, w).permute(0, 1, 3, 4, 2).sigmoid()
    v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    grid = torch.stack([u, v], 2).to(raw.dtype)
    xy = (y[..., :2] * 2 - 0.5 + grid) * head.stride[level]
    wh = (y[..., 2:4] * 2) ** 2 * (head.anchors[level] * head.stride[level]).view(1, -1, 1, 1, 2)
    return torch.cat([xy, wh, y[..., 4:]], -1).view(n, -1, head.no)


class AnchorHead(Block):
    def __init__(self, classes, strides, **parts):
        anchors = torch.tensor(ANCHORS[: len(strides)]).float().view(len(strides), -1, 2)
        super().__init__(nc=classes, no=classes + 5, nl=len(strides), na=3, stride=torch.tensor(strides).float(), **parts)
        self.register_buffer("anchors", anchors / self.stride.view(-1, 1, 1))

    def raw(self, x, level):
        return self.m[level](x)

    def forward(self, x):
        raw = [self.raw(x[level], level) for level in range(self.nl)]
        return torch.cat([decode(self, values, level) for level, values in enumerate(raw)], 1), raw

    @staticmethod
    def convolutions(classes, channels):
        return nn.ModuleList(nn.Conv2d(c, 3 * (classes + 5), 1) for c in channels)


Detect = of(YOLO, "Detect")(AnchorHead)


class Implicit(AnchorHead):
    def __init__(self, classes, strides, channels, **parts):
        super().__init__(
            classes,
            strides,
            m=self.convolutions(classes, channels),
            ia=nn.ModuleList(ImplicitA(c) for c in channels),
            im=nn.ModuleList(ImplicitM(3 * (classes + 5)) for _ in channels),
            **parts,
        )
        sizes = (self.anchors * self.stride.view(-1, 1, 1)).view(len(strides), 1, -1, 1, 1, 2)
        self.register_buffer("anchor_grid", sizes)

    def raw(self, x, level):
        return self.im[level](self.m[level](self.ia[level](x)))

    def fuseforward(self, x):
        raw = [self.m[level](x[level]) for level in range(self.nl)]
        return torch.cat([decode(self, values, level) for level, values in enumerate(raw)], 1), raw

    def fuse(self):
        """What is added before and multiplied after, into the convolutions. The parts stay."""
        for conv, before, after in zip(self.m, self.ia, self.im):
            conv.bias.data += conv.weight.data[:, :, 0, 0] @ before.implicit.data.flatten()
            conv.bias.data *= after.implicit.data.flatten()
            conv.weight.data *= after.implicit.data.view(-1, 1, 1, 1)
        self.forward = self.fuseforward


IDetect, IAuxDetect = of(YOLO, "IDetect")(Implicit), of(YOLO, "IAuxDetect")(Implicit)


def residual(c, kind=Res, inner=Conv):
    return kind(cv1=Conv(c, c), cv2=inner(c, c, 3) if inner is Conv else inner(c, c), cv3=Conv(c, c), add=True)


def rep_bottleneck(c):
    return RepBottleneck(cv1=Conv(c, c), cv2=RepConv(c, c), add=True)


def yolov7(head):
    """Of three levels. `head` gives the last layer."""
    c = 8
    conv = lambda k=1, c1=c, c2=c, s=1: Conv(c1, c2, k, s)
    robust = RobustConv(
        conv_dw=Conv(c, c, 7, 1, c), conv1x1=nn.Conv2d(c, c, 1), gamma=nn.Parameter(torch.rand(c) + 0.5)
    )
    layers = [
        (-1, ReOrg()),  # 2
        (-1, Conv(12, c, 3, 2)),  # 4
        (-1, Stem(cv1=conv(3), cv2=conv(), cv3=conv(3, s=2), pool=nn.MaxPool2d(2), cv4=conv(c1=2 * c))),  # 8
        (-1, RepConv(c, c)),
        (-1, BottleneckCSPA(cv1=conv(), cv2=conv(), cv3=conv(c1=2 * c), m=nn.Sequential(residual(c)))),
        (-1, BottleneckCSPB(cv1=conv(), cv2=conv(), cv3=conv(c1=2 * c), m=nn.Sequential(rep_bottleneck(c)))),
        (-1, BottleneckCSPC(cv1=conv(), cv2=conv(), cv3=conv(), cv4=conv(c1=2 * c), m=nn.Sequential(residual(c)))),
        (-1, robust),
        ([-1, 4], Shortcut(d=0)),
        ([-1, 5], Chuncat(d=1)),
        (-1, Foldcut(d=1)),  # 10, stride 8
        (-1, DownC(cv1=conv(), cv2=conv(3, c2=c // 2, s=2), cv3=conv(c2=c // 2), mp=nn.MaxPool2d(2))),  # 16
        (
            -1,
            SPPCSPC(
                **{f"cv{i}": conv() for i in (1, 2, 4)},
                **{f"cv{i}": conv(3) for i in (3, 6)},
                cv5=conv(c1=4 * c),
                cv7=conv(c1=2 * c),
                m=nn.ModuleList(pool(k, 1) for k in (5, 9, 13)),
            ),
        ),
        (-1, RepConv(c, c + 4)),  # 13, stride 16
        (-1, MP(m=pool(2, 2))),  # 32
        (-1, SP(m=pool(3, 1))),
        (-1, Conv(c + 4, c, 1)),  # 16, stride 32
    ]
    return layers, head


# What forks add


class Excited(Block):
    def forward(self, x):
        n, c = x.shape[:2]
        return x * self.sig(self.l2(self.relu(self.l1(self.avgpool(x).view(n, c))))).view(n, c, 1, 1)


SE = of(COMMON, "SE")(Excited)


def excited(c):
    return {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "l1": nn.Linear(c, c // 2, bias=False),
        "relu": nn.ReLU(inplace=True),
        "l2": nn.Linear(c // 2, c, bias=False),
        "sig": nn.Sigmoid(),
    }


class Squeezed(Block):
    def forward(self, x):
        n, c = x.shape[:2]
        pooled = self.avg_pool(x)
        return x * self.fc(pooled.view(n, c) if isinstance(self.fc[0], nn.Linear) else pooled).view(n, c, 1, 1)


SELayer, SEAttention, SEBlock = (of(COMMON, name)(Squeezed) for name in ("SELayer", "SEAttention", "SEBlock"))


def squeezed(c, layer=nn.Linear):
    kernel = () if layer is nn.Linear else (1,)
    fc = nn.Sequential(layer(c, c // 2, *kernel), nn.ReLU(inplace=True), layer(c // 2, c, *kernel), nn.Sigmoid())
    return {"avg_pool": nn.AdaptiveAvgPool2d(1), "fc": fc}


def bottleneck(c):
    return {"cv1": Conv(c, c), "cv2": Conv(c, c, 3), "add": True}


def within(cls, parts):
    """What a part of the class `cls`, but inlined in a bottleneck, makes of a map."""

    class Inlined(Block):
        def forward(self, x):
            y = cls.forward(self, self.cv2(self.cv1(x)))
            return x + y if self.add else y

    return Inlined


SEBottleneck = of(COMMON, "SEBottleneck")(within(Excited, None))


@of(COMMON)
class ChannelAttention(Block):
    def __init__(self, c):
        super().__init__(
            avg_pool=nn.AdaptiveAvgPool2d(1),
            max_pool=nn.AdaptiveMaxPool2d(1),
            f1=nn.Conv2d(c, c // 2, 1, bias=False),
            relu=nn.ReLU(),
            f2=nn.Conv2d(c // 2, c, 1, bias=False),
            sigmoid=nn.Sigmoid(),
        )

    def forward(self, x):
        return self.sigmoid(sum(self.f2(self.relu(self.f1(pool(x)))) for pool in (self.avg_pool, self.max_pool)))


@of(COMMON)
class SpatialAttention(Block):
    def __init__(self):
        super().__init__(conv=nn.Conv2d(2, 1, 7, padding=3, bias=False), sigmoid=nn.Sigmoid())

    def forward(self, x):
        return self.sigmoid(self.conv(torch.cat([x.mean(1, True), x.max(1, True)[0]], 1)))


@of(COMMON)
class ChannelAttentionModule(Block):
    def __init__(self, c):
        mlp = nn.Sequential(nn.Linear(c, c // 2), nn.LeakyReLU(0.1, inplace=True), nn.Linear(c // 2, c))
        pools = {"avg_pool": nn.AdaptiveAvgPool2d(1), "max_pool": nn.AdaptiveMaxPool2d(1)}
        super().__init__(**pools, shared_MLP=mlp, act=nn.Sigmoid())

    def forward(self, x):
        of = lambda pool: self.shared_MLP(pool(x).view(x.size(0), -1)).unsqueeze(2).unsqueeze(3)
        return self.act(of(self.avg_pool) + of(self.max_pool))


@of(COMMON)
class SpatialAttentionModule(Block):
    def __init__(self):
        super().__init__(conv2d=nn.Conv2d(2, 1, 7, padding=3), act=nn.Sigmoid())

    def forward(self, x):
        return self.act(self.conv2d(torch.cat([x.mean(1, True), x.max(1, True)[0]], 1)))


class Attentive(Block):
    def forward(self, x):
        x = self.channel_attention(x) * x
        return self.spatial_attention(x) * x


CBAM = of(COMMON, "CBAM")(Attentive)
CBAMBottleneck = of(COMMON, "CBAMBottleneck")(within(Attentive, None))


def attentive(c):
    return {"channel_attention": ChannelAttention(c), "spatial_attention": SpatialAttention()}


@of(COMMON)
class ResBlock_CBAM(Block):
    def __init__(self, c):
        conv = lambda k: (nn.Conv2d(c, c, k, padding=k // 2, bias=False), nn.BatchNorm2d(c))
        act = lambda: nn.LeakyReLU(0.1, inplace=True)
        super().__init__(
            bottleneck=nn.Sequential(*conv(1), act(), *conv(3), act(), *conv(1)),
            cbam=CBAM(channel_attention=ChannelAttentionModule(c), spatial_attention=SpatialAttentionModule()),
            downsample=nn.Sequential(*conv(1)),
            relu=nn.ReLU(inplace=True),
            downsampling=True,
            expansion=1,
        )

    def forward(self, x):
        return self.relu(self.cbam(self.bottleneck(x)) + self.downsample(x))


@of(COMMON)
class ShuffleAttention(Block):
    def __init__(self, c, groups):
        each = c // (2 * groups)
        weights = {f"{name}{kind}": nn.Parameter(torch.randn(1, each, 1, 1)) for name in "cs" for kind in ("weight", "bias")}
        pool, norm = nn.AdaptiveAvgPool2d(1), nn.GroupNorm(each, each)
        super().__init__(G=groups, channel=c, avg_pool=pool, gn=norm, sigmoid=nn.Sigmoid(), **weights)

    def forward(self, x):
        n, c, h, w = x.shape
        a, b = x.view(n * self.G, -1, h, w).chunk(2, 1)
        a = a * self.sigmoid(self.cweight * self.avg_pool(a) + self.cbias)
        b = b * self.sigmoid(self.sweight * self.gn(b) + self.sbias)
        return torch.cat([a, b], 1).view(n, 2, -1, h, w).transpose(1, 2).reshape(n, c, h, w)


@of(COMMON)
class CARAFE(Block):
    def __init__(self, c, k=5, middle=4, scale=2):
        super().__init__(
            scale=scale,
            comp=Conv(c, middle),
            enc=Conv(middle, (scale * k) ** 2, 3, act=False),
            pix_shf=nn.PixelShuffle(scale),
            upsmp=nn.Upsample(scale_factor=scale, mode="nearest"),
            unfold=nn.Unfold(k, dilation=scale, padding=k // 2 * scale),
        )

    def forward(self, x):
        n, c, h, w = x.shape
        size = (h * self.scale, w * self.scale)
        shares = torch.softmax(self.pix_shf(self.enc(self.comp(x))), 1)
        return torch.einsum("bkhw,bckhw->bchw", shares, self.unfold(self.upsmp(x)).view(n, c, -1, *size))


class Neighbours(Block):
    def forward(self, x):
        y = self.conv(self.avg_pool(x).squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * self.sigmoid(y)


ECA, eca_layer = of(COMMON, "ECA")(Neighbours), of(COMMON, "eca_layer")(Neighbours)
ECABottleneck = of(COMMON, "ECABottleneck")(within(Neighbours, None))


def neighbours():
    conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)
    return {"avg_pool": nn.AdaptiveAvgPool2d(1), "conv": conv, "sigmoid": nn.Sigmoid()}


@of(COMMON)
class h_sigmoid(Block):
    def forward(self, x):
        return self.relu(x + 3) / 6


@of(COMMON)
class h_swish(Block):
    def forward(self, x):
        return x * self.sigmoid(x)


class Coordinates(Block):
    def forward(self, x):
        h, w = x.shape[2:]
        y = torch.cat([self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)], 2)
        y = self.act(self.bn1(self.conv1(y)))
        rows, columns = torch.split(y, [h, w], 2)
        return x * self.conv_w(columns.permute(0, 1, 3, 2)).sigmoid() * self.conv_h(rows).sigmoid()


CoordAtt, CABottleneck = of(COMMON, "CoordAtt")(Coordinates), of(COMMON, "CABottleneck")(within(Coordinates, None))


def coordinates(c):
    return {
        "pool_h": nn.AdaptiveAvgPool2d((None, 1)),
        "pool_w": nn.AdaptiveAvgPool2d((1, None)),
        "conv1": nn.Conv2d(c, 8, 1),
        "bn1": nn.BatchNorm2d(8),
        "act": h_swish(sigmoid=h_sigmoid(relu=nn.ReLU6())),
        "conv_h": nn.Conv2d(8, c, 1),
        "conv_w": nn.Conv2d(8, c, 1),
    }


@of(COMMON)
class SimAM(Block):
    def forward(self, x):
        d = (x - x.mean((2, 3), keepdim=True)) ** 2
        n = x.shape[2] * x.shape[3] - 1
        return x * self.activaton(d / (4 * (d.sum((2, 3), keepdim=True) / n + self.e_lambda)) + 0.5)


@of(COMMON)
class EMA(Block):
    def __init__(self, c, groups):
        each = c // groups
        super().__init__(
            groups=groups,
            softmax=nn.Softmax(-1),
            agp=nn.AdaptiveAvgPool2d((1, 1)),
            pool_h=nn.AdaptiveAvgPool2d((None, 1)),
            pool_w=nn.AdaptiveAvgPool2d((1, None)),
            gn=nn.GroupNorm(each, each),
            conv1x1=nn.Conv2d(each, each, 1),
            conv3x3=nn.Conv2d(each, each, 3, padding=1),
        )

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.reshape(n * self.groups, -1, h, w)
        y = self.conv1x1(torch.cat([self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)], 2))
        rows, columns = torch.split(y, [h, w], 2)
        a = self.gn(x * rows.sigmoid() * columns.permute(0, 1, 3, 2).sigmoid())
        b = self.conv3x3(x)
        means = lambda map: self.softmax(self.agp(map).flatten(1).unsqueeze(1))
        y = means(a) @ b.flatten(2) + means(b) @ a.flatten(2)
        return (x * y.reshape(-1, 1, h, w).sigmoid()).reshape(n, c, h, w)


class Weighted(Block):
    def shares(self, x):
        w = self.w / (self.w.sum() + self.epsilon)
        return [share * part for share, part in zip(w, x)]


class WeightedSum(Weighted):
    def forward(self, x):
        return self.conv(self.silu(sum(self.shares(x))))


class WeightedConcat(Weighted):
    def forward(self, x):
        return torch.cat(self.shares(x), self.d)


BiFPN_Add2, BiFPN_Add3 = (of(COMMON, f"BiFPN_Add{n}")(WeightedSum) for n in (2, 3))
BiFPN_Concat2, BiFPN_Concat3 = (of(COMMON, f"BiFPN_Concat{n}")(WeightedConcat) for n in (2, 3))


def weights(n):
    return {"w": nn.Parameter(torch.rand(n) + 0.5), "epsilon": 0.0001}


@of(COMMON)
class SPPFCSPC(Block):
    def forward(self, x):
        y = [self.cv4(self.cv3(self.cv1(x)))]
        for _ in range(3):
            y.append(self.m(y[-1]))
        return self.cv7(torch.cat([self.cv6(self.cv5(torch.cat(y, 1))), self.cv2(x)], 1))


@of(COMMON)
class C2f(Block):
    def forward(self, x):
        y = list(self.cv1(x).chunk(2, 1))
        for m in self.m:
            y.append(m(y[-1]))
        return self.cv2(torch.cat(y, 1))


class Csp(Block):
    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


C3, C3SE, C3CBAM, C3ECA, C3CA = (of(COMMON, name)(Csp) for name in ("C3", "C3SE", "C3CBAM", "C3ECA", "C3CA"))


def csp(kind, inner, c):
    return kind(cv1=Conv(c, c), cv2=Conv(c, c), cv3=Conv(2 * c, c), m=nn.Sequential(inner))


def attention():
    c = 8
    return [
        (-1, Conv(3, c, 3, 4)),  # 4
        (-1, Conv(c, c, 3, 2)),  # 8
        (-1, SE(**excited(c))),
        (-1, SELayer(**squeezed(c))),
        (-1, SEAttention(**squeezed(c, nn.Conv2d))),
        (-1, SEBlock(**squeezed(c))),
        (-1, csp(C3SE, SEBottleneck(**bottleneck(c), **excited(c)), c)),
        (-1, CBAM(**attentive(c))),
        (-1, csp(C3CBAM, CBAMBottleneck(**bottleneck(c), **attentive(c)), c)),
        (-1, ResBlock_CBAM(c)),
        (-1, ECA(**neighbours())),
        (-1, eca_layer(**neighbours())),
        (-1, csp(C3ECA, ECABottleneck(**bottleneck(c), **neighbours()), c)),
        (-1, CoordAtt(**coordinates(c))),
        (-1, csp(C3CA, CABottleneck(**bottleneck(c), **coordinates(c)), c)),
        (-1, SimAM(activaton=nn.Sigmoid(), e_lambda=1e-4)),
        (-1, EMA(c, 2)),
        (-1, ShuffleAttention(c, 2)),
        ([-1], Detect(2, [8], m=AnchorHead.convolutions(2, [c]))),
    ]


def additions():
    c = 8
    conv = lambda k=1, c1=c: Conv(c1, c, k)
    return [
        (-1, Conv(3, c, 3, 4)),  # 4
        (-1, Conv(c, c, 3, 2)),  # 8
        (-1, conv(3)),
        (-1, conv(3)),
        ([-1, 1], BiFPN_Add2(conv=nn.Conv2d(c, c, 1), silu=nn.SiLU(), **weights(2))),
        ([-1, 2, 3], BiFPN_Add3(conv=nn.Conv2d(c, c, 1), silu=nn.SiLU(), **weights(3))),
        ([-1, 3], BiFPN_Concat2(d=1, **weights(2))),
        (-1, Conv(2 * c, c, 1)),
        ([-1, 1, 4], BiFPN_Concat3(d=1, **weights(3))),
        (-1, Conv(3 * c, c, 3)),  # 9, stride 8
        (-1, Conv(c, c, 3, 2)),  # 16
        (
            -1,
            SPPFCSPC(
                **{f"cv{i}": conv() for i in (1, 2, 4)},
                **{f"cv{i}": conv(3) for i in (3, 6)},
                cv5=conv(c1=4 * c),
                cv7=conv(c1=2 * c),
                m=pool(5, 1),
            ),
        ),
        (-1, C2f(cv1=conv(), cv2=Conv(3 * c // 2, c), m=nn.ModuleList([Bottleneck(**bottleneck(c // 2))]), c=c // 2)),
        (-1, CARAFE(c)),
        ([-1, 9], Concat()),  # 14, stride 8
        ([14, 12], Detect(2, [8, 16], m=AnchorHead.convolutions(2, [2 * c, c]))),
    ]


# Slim-neck


def gs_convolution(self, x):
    a = self.cv1(x)
    y = torch.cat([a, self.cv2(a)], 1)
    return torch.cat([y[:, ::2], y[:, 1::2]], 1)


@of(COMMON)
class GSConv(Block):
    def __init__(self, c1, c2, k=1, act=True):
        super().__init__(cv1=Conv(c1, c2 // 2, k, act=act), cv2=Conv(c2 // 2, c2 // 2, 5, g=c2 // 2, act=act))

    forward = gs_convolution


@of(COMMON)
class GSBottleneck(Block):
    def __init__(self, c, shortcut=None):
        lighting = nn.Sequential(GSConv(c, c), GSConv(c, c, 3, act=False))
        super().__init__(conv_lighting=lighting, shortcut=shortcut or Conv(c, c, act=False))

    def forward(self, x):
        return self.conv_lighting(x) + self.shortcut(x)


@of(COMMON)
class GSBottleneckC(GSBottleneck):
    def __init__(self, c):
        super().__init__(c, Conv(c, c, g=c, act=False))


@of(COMMON)
class VoVGSCSP(Block):
    def __init__(self, c1, c2, gsb):
        c = c2 // 2
        parts = dict(cv1=Conv(c1, c), cv2=Conv(c1, c), gsb=gsb, res=Conv(c, c, 3, act=False), cv3=Conv(2 * c, c2))
        super().__init__(**parts)

    def forward(self, x):
        return self.cv3(torch.cat([self.cv2(x), self.gsb(self.cv1(x))], 1))


@of(COMMON)
class VoVGSCSPC(VoVGSCSP):
    pass


def slim_neck():
    return [
        (-1, Conv(3, 8, 3, 4)),  # 4
        (-1, Conv(8, 8, 3, 2)),  # 8
        (-1, GSConv(8, 12, 3)),
        (-1, VoVGSCSP(12, 8, nn.Sequential(GSBottleneck(4)))),
        (-1, VoVGSCSPC(8, 8, GSBottleneckC(4))),
        ([-1], Detect(2, [8], m=AnchorHead.convolutions(2, [8]))),
    ]


# Heads of several convolutions


@of(YOLO)
class DecoupledHead(Block):
    def __init__(self, c, classes):
        w = 8
        convs = {f"{branch}_convs{i}": Conv(w, w, 3) for branch in ("cls", "reg") for i in (1, 2)}
        ends = {"cls": classes, "reg": 4, "obj": 1}
        ends = {f"{name}_preds": nn.Conv2d(w, 3 * values, 1) for name, values in ends.items()}
        super().__init__(nc=classes, nl=2, na=3, merge=Conv(c, w), **convs, **ends)

    def forward(self, x):
        x = self.merge(x)
        c = self.cls_preds(self.cls_convs2(self.cls_convs1(x)))
        r = self.reg_convs2(self.reg_convs1(x))
        return torch.cat([self.reg_preds(r), self.obj_preds(r), c], 1)


@of(YOLO)
class Decouple(Block):
    def __init__(self, c, classes):
        w = 8
        super().__init__(
            na=3, nc=classes, a=Conv(c, w), b1=Conv(w, w, 3), b2=Conv(w, w, 3), b3=nn.Conv2d(w, 15, 1),
            c1=Conv(w, w), c2=Conv(w, w), c3=nn.Conv2d(w, 3 * classes, 1),
        )  # fmt: skip

    def forward(self, x):
        n, _, h, w = x.shape
        x = self.a(x)
        b, c = self.b3(self.b2(self.b1(x))), self.c3(self.c2(self.c1(x)))
        joined = torch.cat([b.view(n, self.na, 5, h, w), c.view(n, self.na, self.nc, h, w)], 2)
        return joined.view(n, -1, h, w)


Decoupled_Detect = of(YOLO, "Decoupled_Detect")(AnchorHead)


def small(head, block=None):
    c = 8
    block = block or csp(C3, Bottleneck(**bottleneck(c)), c)
    layers = [(-1, Conv(3, c, 3, 4)), (-1, Conv(c, c, 3, 2)), (-1, block)]
    return layers + [(-1, Conv(c, c, 3, 2)), ([2, 3], head)]


# Pruned networks

PRUNED = "pruned_common"
C3Pruned, BottleneckOfPruned = of(PRUNED, "C3")(Csp), of(PRUNED, "Bottleneck")(Bottleneck)


class Sppf(Block):
    def forward(self, x):
        y = [self.cv1(x)]
        for _ in range(3):
            y.append(self.m(y[-1]))
        return self.cv2(torch.cat(y, 1))


SPPFOfPruned = of(PRUNED, "SPPF")(Sppf)


def pruned():
    inner = BottleneckOfPruned(cv1=Conv(5, 3), cv2=Conv(3, 5, 3), add=True)
    return [
        (-1, Conv(3, 7, 3, 4)),
        (-1, Conv(7, 9, 3, 2)),  # 8
        (-1, C3Pruned(cv1=Conv(9, 5), cv2=Conv(9, 6), cv3=Conv(11, 7), m=nn.Sequential(inner))),
        (-1, Conv(7, 10, 3, 2)),  # 16
        (-1, SPPFOfPruned(cv1=Conv(10, 5), cv2=Conv(20, 11), m=pool(5, 1))),
        ([2, 4], Detect(2, [8, 16], m=AnchorHead.convolutions(2, [7, 11]))),
    ]


NN = "ultralytics.nn.modules"
UConv, UDWConv = of(f"{NN}.conv", "Conv")(Conv), of(f"{NN}.conv", "DWConv")(Conv)
BottleneckPruned = of(f"{NN}.block_pruned", "BottleneckPruned")(Bottleneck)
C3kPruned, SPPFPruned = of(f"{NN}.block_pruned", "C3kPruned")(Csp), of(f"{NN}.block_pruned", "SPPFPruned")(Sppf)


class Sections(Block):
    def forward(self, x):
        y = list(self.cv1(x).split(self.cv1_split_sections, 1))
        for m in self.m:
            y.append(m(y[-1]))
        return self.cv2(torch.cat(y, 1))


C2fPruned, C3k2Pruned = (of(f"{NN}.block_pruned", name)(Sections) for name in ("C2fPruned", "C3k2Pruned"))


@of(f"{NN}.block")
class Attention(Block):
    def forward(self, x):
        n, c, h, w = x.shape
        y = self.qkv(x).view(n, self.num_heads, -1, h * w)
        q, k, v = y.split([self.key_dim, self.key_dim, self.head_dim], 2)
        p = ((q.transpose(2, 3) @ k) * self.scale).softmax(-1)
        o = (v @ p.transpose(2, 3)).view(n, c, h, w)
        return self.proj(o + self.pe(v.reshape(n, c, h, w)))


@of(f"{NN}.block_pruned")
class PSABlockPruned(Block):
    def forward(self, x):
        x = x + self.attn(x)
        return x + self.ffn(x)


@of(f"{NN}.block_pruned")
class C2PSAPruned(Block):
    def forward(self, x):
        a, b = self.cv1(x).split((self.c, self.c), 1)
        return self.cv2(torch.cat([a, self.m(b)], 1))


@of(f"{NN}.block")
class DFL(Block):
    def __init__(self, bins):
        super().__init__(conv=nn.Conv2d(bins, 1, 1, bias=False), c1=bins)
        self.conv.weight.data = torch.arange(bins).float().view(1, bins, 1, 1)


@of(f"{NN}.head_pruned")
class DetectPruned(Block):
    def forward(self, x):
        rows = []
        for level, stride in enumerate(self.stride.tolist()):
            box, classes = self.cv2[level](x[level]), self.cv3[level](x[level])
            n, _, h, w = box.shape
            d = (box.view(n, 4, self.reg_max, -1).softmax(2) * torch.arange(self.reg_max).view(1, 1, -1, 1)).sum(2)
            v, u = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
            middle = torch.stack([u, v]).view(1, 2, -1)
            low, high = middle - d[:, :2], middle + d[:, 2:]
            rows.append(torch.cat([(low + high) / 2 * stride, (high - low) * stride, classes.flatten(2).sigmoid()], 1))
        return torch.cat(rows, 2), None


def pruned_package():
    c = UConv
    attention = Attention(
        num_heads=2, key_dim=2, head_dim=4, scale=2**-0.5,
        qkv=c(8, 16, act=False), pe=c(8, 8, 3, 1, 8, act=False), proj=c(8, 8, act=False),
    )  # fmt: skip
    psa = PSABlockPruned(attn=attention, ffn=nn.Sequential(c(8, 11), c(11, 8, act=False)), add=True)
    bottleneck = lambda n, k: BottleneckPruned(cv1=c(n, 3, k), cv2=c(3, n, k), add=True)
    c3k = C3kPruned(cv1=c(5, 4), cv2=c(5, 3), cv3=c(7, 6), m=nn.Sequential(bottleneck(4, 3)))
    branch = lambda n, last: nn.Sequential(c(n, 6, 3), c(6, 5, 3), nn.Conv2d(5, last, 1))
    head = DetectPruned(
        nc=2, nl=2, reg_max=4, no=18, stride=torch.tensor([8.0, 16.0]),
        cv2=nn.ModuleList([branch(9, 16), branch(10, 16)]), cv3=nn.ModuleList([branch(9, 2), branch(10, 2)]), dfl=DFL(4),
    )  # fmt: skip
    return [
        (-1, c(3, 7, 3, 4)),
        (-1, c(7, 9, 3, 2)),  # 8
        (-1, C2fPruned(cv1=c(9, 10), cv2=c(15, 9), cv1_split_sections=[5, 5], m=nn.ModuleList([bottleneck(5, 3)]))),
        (-1, C3k2Pruned(cv1=c(9, 9), cv2=c(15, 9), cv1_split_sections=[4, 5], c3k=True, m=nn.ModuleList([c3k]))),
        (-1, c(9, 10, 3, 2)),  # 16
        (-1, SPPFPruned(cv1=c(10, 5), cv2=c(20, 11), m=pool(5, 1))),
        (-1, C2PSAPruned(c=8, cv1=c(11, 16), cv2=c(16, 10), m=nn.Sequential(psa))),
        ([3, 6], head),
    ]


# Networks


class Network(nn.Module):
    def forward(self, x):
        y = []
        for block in self.model:
            if block.f != -1:
                x = y[block.f] if isinstance(block.f, int) else [x if at == -1 else y[at] for at in block.f]
            x = block(x)
            y.append(x)
        return x


Model, ModelPruned = of(YOLO, "Model")(Network), of("yolo_pruned", "ModelPruned")(Network)
DetectionModelPruned = of("ultralytics.nn.tasks_pruned", "DetectionModelPruned")(Network)


def network(layers, kind=Model):
    model = kind()
    for index, (origin, block) in enumerate(layers):
        block.i, block.f, block.type, block.np = index, origin, type(block).__name__, 0
    model.model = nn.Sequential(*(block for _, block in layers))
    model.save, model.yaml, model.names = [], {}, {0: "bolt", 1: "nut"}
    model.stride = layers[-1][1].stride
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            module.eps = 1e-3
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.2, 1.5)
            module.num_batches_tracked = None
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval().half().float()


def fuse(model):
    """As YOLOv7 does before it exports."""
    for module in model.modules():
        if isinstance(module, RepConv):
            conv = nn.Conv2d(module.in_channels, module.out_channels, 3, 1, 1)
            conv.weight.data.zero_()
            conv.bias.data.zero_()
            for part in (module.rbr_dense, module.rbr_1x1, module.rbr_identity):
                if part is None:
                    continue
                kernel, norm = part if isinstance(part, nn.Sequential) else (None, part)
                eye = torch.eye(module.in_channels).view(*[module.in_channels] * 2, 1, 1)
                weight = eye if kernel is None else kernel.weight.data
                scale = norm.weight.data / (norm.running_var + norm.eps).sqrt()
                side = (3 - weight.shape[2]) // 2
                conv.weight.data += F.pad(weight * scale.view(-1, 1, 1, 1), [side] * 4)
                conv.bias.data += norm.bias.data - norm.running_mean * scale
            module.rbr_reparam, module.deploy = conv.requires_grad_(False), True
            module.rbr_dense = module.rbr_1x1 = module.rbr_identity = None
        elif type(module) is Conv:
            module.conv = nn.utils.fuse_conv_bn_eval(module.conv, module.bn)
            del module.bn
            module.forward = module.fuseforward
        elif isinstance(module, Implicit):
            module.fuse()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.half().float()


def pattern(height, width):
    c, y, x = np.ogrid[:3, :height, :width]
    return torch.from_numpy((((37 * c + 3 * y + 5 * x + x * y // 16) % 256) / 255).astype(np.float32)[None])


def figures(model, path):
    with torch.no_grad():
        pred, heads = model(pattern(HEIGHT, WIDTH))
    values = {"pred": pred.numpy(), **{f"head{index}": head.numpy() for index, head in enumerate(heads or [])}}
    assert all(np.isfinite(values).all() and values.std() > 0.01 for values in values.values())
    np.savez_compressed(path.with_suffix(".npz"), **values)


def pack(path):
    """Compresses what is text or nearly so, and leaves out what only error messages need: half of a small file is that."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist() if not name.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith((".pkl", ".py")) else zipfile.ZIP_STORED
            archive.writestr(entry, data)


def save(model, path):
    figures(model, path)
    torch.save({"epoch": -1, "ema": None, "model": model.half()}, path)
    pack(path)
    model.float()


def trace(model, path):
    """As YOLOv7's and YOLOv5's export do: the weights as f32, and nothing beside them."""
    figures(model, path)
    with torch.no_grad():
        traced = torch.jit.trace(model, pattern(HEIGHT, WIDTH), strict=False, check_trace=False)
    torch.jit.save(traced, path)
    pack(path)


def main():
    folder = Path(__file__).parent / "forks"
    folder.mkdir(exist_ok=True)
    levels = [10, 13, 16]
    channels = [8, 12, 8]

    def v7(head=IDetect, inputs=levels, **parts):
        torch.manual_seed(7)
        layers, _ = yolov7(None)
        return network(layers + [(inputs, head(2, [8, 16, 32], channels, **parts))])

    save(v7(), folder / "yolov7.pt")
    aux = nn.ModuleList(nn.Conv2d(c, 21, 1) for c in (8, 8, 12))
    save(v7(IAuxDetect, levels + [4, 8, 14], m2=aux), folder / "yolov7-aux.pt")
    save(fuse(v7()), folder / "yolov7-fused.pt")


    def few():
        torch.manual_seed(7)
        return network(small(IDetect(2, [8, 16], [8, 8]), RepConv(8, 8)))

    trace(few(), folder / "idetect-unfused.torchscript")
    trace(fuse(few()), folder / "idetect.torchscript")
    torch.manual_seed(8)
    save(network(attention()), folder / "attention.pt")
    save(network(additions()), folder / "additions.pt")
    torch.manual_seed(11)
    save(network(slim_neck()), folder / "slim-neck.pt")
    torch.manual_seed(9)
    decoupled = network(small(Decoupled_Detect(2, [8, 16], m=nn.ModuleList(DecoupledHead(8, 2) for _ in range(2)))))
    save(decoupled, folder / "decoupled.pt")
    of_one = Decoupled_Detect(2, [8], m=nn.ModuleList([DecoupledHead(8, 2)]))
    trace(network(small(of_one)[:3] + [([2], of_one)]), folder / "decoupled-one.torchscript")
    decouple = network(small(Detect(2, [8, 16], m=nn.ModuleList(Decouple(8, 2) for _ in range(2)))))
    save(decouple, folder / "decouple.pt")
    torch.manual_seed(10)
    save(network(pruned(), ModelPruned), folder / "pruned.pt")
    save(network(pruned_package(), DetectionModelPruned), folder / "pruned-11.pt")


main()
