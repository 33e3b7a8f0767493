"""Writes shapes.json: outlines of known shapes with their Fourier descriptors, from the definition with numpy's FFT."""

import json
from pathlib import Path

import numpy as np

SAMPLES = 512
COUNT = 20


def descriptors(polygon):
    points = np.asarray(polygon, dtype=float)
    closed = np.vstack([points, points[:1]])
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.arange(SAMPLES) * way[-1] / SAMPLES
    z = np.interp(at, way, closed[:, 0]) + 1j * np.interp(at, way, closed[:, 1])
    area = 0.5 * np.sum(closed[:-1, 0] * closed[1:, 1] - closed[1:, 0] * closed[:-1, 1])
    if area < 0:
        z = z[::-1]
    u = np.fft.fft(z) / SAMPLES
    return (np.abs(u[1 : COUNT + 1]) / np.abs(u[1])).tolist()


def main():
    angle = np.arange(360) * np.pi / 180
    shapes = {
        "circle": np.column_stack([200 + 80 * np.cos(angle), 150 + 80 * np.sin(angle)]),
        "ellipse": np.column_stack([200 + 120 * np.cos(angle), 150 - 50 * np.sin(angle)]),
        "square": [(20, 30), (180, 30), (180, 190), (20, 190)],
        "l-shape": [(10, 10), (70, 10), (70, 130), (160, 130), (160, 190), (10, 190)],
        "hand": [
            (60, 220), (40, 150), (10, 110), (22, 100), (55, 130), (58, 40), (72, 38), (80, 120),
            (95, 20), (110, 22), (108, 122), (135, 45), (148, 50), (135, 140), (120, 220),
        ],
    }
    entries = [
        {"name": name, "points": np.asarray(points, dtype=float).tolist(), "descriptors": descriptors(points)}
        for name, points in shapes.items()
    ]
    Path(__file__).with_name("shapes.json").write_text(json.dumps(entries) + "\n")


if __name__ == "__main__":
    main()
