#!/usr/bin/env python3
"""Explain pictures on a Ray cluster: a task for each shard, then one that merges them into one report.

    python examples/ray/run.py --model-path best.pt --img-path s3-mount/ --shards 64 --output-dir out [-- OPTION...]

All nodes see the same files under the same paths, and have yolo-cam on the PATH or where YOLO_CAM says. What follows `--`
goes to yolo-cam. The cluster is the one that RAY_ADDRESS names or that runs here; without one, this machine is used.

Ray runs a task again if its node is lost or its process is killed; it then goes on with the next picture. After a failure call
this script again with the same arguments. Exit codes: 0 done, 1 some pictures failed, 2 nothing was merged.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys

import ray

REPORT = ["--report", "html,csv,json"]
# Linux: the signal that a process gets when the one that started it is gone.
PR_SET_PDEATHSIG = 1


class Killed(Exception):
    """The process was ended from outside; the next try goes on."""


class Refused(Exception):
    """yolo-cam refuses this call; another try would be the same."""


@ray.remote
def run(command, folder):
    """Runs yolo-cam in `folder` on some node; returns whether all pictures could be explained."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def end_with_worker():
        # Where a worker is lost but its machine is not, the process would go on beside the next try.
        if libc:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    try:
        done = subprocess.run(
            command, cwd=folder, stderr=subprocess.PIPE, text=True, errors="replace", preexec_fn=end_with_worker
        )
    except OSError as error:
        raise Refused(f"cannot run {command[0]} in {folder}: {error}") from None
    if done.returncode in (0, 1):
        return done.returncode == 0
    said = " / ".join(done.stderr.splitlines()[-5:])
    if done.returncode == 2:
        raise Refused(said)
    raise Killed(f"yolo-cam ended with {done.returncode}: {said}")


def reason(error):
    """What the task raised, or else what Ray says."""
    return str(getattr(error, "cause", None) or error)


def explain_and_merge(args):
    program = os.environ.get("YOLO_CAM", "yolo-cam")
    explain = [program, "--model-path", args.model_path, "--img-path", *args.img_path, "--output-dir", args.output_dir]
    explain += ["--skip-existing", *REPORT, "--threads", str(args.num_cpus), "--quiet", *args.options]
    folder = os.getcwd()
    # max_retries is for lost nodes and workers, retry_exceptions for killed processes.
    task = {"num_cpus": args.num_cpus, "max_retries": args.retries, "retry_exceptions": [Killed]}
    shards = {}
    for k in range(1, args.shards + 1):
        name = f"{k}/{args.shards}"
        shard = run.options(**task, name=f"shard {name}", num_gpus=args.num_gpus)
        shards[shard.remote([*explain, "--shard", name], folder)] = name

    failed = {}
    waiting = list(shards)
    while waiting:
        (ready,), waiting = ray.wait(waiting)
        try:
            ray.get(ready)
            print(f"shard {shards[ready]} is done", flush=True)
        except ray.exceptions.RayError as error:
            failed.setdefault(reason(error), []).append(shards[ready])
    for why, names in failed.items():
        print(f"failed: shard {', '.join(names)}: {why}", file=sys.stderr)
    if failed:
        return 2

    try:
        complete = ray.get(run.options(**task, name="merge").remote([program, "merge", args.output_dir, *REPORT], folder))
    except ray.exceptions.RayError as error:
        print(f"failed: merge: {reason(error)}", file=sys.stderr)
        return 2
    print(f"{args.output_dir}/report.html shows all" + ("" if complete else "; some pictures failed"))
    return 0 if complete else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model-path", required=True, metavar="FILE")
    parser.add_argument("--img-path", required=True, nargs="+", metavar="PATH")
    parser.add_argument("--output-dir", required=True, metavar="DIR", help="on a file system that all nodes share")
    parser.add_argument("--shards", required=True, type=int, metavar="N", help="number of tasks")
    parser.add_argument("--num-cpus", type=int, default=1, metavar="N", help="cores and threads of a task [default: 1]")
    parser.add_argument("--num-gpus", type=float, default=0, metavar="N", help="GPUs of a task; needs `-- --device cuda`")
    parser.add_argument("--retries", type=int, default=3, metavar="N", help="how often a lost task is run again [default: 3]")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="after `--`: further options of yolo-cam")
    args = parser.parse_args()
    ray.init(log_to_driver=False)
    return explain_and_merge(args)


if __name__ == "__main__":
    sys.exit(main())
