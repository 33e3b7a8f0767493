#!/usr/bin/env python3
"""Provide the CPU build of libtorch that this project links to.

    fetch_libtorch.py VERSION LINK

Puts libtorch into the user's cache once (YOLO_CAM_CACHE, or XDG_CACHE_HOME/yolo-cam, or ~/.cache/yolo-cam)
and makes LINK a symbolic link to it. Needs only Python's standard library, pip and a C++ compiler.

Sources, in order: the official archive, then PyTorch's wheel as pip finds it. Nothing is unpacked whose SHA-256 is not the
one below.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

# Seconds. A machine behind a firewall must get to the wheel quickly.
CONNECT_TIMEOUT = 8

# The official archives: name and SHA-256, by version and platform.
ARCHIVES = {
    "2.13.0": {
        ("Linux", "x86_64"): (
            "libtorch-shared-with-deps-2.13.0%2Bcpu.zip",
            "edbf4cbed78433d803e90a65f1752e57783d164bce66c95c0872b2ab8f5c159e",
        ),
        ("Darwin", "arm64"): (
            "libtorch-macos-arm64-2.13.0.zip",
            "1e10c6c4dc2764150c9fb2ad28e1889191302734e7f939108e5d2f22f21a06f8",
        ),
    }
}

# SHA-256 of the wheels for CPython 3.12, by version: Linux x86_64, Linux aarch64, macOS arm64.
WHEELS = {
    "2.13.0": [
        "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b",
        "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4",
        "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027",
    ]
}

# What the CUDA build of libtorch_cpu.so needs of CUDA, without which it does not load: 13 MB. SHA-256 of the wheels for
# x86_64 and aarch64.
CUDA_PACKAGES = {
    "nvidia-cuda-runtime==13.0.96": [
        "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55",
    ],
    "nvidia-cuda-cupti==13.0.85": [
        "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151",
    ],
}
CUDA_LIBRARIES = ("libcudart.so.", "libcupti.so.")

ARCHIVE_FOLDER = "https://download.pytorch.org/libtorch/cpu"

# Begins the names of folders that are not complete yet.
PREFIX = ".yolo-cam-"


def say(text):
    print(f"libtorch: {text}", file=sys.stderr, flush=True)


def cache_dir():
    if "YOLO_CAM_CACHE" in os.environ:
        return Path(os.environ["YOLO_CAM_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "yolo-cam"


def from_archive(version, work):
    """Downloads and unpacks the official archive; returns the folder that holds include/ and lib/."""
    system = (platform.system(), platform.machine())
    if system not in ARCHIVES.get(version, {}):
        raise OSError(f"no official archive of {version} is known for {system[0]} {system[1]}")
    name, expected = ARCHIVES[version][system]
    url = f"{ARCHIVE_FOLDER}/{name}"
    say(f"trying the official archive, {url}")
    path = work / "libtorch.zip"
    sha256 = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT) as response, open(path, "wb") as out:
        while block := response.read(1 << 20):
            sha256.update(block)
            out.write(block)
    if sha256.hexdigest() != expected:
        raise ValueError(f"{url} has SHA-256 {sha256.hexdigest()}, expected {expected}")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(work)
    path.unlink()
    return work / "libtorch"


def pip_download(work, packages):
    """`packages`: for each the SHA-256 that its wheel may have. pip takes no other file."""
    lines = [" ".join([name, *(f"--hash=sha256:{sha256}" for sha256 in hashes)]) for name, hashes in packages.items()]
    requirements = work / "requirements.txt"
    requirements.write_text("\n".join(lines) + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # The libraries do not depend on the Python that a wheel is for, so any host's Python will do.
        + ["--only-binary=:all:", "--python-version", "3.12", "--dest", str(work)]
        + ["--require-hashes", "--requirement", str(requirements)],
        check=True,
    )


def from_wheel(version, work):
    """Takes libtorch out of PyTorch's wheel; returns the folder that holds include/ and lib/."""
    if version not in WHEELS:
        raise OSError(f"the checksum of PyTorch {version} is not known")
    say("trying PyTorch's wheel through pip (about 530 MB)")
    pip_download(work, {f"torch=={version}": WHEELS[version]})
    (wheel,) = work.glob("torch-*.whl")
    root = work / "libtorch"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        is_cuda = any(Path(name).name == "libtorch_cuda.so" for name in names)
        keep = ("libtorch_cpu.so", "libc10.so", "libshm.so", "libgomp.so.1") if is_cuda else None
        for name in names:
            parts = Path(name).parts
            if parts[:2] == ("torch", "include"):
                target = root.joinpath(*parts[1:])
            elif parts[:2] == ("torch", "lib") and len(parts) == 3:
                if keep and parts[2] not in keep:
                    continue
                target = root / "lib" / parts[2]
            else:
                continue
            if name.endswith("/"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
    wheel.unlink()
    if is_cuda:
        reduce_to_cpu(root, work)
    return root


def reduce_to_cpu(root, work):
    """Makes the CUDA build load without CUDA: adds what libtorch_cpu.so needs, replaces libtorch.so."""
    pip_download(work, CUDA_PACKAGES)
    for wheel in work.glob("nvidia_*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if Path(name).name.startswith(CUDA_LIBRARIES):
                    (root / "lib" / Path(name).name).write_bytes(archive.read(name))
    # The wheel's libtorch.so only pulls in its parts, libtorch_cuda.so among them.
    source = work / "empty.cpp"
    source.write_text("")
    subprocess.run(
        [os.environ.get("CXX", "c++"), "-shared", "-fPIC", "-o", str(root / "lib/libtorch.so"), str(source)]
        + ["-Wl,-soname,libtorch.so", "-Wl,--no-as-needed", f"-L{root / 'lib'}", "-ltorch_cpu", "-lc10"]
        + ["-Wl,-rpath,$ORIGIN", "-Wl,--allow-shlib-undefined"],
        check=True,
    )


def sweep(folder):
    """Removes what killed runs left: folders that nobody fills any more."""
    for path in folder.glob(f"{PREFIX}*"):
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # somebody fills it
        finally:
            os.close(lock)


def is_ready(target):
    return (target / "build-version").exists()


def provide(version, target):
    """Fills `target` from the first source that works. Atomic: a broken attempt leaves nothing there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # without its version: no work of ours, or a broken one
        shutil.rmtree(target)
    sweep(target.parent)
    problems = []
    for source in (from_archive, from_wheel):
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=PREFIX) as work:
            # For as long as this process lives.
            fcntl.flock(os.open(work, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX)
            try:
                root = source(version, Path(work))
                (root / "build-version").write_text(version + "\n")
                os.rename(root, target)
                return
            except (OSError, zipfile.BadZipFile, subprocess.CalledProcessError, ValueError) as error:
                if is_ready(target):  # another run was faster
                    return
                say(f"that did not work: {error}")
                problems.append(f"{source.__name__}: {error}")
    say("no source worked; point LIBTORCH at an unpacked libtorch " + version + " instead")
    sys.exit("\n".join(problems))


def main():
    version, link = sys.argv[1], Path(sys.argv[2])
    if link.exists() and not link.is_symlink():
        return  # the user put an unpacked libtorch there
    target = cache_dir() / f"libtorch-{version}"
    if not is_ready(target):
        provide(version, target)
        say(f"ready in {target}")
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


if __name__ == "__main__":
    main()
