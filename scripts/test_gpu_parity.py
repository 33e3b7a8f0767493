"""python3 -m unittest discover -s scripts"""

import array
import contextlib
import io
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import gpu_parity


def npy(values, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + array.array("f", values).tobytes()
    )


def found(class_id=0, confidence=0.8, left=10.0, heat="dog-res-0.npy"):
    box = [left, 10.0, 50.0, 60.0]
    return {"class_id": class_id, "class": f"class{class_id}", "confidence": confidence, "box_image": box, "map": heat}


class GpuParity(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_with(self, detections, heat=(0.0, 0.5, 1.0, 0.25)):
        """Exit code and line of a comparison of one good detection with these."""
        for name, content, values in (("a", [found()], (0.0, 0.5, 1.0, 0.25)), ("b", detections, heat)):
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name / "dog-res.json").write_text(json.dumps({"detections": content}))
            (self.folder / name / "dog-res-0.npy").write_bytes(npy(values, (2, 2)))
        words = ["", str(self.folder / "a"), str(self.folder / "b"), "test", str(self.folder / "table")]
        said = io.StringIO()
        with (
            mock.patch.object(sys, "argv", words),
            contextlib.redirect_stdout(said),
            self.assertRaises(SystemExit) as ended,
        ):
            gpu_parity.main()
        return ended.exception.code, said.getvalue()

    def test_what_is_near_is_good(self):
        code, said = self.run_with([found(confidence=0.805, left=10.5)], heat=(0.01, 0.5, 0.99, 0.25))
        self.assertFalse(code, said)
        self.assertIn("1 boxes, all within the tolerances; at most 0.00500 of confidence", said)
        self.assertIn("0.500 pixels", said)
        self.assertEqual(len((self.folder / "table").read_text().splitlines()), 1)

    def test_what_is_far_is_bad(self):
        for detections, heat in (
            ([found(confidence=0.7)], (0.0, 0.5, 1.0, 0.25)),
            ([found(left=12.0)], (0.0, 0.5, 1.0, 0.25)),
            ([found()], (0.0, 0.25, 0.5, 0.125)),
            ([found(heat=None)], (0.0, 0.5, 1.0, 0.25)),
            ([found(class_id=1)], (0.0, 0.5, 1.0, 0.25)),
            ([], (0.0, 0.5, 1.0, 0.25)),
            ([found(), found(class_id=1)], (0.0, 0.5, 1.0, 0.25)),
        ):
            with self.subTest(detections=detections, heat=heat):
                self.assertTrue(self.run_with(detections, heat)[0])

    def test_a_box_at_the_threshold_may_be_missing(self):
        self.assertFalse(self.run_with([found(), found(class_id=1, confidence=0.405)])[0])

    def test_correlation(self):
        self.assertAlmostEqual(gpu_parity.correlation([0, 1, 2], [1, 3, 5]), 1)
        self.assertAlmostEqual(gpu_parity.correlation([0, 1, 2], [2, 1, 0]), -1)
        self.assertEqual(gpu_parity.correlation([0, 0], [0, 0]), 1)
        self.assertFalse(math.isnan(gpu_parity.correlation([0, 0], [0, 1])))


if __name__ == "__main__":
    unittest.main()
