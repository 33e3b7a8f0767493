"""Tests of test_summary.py, run by `make test`."""

import unittest

from test_summary import summary


class SummaryTest(unittest.TestCase):
    def test_each_check_is_counted_once_and_skipped_ones_are_named(self):
        lines = ["compared\ta\tdog", "compared\tb\tdog", "skipped\tc\tno ffmpeg", "skipped\tc\tno ffmpeg", "half"]
        self.assertEqual(
            list(summary(lines)),
            [
                "skipped: c: no ffmpeg",
                "compared with PyTorch's figures: 1 models and pictures; skipped: 1 checks",
            ],
        )

    def test_nothing_is_nothing(self):
        self.assertEqual(list(summary([]))[-1], "compared with PyTorch's figures: 0 models and pictures; skipped: 0 checks")


if __name__ == "__main__":
    unittest.main()
