#!/usr/bin/env python3
"""Prints what the tests compared with PyTorch's figures, and what they skipped.

    python3 scripts/test_summary.py FILE

FILE has a line for each: `compared` or `skipped`, the test, and what; the test binaries write it where YOLO_CAM_CHECKS says.
"""

import pathlib
import sys


def summary(lines):
    """The lines to print; the last one has the counts."""
    checks = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
    compared = {what for kind, _, what in checks if kind == "compared"}
    skipped = {(test, what) for kind, test, what in checks if kind == "skipped"}
    for test in sorted({test for test, _ in skipped}):
        yield f"skipped: {test}: " + "; ".join(sorted(what for name, what in skipped if name == test))
    yield f"compared with PyTorch's figures: {len(compared)} models and pictures; skipped: {len(skipped)} checks"


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1])
    print("\n".join(summary(path.read_text(encoding="utf-8").splitlines() if path.exists() else [])))
