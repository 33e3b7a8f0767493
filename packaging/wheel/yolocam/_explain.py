"""Explains pictures by running the program and reading what it wrote."""

import json
import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ._launcher import PROGRAM, Unusable, environment


class PillowImage(Protocol):
    """What is asked of a PIL image, so that PIL need not be there."""

    def convert(self, mode: str, /) -> Any:
        """The image in another mode."""


Image = str | os.PathLike[str] | PillowImage | npt.NDArray[np.uint8]
"""A path, a PIL image, or an array ``(height, width, 3)`` of uint8 in the order red, green, blue."""


class YoloCamError(RuntimeError):
    """What the program said in one line: what was found, what was expected, and what to do."""


@dataclass(frozen=True)
class MapGrid:
    """Where the cells of a map lie.

    The cell in row ``r`` and column ``c`` reaches from ``offset_x + c * scale_x`` to ``offset_x + (c + 1) * scale_x`` pixels
    of the picture, and likewise down. Where the network's input is padded, cells lie outside the picture.
    """

    width: int
    """Columns."""
    height: int
    """Rows."""
    offset_x: float
    """Left edge of the first column, in pixels of the picture."""
    offset_y: float
    """Upper edge of the first row, in pixels of the picture."""
    scale_x: float
    """Width of a cell, in pixels of the picture."""
    scale_y: float
    """Height of a cell, in pixels of the picture."""


@dataclass(frozen=True)
class Detection:
    """A box, or a class of a whole picture, and what made the network say so."""

    class_id: int
    """Number of the class, from 0."""
    class_name: str
    """Name of the class, as the model has it."""
    confidence: float
    """0 to 1, as the detector gives it."""
    box: tuple[float, float, float, float] | None
    """x1, y1, x2, y2 in pixels of the picture. None where a classifier speaks of the whole picture."""
    map: npt.NDArray[np.float32] | None = field(repr=False)
    """The heat, float32 ``[height, width]``, at least 0 and not normalised; divide it by ``map.max()`` to compare shapes. None
    where the map has no signal, for which ``reason`` tells why."""
    map_grid: MapGrid | None = field(repr=False)
    """Where the cells of ``map`` lie in the picture; None where there is no map."""
    layers: tuple[str, ...]
    """The layers whose maps were fused."""
    reason: str | None = None
    """Why the map has no signal, and which layer works; None where it has."""
    mask: dict[str, Any] | None = field(default=None, repr=False)
    """Of networks that segment: ``size`` (height, width) and ``counts``, COCO's run-length encoding; ``area`` in pixels."""
    keypoints: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    """Of pose models: of each keypoint ``x`` and ``y`` in pixels of the picture, ``visibility`` and ``name`` where there are such."""
    rotated: dict[str, Any] | None = field(default=None, repr=False)
    """Of models of rotated boxes: ``cx``, ``cy``, ``w``, ``h`` and ``corners`` in pixels of the picture, ``angle`` in radians. ``box`` is
    the box around it."""


def explain(
    model_path: str | os.PathLike[str],
    image: Image,
    *,
    method: str = "auto",
    target: str = "auto",
    target_layer: str = "auto",
    conf_thres: float | None = None,
    iou_thres: float | None = None,
    img_size: int | None = None,
    map_size: Literal["feature", "input", "image"] = "feature",
    device: str = "cpu",
    flags: Sequence[str] = (),
) -> list[Detection]:
    """Finds objects in a picture, and explains each.

    Args:
        model_path: A checkpoint or a TorchScript file, or the name of an official model, which is downloaded into the user's
            cache (``flags=["--offline"]`` forbids that).
        image: A path, a PIL image, or an array ``(height, width, 3)`` of uint8 in the order red, green, blue (OpenCV has the
            opposite: ``frame[..., ::-1]``). A path is turned as its EXIF data say; the others are taken as they are.
        method: How activations and gradients become a map; ``yolo-cam methods`` lists them. ``auto`` suits the model.
        target: What to explain about each box: ``logit``, ``prob``, ``conf``, ...
        target_layer: Layers such as ``"model.23.cv3.act"`` or ``"17,20"``; ``auto`` takes what suits the method and the box.
        conf_thres: Least confidence, 0 to 1. Of detectors 0.4 if None; of classifiers none.
        iou_thres: Boxes of one class that overlap more than this, 0 to 1, count as one. If None, as in the model's package.
        img_size: Longest side of the network's input in pixels. If None, what the model was made for.
        map_size: Resolution of the maps: ``feature`` (that of the layer), ``input`` (that of the network's input, padding
            included), or ``image`` (that of the picture).
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        flags: Further flags of the command line, such as ``["--classes", "dog", "--top", "3"]``.

    Returns:
        The detections in order of confidence; an empty list where nothing is found.

    Raises:
        YoloCamError: if the program cannot start, or the model or the picture cannot be used; its text is the program's line.
        TypeError: if ``image`` is none of these.
        ValueError: if an array has another shape or type.
    """
    (detections,) = explain_all(
        model_path,
        [image],
        method=method,
        target=target,
        target_layer=target_layer,
        conf_thres=conf_thres,
        iou_thres=iou_thres,
        img_size=img_size,
        map_size=map_size,
        device=device,
        flags=flags,
    )
    return detections


def explain_all(
    model_path: str | os.PathLike[str],
    images: Iterable[Image],
    *,
    method: str = "auto",
    target: str = "auto",
    target_layer: str = "auto",
    conf_thres: float | None = None,
    iou_thres: float | None = None,
    img_size: int | None = None,
    map_size: Literal["feature", "input", "image"] = "feature",
    device: str = "cpu",
    flags: Sequence[str] = (),
) -> list[list[Detection]]:
    """Explains many pictures in one run, which loads the model once.

    All maps are in memory at the end. With ``map_size="image"`` each takes 4 bytes for each pixel of its picture.

    Args:
        model_path, images and the others: as for :func:`explain`.

    Returns:
        For each picture, in the order given, what :func:`explain` returns.

    Raises:
        YoloCamError: as :func:`explain`, on account of the first picture that cannot be used.
    """
    if map_size not in ("feature", "input", "image"):
        raise ValueError(f"map_size is {map_size!r}, expected 'feature', 'input' or 'image'")
    settings = {
        "--method": method,
        "--target": target,
        "--target-layer": target_layer,
        "--conf-thres": conf_thres,
        "--iou-thres": iou_thres,
        "--img-size": img_size,
        "--raw-size": map_size,
        "--device": device,
    }
    with tempfile.TemporaryDirectory(prefix="yolo-cam-") as work:
        pictures, results = Path(work, "pictures"), Path(work, "results")
        pictures.mkdir()
        paths, names = [], []
        for index, image in enumerate(images):
            paths.append(_provide(image, pictures, index))
            names.append(os.fspath(image) if isinstance(image, str | os.PathLike) else f"image {index}")
        if not paths:
            return []
        # One path on each line, which a folder's name may not break.
        listing = Path(work, "list.txt")
        listing.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        command = [str(PROGRAM), f"--model-path={os.fspath(model_path)}", f"--img-path=@{listing}"]
        command += [f"--output-dir={results}", "--raw=npy", "--json-lines", "--quiet", "--no-config"]
        for name, value in settings.items():
            if value is not None:
                command.append(f"{name}={value}")
        try:
            lines = _run([*command, *flags])
            answers = {line["image"]["path"]: line for line in lines}
            return [_detections(answers.get(str(path)), path, results) for path in paths]
        except YoloCamError as error:
            # The program knows the pictures by our names alone.
            told = str(error)
            for path, name in zip(paths, names, strict=True):
                told = told.replace(str(path), name)
            raise YoloCamError(told) from None


def _provide(image: Image, folder: Path, index: int) -> Path:
    """A file with the picture, under a name of our own."""
    if isinstance(image, str | os.PathLike):
        path = folder / f"{index:06}{Path(image).suffix}"
        try:
            # No link: the program explains a file once, however many lead to it.
            shutil.copyfile(image, path)
        except OSError as error:
            raise YoloCamError(f'"{os.fspath(image)}" cannot be read: {error.strerror}; check the path') from None
        return path
    if hasattr(image, "convert"):  # PIL's, without importing it
        image = image.convert("RGB")
    elif not isinstance(image, np.ndarray):
        raise TypeError(f"image is {type(image).__name__}, expected a path, a PIL image or an array")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(f"image has shape {array.shape} and type {array.dtype}, expected (height, width, 3) and uint8")
    path = folder / f"{index:06}.png"
    path.write_bytes(_png(array))
    return path


def _png(array: npt.NDArray[np.uint8]) -> bytes:
    """The pixels as a PNG, which keeps each value. Not compressed: it is read once."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = array.shape
    # Before each row stands the number of its filter, here none.
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = array.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), level=0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _run(command: list[str]) -> list[dict[str, Any]]:
    """What the program says of each picture."""
    try:
        ended = subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except Unusable as error:
        raise YoloCamError(str(error)) from None
    except OSError as error:
        raise YoloCamError(f"{command[0]} does not start: {error.strerror}") from None
    said = ended.stderr.decode("utf-8", "replace").strip()
    lines = [json.loads(line) for line in ended.stdout.decode("utf-8").splitlines() if line.startswith("{")]
    # 1: some pictures failed, of which their lines tell.
    if ended.returncode not in (0, 1) or not lines:
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        told = errors[0][len("error: ") :] if errors else said or "it said nothing"
        raise YoloCamError(told if ended.returncode > 0 else f"the program ended with {ended.returncode}: {told}")
    return lines


def _detections(line: dict[str, Any] | None, path: Path, results: Path) -> list[Detection]:
    """What a line tells of one picture, with the maps."""
    if line is None:  # the program has a line for each frame, under names of its own
        raise YoloCamError(f'"{path}" holds more than one picture; expected a single one')
    if "error" in line:
        raise YoloCamError(line["error"])
    return [_detection(found, results) for found in line["detections"]]


def _detection(found: dict[str, Any], results: Path) -> Detection:
    box = found.get("box_image")
    grid = found["map_grid"]
    return Detection(
        class_id=found["class_id"],
        class_name=found["class"],
        confidence=found["confidence"],
        box=tuple(box) if box else None,
        map=np.load(results / found["map"]) if found["map"] else None,
        map_grid=MapGrid(**grid) if grid else None,
        layers=tuple(found["layers"]),
        reason=found["reason"],
        mask=found.get("mask"),
        keypoints=tuple(found.get("keypoints", ())),
        rotated=found.get("rotated"),
    )
