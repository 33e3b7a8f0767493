#!/usr/bin/env python3
"""Provide the CPU build of libtorch that this project links to.

    fetch_libtorch.py VERSION LINK

Puts libtorch into the user's cache once (YOLO_CAM_CACHE, or XDG_CACHE_HOME/yolo-cam, or ~/.cache/yolo-cam)
and makes LINK a symbolic link to it. Needs only Python's standard library, pip and a C++ compiler.

Sources, in order: the official archive, then PyTorch's wheel as pip finds it.
"""

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

# What the CUDA build of libtorch_cpu.so needs of CUDA, without which it does not load: 13 MB.
CUDA_PACKAGES = ["nvidia-cuda-runtime==13.0.*", "nvidia-cuda-cupti==13.0.*"]
CUDA_LIBRARIES = ("libcudart.so.", "libcupti.so.")


def say(text):
    print(f"libtorch: {text}", file=sys.stderr, flush=True)


def cache_dir():
    if "YOLO_CAM_CACHE" in os.environ:
        return Path(os.environ["YOLO_CAM_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "yolo-cam"


def archive_url(version):
    """The official archive for this platform, or None where there is none."""
    base = "https://download.pytorch.org/libtorch/cpu"
    names = {
        ("Linux", "x86_64"): f"libtorch-shared-with-deps-{version}%2Bcpu.zip",
        ("Darwin", "arm64"): f"libtorch-macos-arm64-{version}.zip",
    }
    name = names.get((platform.system(), platform.machine()))
    return name and f"{base}/{name}"


def from_archive(version, work):
    """Downloads and unpacks the official archive; returns the folder that holds include/ and lib/."""
    url = archive_url(version)
    if url is None:
        raise OSError(f"no official archive for {platform.system()} {platform.machine()}")
    say(f"trying the official archive, {url}")
    path = work / "libtorch.zip"
    with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT) as response, open(path, "wb") as out:
        shutil.copyfileobj(response, out, 1 << 20)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(work)
    path.unlink()
    return work / "libtorch"


def pip_download(work, *packages):
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # The libraries do not depend on the Python that a wheel is for, so any host's Python will do.
        + ["--only-binary=:all:", "--python-version", "3.12", "--dest", str(work), *packages],
        check=True,
    )


def from_wheel(version, work):
    """Takes libtorch out of PyTorch's wheel; returns the folder that holds include/ and lib/."""
    say("trying PyTorch's wheel through pip (about 530 MB)")
    pip_download(work, f"torch=={version}")
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
    pip_download(work, *CUDA_PACKAGES)
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


def is_ready(target):
    return (target / "build-version").exists()


def provide(version, target):
    """Fills `target` from the first source that works. Atomic: a broken attempt leaves nothing there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # without its version: no work of ours, or a broken one
        shutil.rmtree(target)
    problems = []
    for source in (from_archive, from_wheel):
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
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
