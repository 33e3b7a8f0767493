#!/usr/bin/env python3
"""Compares the speed and the memory of two builds of yolo-cam.

    python3 scripts/compare_speed.py BEFORE AFTER [--rounds N] [--threads N] [--checkpoint FILE]

The two run in turns, so that what else the machine does slows both down. Beside the medians stands the least of all rounds,
which was disturbed least. AFTER is slower where both ratios are above 1 by more than a second run changes them. On a busy
machine processor time on one thread says most: threads that wait for each other are the first to suffer.
"""

import argparse
import collections
import re
import resource
import statistics
import subprocess
import tempfile
import time

# A method that versions before `auto` have too.
METHOD = ["--method", "gradcam"]
# What a stage was called in earlier versions.
RENAMED = {"backward": "maps"}


def processor_seconds():
    """What all programs took that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(binary, arguments):
    """Runs a binary. Returns the seconds from start to end, those of the processor, and what it said on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, *arguments, *METHOD, "-v", "--output-dir", folder]
        start, earlier = time.perf_counter(), processor_seconds()
        ended = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return time.perf_counter() - start, processor_seconds() - earlier, ended.stderr


def figures(wall, processor, said, tells_stages):
    """What a run took, by name: milliseconds and MiB."""
    found = {"start to end, ms": wall * 1e3, "processor time, ms": processor * 1e3}
    for line in re.findall(r"^time: (.+)$", said, re.MULTILINE) if tells_stages else ():
        for stage in line.split(", "):
            name, milliseconds, _ = stage.rsplit(" ", 2)
            found[f"{RENAMED.get(name, name)}, ms"] = float(milliseconds)
    found["peak memory, MiB"] = float(re.search(r"^memory: peak (\d+) MiB$", said, re.MULTILINE).group(1))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured (default: 15)")
    parser.add_argument("--threads", help="of each run (default: as the program decides)")
    parser.add_argument("--model", default="weights/yolov5s.torchscript")
    parser.add_argument("--checkpoint", help="a model as a checkpoint, which is loaded in another way")
    parser.add_argument("--image", default="images/dog.jpg")
    parser.add_argument("--images", default="images/")
    args = parser.parse_args()
    model, image = ["--model-path", args.model], ["--img-path", args.image]
    # What is run, and whether its stages are told apart: of several pictures they run into each other.
    works = {"one picture": ([*model, *image], True)}
    if args.checkpoint:
        works["one picture, checkpoint"] = (["--model-path", args.checkpoint, *image], True)
    works["several pictures"] = ([*model, "--img-path", args.images], False)
    works["eval of one picture"] = (["eval", *model, *image, "--steps", "5", "--top", "1"], False)
    threads = ["--threads", args.threads] if args.threads else []
    measured = collections.defaultdict(lambda: ([], []))
    for turn in range(args.rounds + 1):
        for work, (arguments, tells_stages) in works.items():
            # Each comes first as often as the other.
            for side in (0, 1) if turn % 2 else (1, 0):
                found = figures(*run((args.before, args.after)[side], [*arguments, *threads]), tells_stages)
                # The first turn only warms up: files come from the disk.
                for name, value in found.items() if turn else ():
                    measured[f"{work}: {name}"][side].append(value)
    print(f"{'':<44}{'median':>18}{'':>8}{'least':>20}")
    print(f"{'':<44}{'before':>9}{'after':>9}{'ratio':>8}{'before':>11}{'after':>9}{'ratio':>8}")
    for name, sides in measured.items():
        # Stages that one of the two does not have.
        if not all(sides):
            continue
        row = f"{name:<44}"
        for figure, width in ((statistics.median, 9), (min, 11)):
            before, after = (figure(side) for side in sides)
            row += f"{before:>{width}.1f}{after:>9.1f}{after / max(before, 0.1):>8.3f}"
        print(row)


if __name__ == "__main__":
    main()
