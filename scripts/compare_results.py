#!/usr/bin/env python3
"""Compares the results of two builds of yolo-cam, byte by byte.

    python3 scripts/compare_results.py BEFORE AFTER [--model FILE] [--images FOLDER]

Each binary explains the pictures once by every method that runs the network once, on one thread. Result pictures, raw maps
and report.csv have to be the same bytes; JSON is compared as well, and what differs there is told, but is no failure.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile


def methods(binary):
    """The methods that need no further forward passes, from the binary's own list."""
    table = subprocess.run([binary, "methods"], check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    return [row.split()[0] for row in table if row.split()[1] in ("gradient", "activations")]


def explain(binary, method, model, images, folder):
    command = [binary, "--model-path", model, "--img-path", images, "--output-dir", folder, "--method", method]
    command += ["--threads", "1", "--report", "json,csv", "--raw", "--quiet"]
    subprocess.run(command, check=True)
    files = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    # Hidden files are the program's own.
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.startswith(".")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--model", default="weights/yolov5s.torchscript")
    parser.add_argument("--images", default="images/")
    args = parser.parse_args()
    differences, compared = 0, 0
    for method in methods(args.before):
        results = []
        for binary in (args.before, args.after):
            with tempfile.TemporaryDirectory() as folder:
                results.append(explain(binary, method, args.model, args.images, folder))
        before, after = results
        for name in sorted(before.keys() | after.keys()):
            compared += 1
            if before.get(name) == after.get(name):
                continue
            if name.endswith(".json") and name in before and name in after:
                print(f"{method}: {name} differs, which JSON may")
                continue
            differences += 1
            missing = "before" if name not in before else "after" if name not in after else None
            print(f"{method}: {name} " + (f"is missing {missing}" if missing else "differs"))
    print(f"{compared} files compared, {differences} differ")
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
