"""Makes families/tiny/rtdetr-small.pt and .npz beside this file: an RT-DETR of random weights with both kinds of its backbone
blocks, as the package ultralytics saves one, and what PyTorch computes with it.

    python3 make_rtdetr.py

Needs ultralytics 8.4.190 with PyTorch 2.13. The figures are of the checkpoint's fp16 weights, run in fp32.

Arrays: pred [1, 40, 6]; dec_logits [1, 40, 3] and dec_boxes [1, 40, 4] of each query; row, class, logit of the two most confident
queries; P/LAYER/METHOD, their maps for the class logit; P/LAYER/elementwise/TARGET, those for an edge or a side of the box, in pixels of
the input.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from ultralytics.nn.tasks import RTDETRDetectionModel

FOLDER = Path(__file__).parent / "families/tiny"
NAMES = {0: "cat", 1: "traffic light", 2: "dog"}
HEIGHT, WIDTH = 192, 256
CONFIG = {
    "nc": len(NAMES),
    "backbone": [
        [-1, 1, "HGStem", [4, 8]],
        [-1, 1, "ResNetLayer", [8, 4, 2, False, 2]],
        [-1, 1, "ResNetLayer", [16, 4, 2, False, 1]],
        [-1, 1, "DWConv", [16, 3, 2, 1, False]],
        [-1, 2, "HGBlock", [8, 16, 5, True, True]],
    ],
    "head": [
        [-1, 1, "Conv", [16, 1, 1, None, 1, 1, False]],
        [-1, 1, "AIFI", [24, 2]],
        [-1, 1, "Conv", [16, 1, 1]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [2, 1, "Conv", [16, 1, 1, None, 1, 1, False]],
        [[-2, -1], 1, "Concat", [1]],
        [-1, 1, "RepC3", [16]],
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [1, 1, "Conv", [16, 1, 1, None, 1, 1, False]],
        [[-2, -1], 1, "Concat", [1]],
        [-1, 1, "RepC3", [16, 0.5]],
        [[15, 11, 7], 1, "RTDETRDecoder", ["nc", 16, 40, 2, 2, 3, 24]],
    ],
}
# The inputs of the decoder, and the ends of the backbone's stages.
LAYERS = [15, 11, 7, 4, 2]


def pattern():
    c, y, x = torch.meshgrid(torch.arange(3), torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return ((37 * c + 3 * y + 5 * x + x * y // 16) % 256).float()[None] / 255


def network():
    torch.manual_seed(24)
    model = RTDETRDetectionModel(CONFIG, ch=3, verbose=False)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.4 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.add_(torch.randn_like(parameter) * spread)
        # Classes differ, and so do boxes, by much more than rounding.
        for layer in [model.model[-1].enc_score_head, *model.model[-1].dec_score_head]:
            layer.weight.copy_(torch.randn_like(layer.weight))
        for layer in [model.model[-1].enc_bbox_head, *model.model[-1].dec_bbox_head]:
            layer.layers[-1].weight.copy_(torch.randn_like(layer.layers[-1].weight) * 0.3)
        # Statistics of the input, so that nothing vanishes.
        model.train()
        for _ in range(8):
            maps = []
            x = pattern() + torch.randn(2, 3, HEIGHT, WIDTH) * 0.2
            for layer in model.model[:-1]:
                if layer.f != -1:
                    x = maps[layer.f] if isinstance(layer.f, int) else [x if f == -1 else maps[f] for f in layer.f]
                x = layer(x)
                maps.append(x)
            head = model.model[-1]
            for projection, f in zip(head.input_proj, head.f):
                projection(maps[f])
    model.names = NAMES
    # As a file of the package's trainer: a head that ran keeps what it made for its last input.
    head.shapes, head.anchors, head.valid_mask = [], torch.empty(0), torch.empty(0)
    return model.half().eval()


def save(model, path):
    checkpoint = {"date": "", "version": "8.4.190", "epoch": -1, "model": model, "ema": None, "train_args": {"imgsz": 256}}
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    with zipfile.ZipFile(buffer) as saved, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for entry in saved.namelist():
            packed.writestr(zipfile.ZipInfo(entry), saved.read(entry), zipfile.ZIP_DEFLATED)


def maps(activation, gradient):
    product = activation * gradient
    return {
        "gradcam": (gradient.mean((1, 2), keepdim=True) * activation).sum(0).relu(),
        "hirescam": product.sum(0).relu(),
        "elementwise": product.relu().sum(0),
        "layercam": (gradient.relu() * activation).sum(0).relu(),
    }


def contiguous_gradient(_, __, output):
    """PyTorch 2.13 on a CPU takes the gradient of a batch normalisation in eval mode for contiguous, whatever its strides are
    (where its input is contiguous). Behind those here maps become tokens, whose gradient comes back permuted."""
    if output.requires_grad:
        output.register_hook(lambda gradient: gradient.contiguous())


def figures(model):
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(contiguous_gradient)
    activations = {}
    for index in LAYERS:

        def keep(_, __, output, index=index):
            activations[index] = output.requires_grad_(True) if not output.requires_grad else output

        model.model[index].register_forward_hook(keep)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    pred, (boxes, logits, *_) = model(pattern())
    boxes, logits = boxes[0, 0], logits[0, 0]
    rows = logits.max(1).values.argsort(descending=True)[:2]
    classes = logits[rows].argmax(1)
    found = {
        "pred": pred,
        "dec_logits": logits[None],
        "dec_boxes": boxes[None],
        "row": rows,
        "class": classes,
        "logit": logits[rows, classes],
    }
    size = torch.tensor([WIDTH, HEIGHT])
    for place, (row, label) in enumerate(zip(rows, classes)):
        centre, sides = boxes[row, :2] * size, boxes[row, 2:] * size
        low, high = centre - sides / 2, centre + sides / 2
        targets = {"": logits[row, label]}
        targets |= {"/x1": low[0], "/y1": low[1], "/x2": high[0], "/y2": high[1], "/w": sides[0], "/h": sides[1]}
        for target, scalar in targets.items():
            layers = LAYERS if not target else LAYERS[-2:]
            gradients = torch.autograd.grad(scalar, [activations[layer] for layer in layers], retain_graph=True)
            for layer, gradient in zip(layers, gradients):
                for method, values in maps(activations[layer].detach()[0], gradient[0]).items():
                    if not target or method == "elementwise":
                        found[f"{place}/model.{layer}/{method}{target}"] = values
    return {name: values.detach().numpy() for name, values in found.items()}


model = network()
save(model, FOLDER / "rtdetr-small.pt")
np.savez_compressed(FOLDER / "rtdetr-small.npz", **figures(model.float()))
