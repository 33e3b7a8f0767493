#!/usr/bin/env python3
"""Run the tests of examples/ with the engines themselves: Slurm, Ray, Kubernetes' schemas, GNU parallel.

    python3 tests/engines/run.py

Installs what is missing: Debian's packages with apt-get if this is root, Python's packages into a folder of the user's cache. Tests of what
cannot be installed are skipped; the last line counts them. YOLO_CAM_BINARY names the program, otherwise it is target/release/yolo-cam.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))

from fetch_libtorch import cache_dir  # noqa: E402

REQUIREMENTS = HERE / "requirements.txt"
# Debian's package of each command.
PACKAGES = {
    "munged": "munge",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "parallel": "parallel",
}
# Seconds after which an installation hangs.
PATIENCE = 900


def say(text):
    print(f"engines: {text}", file=sys.stderr, flush=True)


def succeeds(*command):
    """Shows what the command says only if it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, timeout=PATIENCE, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(error)
        return False
    if done.returncode:
        say(f"{' '.join(map(str, command))}: " + " / ".join(done.stdout.splitlines()[-3:]))
    return done.returncode == 0


def install_packages():
    missing = [package for command, package in PACKAGES.items() if not shutil.which(command)]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        say(f"not installed, and only root can with apt-get: {', '.join(missing)}")
        return
    say(f"installing {', '.join(missing)}")
    apt = ["apt-get", "--yes", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1"]
    succeeds(*apt, "update") and succeeds(*apt, "install", "--no-install-recommends", *missing)


def python_with_packages():
    """A Python that has the requirements, in the user's cache; `None` if they cannot be installed."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode() + sys.prefix.encode()).hexdigest()[:12]
    folder = cache_dir() / f"engines-{key}"
    python = folder / "bin/python"
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    # Another run may be installing.
    with open(folder.with_name(f"{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            say("installing Ray and Kubernetes' schemas into the cache (400 MB)")
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "20", "--retries", "1"]
            if not succeeds(sys.executable, "-m", "venv", "--clear", folder) or not succeeds(
                *pip, "--only-binary=:all:", "--requirement", REQUIREMENTS
            ):
                return None
            complete.touch()
    return python


class Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def run_tests():
    """Whether none failed."""
    suite = unittest.defaultTestLoader.discover(str(HERE))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    for reason in sorted({reason for _, reason in result.skipped}):
        print(f"skipped: {reason}")
    failed = len(result.failures) + len(result.errors)
    print(f"engines: {result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return failed == 0


def main():
    if "--installed" in sys.argv:
        return 0 if run_tests() else 1
    if not sys.platform.startswith("linux"):
        say("all skipped: these tests need Linux")
        return 0
    program = Path(os.environ.get("YOLO_CAM_BINARY") or HERE.parents[1] / "target/release/yolo-cam")
    if not program.exists():
        say(f"{program} does not exist; `make test-engines` builds it")
        return 1
    install_packages()
    python = python_with_packages() or sys.executable
    os.execv(python, [python, __file__, "--installed"])


if __name__ == "__main__":
    sys.exit(main())
