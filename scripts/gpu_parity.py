#!/usr/bin/env python3
"""Compares detections and maps of two runs of yolo-cam, of which one ran on another device or in another number format.

    gpu_parity.py RUN OTHER NAME TABLE

RUN and OTHER are output folders of `--raw`. A row for each box is appended to TABLE, beginning with NAME; one line on stdout
sums them up. Fails where they are further apart than sums in another order, and convolutions in TF32 (10 bits of mantissa, the
default on GPUs since Ampere), explain.
"""

import array
import ast
import json
import math
import sys
from pathlib import Path

# The least confident boxes may come and go at the threshold: no more than so near to it.
CONFIDENCE = 0.01
# Pixels of the picture.
BOX = 1.0
# Of the map's largest value.
MAP = 0.05
CORRELATION = 0.995


def load(path):
    """The values of a .npy file of f32, and its shape."""
    data = Path(path).read_bytes()
    # Magic, version 1.0, length of the header.
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError(f"{path} is no .npy file of version 1.0")
    end = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:end].decode())
    if header["descr"] != "<f4" or header["fortran_order"]:
        raise ValueError(f"{path} holds {header}, expected f32 in C order")
    return array.array("f", data[end:]), header["shape"]


def correlation(a, b):
    """Pearson's, of two lists of numbers; 1 where both are constant."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    spread = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b)) / spread if spread else float(list(a) == list(b))


def compare(one, other, folders):
    """Of two detections: differences of confidence, box and map, and the maps' correlation (both of a missing map None)."""
    confidence = abs(one["confidence"] - other["confidence"])
    box = max(abs(a - b) for a, b in zip(one.get("box_image", [0]), other.get("box_image", [0])))
    if not one["map"] or not other["map"]:
        return confidence, box, None if one["map"] == other["map"] else math.inf, None
    (a, shape_a), (b, shape_b) = (load(folder / found["map"]) for folder, found in zip(folders, (one, other)))
    if shape_a != shape_b:
        return confidence, box, math.inf, 0.0
    # Both in shares of the same value, so that a map that is only weaker is seen.
    peak = max(max(a), 1e-30)
    return confidence, box, max(abs(x - y) for x, y in zip(a, b)) / peak, correlation(a, b)


def pairs(ours, theirs, threshold):
    """Detections of one picture by class and place; what has no partner and is not at the threshold is returned as missing."""
    left, matched, missing = list(theirs), [], []
    for one in ours:
        near = [
            other
            for other in left
            if other["class_id"] == one["class_id"]
            and max(abs(a - b) for a, b in zip(one.get("box_image", [0]), other.get("box_image", [0]))) <= 20 * BOX
        ]
        if near:
            other = min(near, key=lambda other: abs(other["confidence"] - one["confidence"]))
            left.remove(other)
            matched.append((one, other))
        else:
            missing.append(one)
    return matched, [found for found in missing + left if found["confidence"] > threshold + CONFIDENCE]


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    folders, name, table = (Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3], sys.argv[4]
    reports = sorted(folders[0].glob("*-res.json"))
    worst, count, bad = [0.0, 0.0, 0.0, 1.0], 0, 0
    with open(table, "a", encoding="utf-8") as rows:
        for report in reports:
            ours, theirs = (json.loads((folder / report.name).read_text())["detections"] for folder in folders)
            matched, missing = pairs(ours, theirs, 0.4)
            for one, other in matched:
                confidence, box, heat, alike = compare(one, other, folders)
                is_bad = (
                    confidence > CONFIDENCE
                    or box > BOX
                    or (heat or 0) > MAP
                    or (alike is not None and alike < CORRELATION)
                )
                cells = [name, report.name, one["class"], f"{confidence:.5f}", f"{box:.3f}"]
                cells += [
                    "" if heat is None else f"{heat:.5f}",
                    "" if alike is None else f"{alike:.6f}",
                    "bad" if is_bad else "ok",
                ]
                rows.write("\t".join(cells) + "\n")
                worst = [
                    max(worst[0], confidence),
                    max(worst[1], box),
                    max(worst[2], heat or 0),
                    min(worst[3], 1 if alike is None else alike),
                ]
                count, bad = count + 1, bad + is_bad
            for found in missing:
                rows.write("\t".join([name, report.name, found["class"], "", "", "", "", "missing"]) + "\n")
                bad += 1
    verdict = f"{bad} of them bad" if bad else "all within the tolerances" if count else "nothing was compared"
    print(
        f"{count} boxes, {verdict}; at most {worst[0]:.5f} of confidence (allowed {CONFIDENCE}), "
        f"{worst[1]:.3f} pixels ({BOX}), {worst[2]:.5f} of the map's peak ({MAP}); "
        f"least correlation {worst[3]:.6f} ({CORRELATION})"
    )
    sys.exit(bool(bad) or not count)


if __name__ == "__main__":
    main()
