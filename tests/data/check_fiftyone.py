"""Imports what `diagnose --report json,fiftyone` wrote with the package fiftyone, and holds it against diagnose.json.

    yolo-cam diagnose --model-path tests/data/shortcut/planted.pt --img-path tests/data/shortcut/images --img-size 128 \
        --output-dir OUT --report json,fiftyone
    pip install fiftyone==1.22.1
    python tests/data/check_fiftyone.py OUT

All from the root of the repository. Passed with fiftyone 1.22.1 and 1.0.2, MongoDB 6.0.5 and Python 3.11. The package needs a MongoDB
server: its own, which pip fetches from MongoDB's site, or the one that FIFTYONE_DATABASE_URI names.
"""

import collections
import json
import pathlib
import sys

import fiftyone as fo
from fiftyone import ViewField as F

# Of the JSON's numbers of 32 bits.
TOLERANCE = 1e-6


def imported(folder):
    """As the manual says."""
    return fo.Dataset.from_dir(dataset_dir=str(folder), dataset_type=fo.types.FiftyOneDataset, dynamic=True)


def imported_by_sample(folder):
    """As it can be done without the importer."""
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample.from_dict(sample) for sample in samples], dynamic=True)
    return dataset


def close(found, expected):
    return all(abs(a - b) < TOLERANCE for a, b in zip(found, expected, strict=True))


def relative(corners, sample):
    """A box of diagnose.json as the package has it."""
    width, height = sample.metadata.width, sample.metadata.height
    x1, y1, x2, y2 = corners
    x1, x2 = (min(max(x, 0), width) / width for x in (x1, x2))
    y1, y2 = (min(max(y, 0), height) / height for y in (y1, y2))
    return [x1, y1, x2 - x1, y2 - y1]


def check_looks(detection, case):
    """What is said of the map of a case."""
    evidence = case.get("evidence")
    assert detection.case == case["index"]
    if evidence is None:
        assert not detection.has_attribute("heat_object") and case.get("reason"), case
        return
    assert abs(detection["heat_object"] - evidence["object"]) < TOLERANCE, (detection, case)
    focus = evidence["focus"]
    words = detection["looks"]
    assert words == "object" if focus == "object" else words.startswith("other ") or words.endswith(" the object"), words
    map_of_it = pathlib.Path(detection["map_path"])
    assert map_of_it.is_absolute() and map_of_it.is_file(), map_of_it


def check_sample(sample, cases):
    """A picture: its labels, detections and heat. `cases`: those of diagnose.json."""
    assert pathlib.Path(sample.filepath).is_file() and sample.media_type == "image"
    predictions = [case for case in cases if case["kind"] != "missed"]
    missed = [case for case in cases if case["kind"] == "missed"]
    found = sample.predictions.detections
    assert len(found) == len(predictions), sample.filepath
    for detection, case in zip(found, predictions):
        assert (detection.label, detection["kind"]) == (case["class"], case["kind"])
        assert close(detection.bounding_box, relative(case["box_image"], sample)), (detection, case)
        assert close([detection.confidence, detection["iou"]], [case["confidence"], case["iou"]])
        if case["label_class"] is not None:
            assert detection["label_class"] == case["label_class"]
        check_looks(detection, case)
    objects = sample.ground_truth.detections if sample.ground_truth else []
    marked = [label for label in objects if label["missed"]]
    assert len(marked) == len(missed), sample.filepath
    by_index = {case["label"]: case for case in missed}
    for index, label in enumerate(objects):
        case = by_index.get(index)
        assert label["missed"] == (case is not None)
        if case is not None:
            assert (label.label, label["fate"]) == (case["label_class"], case["fate"])
            assert close(label.bounding_box, relative(case["label_box"], sample)), (label, case)
            check_looks(label, case)
    check_heat(sample, [*found, *marked])


def check_heat(sample, detections):
    """The picture's heatmap, as the package reads it: the largest of the boxes' own, as it reads these."""
    maps = [detection["map_path"] for detection in detections if detection.has_attribute("map_path")]
    if not maps:
        assert sample.heat is None
        return
    heat = sample.heat.get_map()
    assert heat.ndim == 2 and heat.dtype == "uint8" and sample.heat.range == [0, 255]
    width, height = sample.metadata.width, sample.metadata.height
    assert abs(heat.shape[1] / heat.shape[0] / (width / height) - 1) < 0.05, "it covers the picture"
    levels = [fo.Heatmap(map_path=path).get_map() for path in maps]
    largest = levels[0].astype(int)
    for level in levels[1:]:
        largest = largest.clip(level)
    # Each decoder of JPEG rounds in its own way.
    largest = largest if largest.ndim == 2 else largest.max(axis=2)
    assert abs(heat.astype(int) - largest).max() <= 3 and heat.max() > 200


def check(dataset, report):
    dataset.compute_metadata()
    cases = collections.defaultdict(list)
    for case in report["cases"]:
        cases[str(pathlib.Path(case["image"]).absolute())].append(case)
    assert len(dataset) == report["pictures"]
    assert dataset.count("ground_truth.detections") == report["objects"]
    for sample in dataset:
        check_sample(sample, cases[sample.filepath])
    # What the App filters by is declared, and finds the same.
    schema = dataset.get_field_schema(flat=True)
    for field in ("kind", "iou", "heat_object", "looks", "map_path"):
        assert f"predictions.detections.{field}" in schema, field
    kinds = collections.Counter(case["kind"] for case in report["cases"])
    missed = kinds.pop("missed", 0)
    assert dataset.count_values("predictions.detections.kind") == dict(kinds)
    assert dataset.filter_labels("ground_truth", F("missed")).count("ground_truth.detections") == missed
    assert dataset.exists("heat").count() == len({path for path in cases if cases[path]})
    return kinds, missed


def main(out):
    folder = out / "fiftyone"
    report = json.loads((out / "diagnose.json").read_text())
    dataset = imported(folder)
    kinds, missed = check(dataset, report)
    assert dataset.default_classes == report["classes"] and dataset.info["suspicions"] == report["suspicions_in_words"]
    check(imported_by_sample(folder), report)
    print(f"fiftyone {fo.__version__}: {len(dataset)} pictures, {dict(kinds)}, {missed} missed: as in diagnose.json")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
