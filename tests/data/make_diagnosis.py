"""Writes diagnosis.json: what pycocotools and tidecv make of 200 pictures with random labels and detections.

    pip install pycocotools==2.0.11 tidecv==1.0.1
    python tests/data/make_diagnosis.py
"""

import contextlib
import io
import json
import pathlib
import tempfile

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tidecv import TIDE, datasets
from tidecv.errors.main_errors import (
    BackgroundError, BoxError, ClassError, DuplicateError, FalseNegativeError, FalsePositiveError, MissedError, OtherError,
)

PICTURES, CLASSES, SIDE = 200, 6, 512
KINDS = {
    "class": ClassError, "localization": BoxError, "both": OtherError, "duplicate": DuplicateError,
    "background": BackgroundError, "missed": MissedError,
}


def single(value):
    """As the product has it: a number of 32 bits."""
    return float(np.float32(value))


def corners(random, low=12, high=160):
    width, height = random.uniform(low, high, 2)
    x, y = random.uniform(0, SIDE - width), random.uniform(0, SIDE - height)
    return [single(round(v, 2)) for v in (x, y, x + width, y + height)]


def moved(box, random, amount):
    """About the same box, moved and stretched by shares of its sides."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    x1, x2 = x1 + random.normal(0, amount) * w, x2 + random.normal(0, amount) * w
    y1, y2 = y1 + random.normal(0, amount) * h, y2 + random.normal(0, amount) * h
    return [single(round(v, 2)) for v in (min(x1, x2), min(y1, y2), max(x1, x2) + 1, max(y1, y2) + 1)]


def drawn(random):
    """The labels [class, box, is_crowd] and detections [class, confidence, box] of a picture. The last class has no object."""
    labels = [[int(random.integers(CLASSES - 1)), corners(random), bool(random.random() < 0.08)]
              for _ in range(random.integers(0, 9))]
    found = []
    for class_id, box, is_crowd in labels:
        for _ in range(random.choice([0, 1, 1, 1, 2, 3])):
            other = int(random.integers(CLASSES))
            found.append([other if random.random() < 0.2 else class_id, moved(box, random, random.choice([0.03, 0.1, 0.3]))])
    # One picture has more than either package looks at.
    for _ in range(140 if random.random() < 0.01 else random.poisson(2)):
        found.append([int(random.integers(CLASSES)), corners(random)])
    # No two confidences are the same, so that nothing depends on the order of equals.
    return labels, [[class_id, single(random.beta(1.2, 2)), box] for class_id, box in found]


def xywh(box):
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def coco_files(pictures, folder):
    images, annotations, results = [], [], []
    for image, (labels, found) in enumerate(pictures, 1):
        images.append({"id": image, "file_name": f"{image}.jpg", "width": SIDE, "height": SIDE})
        for class_id, box, is_crowd in labels:
            x, y, w, h = xywh(box)
            annotations.append({"id": len(annotations) + 1, "image_id": image, "category_id": class_id + 1, "bbox": [x, y, w, h],
                                "area": w * h, "iscrowd": int(is_crowd), "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]]})
        results += [{"image_id": image, "category_id": class_id + 1, "bbox": xywh(box), "score": confidence}
                    for class_id, confidence, box in found]
    categories = [{"id": class_id + 1, "name": str(class_id)} for class_id in range(CLASSES)]
    truth = folder / "truth.json"
    truth.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories, "info": {}}))
    (folder / "results.json").write_text(json.dumps(results))
    return str(truth), str(folder / "results.json")


def average_precision(truth, results):
    coco = COCO(truth)
    evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    # [threshold, recall, class], of objects of any size, with at most 100 boxes.
    precision = evaluation.eval["precision"][:, :, :, 0, 2]

    def mean(values):
        values = values[values > -1]
        return float(values.mean()) if values.size else None

    classes = [None if mean(precision[:, :, k]) is None else
               {"ap": mean(precision[:, :, k]), "ap50": mean(precision[0, :, k]), "ap75": mean(precision[5, :, k])}
               for k in range(CLASSES)]
    return {"ap": mean(precision), "ap50": mean(precision[0]), "ap75": mean(precision[5]), "classes": classes}


def errors(truth, results):
    tide = TIDE()
    run = tide.evaluate(datasets.COCO(truth), datasets.COCOResult(results), mode=TIDE.BOX)
    fixed, counts, special = run.fix_main_errors(), run.count_errors(), run.fix_special_errors()
    of_box = {error.pred["_id"]: name for name, kind in KINDS.items() for error in run.error_dict[kind] if hasattr(error, "pred")}
    with open(results, encoding="utf-8") as file:
        count = len(json.load(file))
    return {
        "ap": run.ap / 100,
        "kinds": {name: {"count": counts[kind], "delta_ap": fixed[kind] / 100} for name, kind in KINDS.items()},
        "false_positives": special[FalsePositiveError] / 100,
        "false_negatives": special[FalseNegativeError] / 100,
        # Of each detection in its order; null where it is right, or where the package does not look at it.
        "of_boxes": [of_box.get(index) for index in range(count)],
    }


def main():
    random = np.random.default_rng(20)
    pictures = [drawn(random) for _ in range(PICTURES)]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        truth, results = coco_files(pictures, pathlib.Path(folder))
        figures = {"coco": average_precision(truth, results), "tide": errors(truth, results)}
    figures["pictures"] = [{"labels": labels, "found": found} for labels, found in pictures]
    path = pathlib.Path(__file__).with_name("diagnosis.json")
    path.write_text(json.dumps(figures, separators=(",", ":")) + "\n", encoding="utf-8")
    print({name: figures["coco"][name] for name in ("ap", "ap50", "ap75")}, figures["tide"]["kinds"])


main()
