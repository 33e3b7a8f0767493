"""Fails if source files of src/ use each other in a circle. A module and one that it is part of may.

    python3 scripts/module_circles.py src
"""

import re
import sys
from pathlib import Path

USE = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?use[ \t]+([^;]+);", re.MULTILINE)
# Tests stand at the end of their file, and may use whatever they like.
TESTS = re.compile(r"^#\[cfg\(test\)\]\s*mod \w+ \{", re.MULTILINE)


def leaves(tree):
    """The paths of a use tree: `a::{b, c::{self, d}}` is `a::b`, `a::c`, `a::c::d`."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        path, _, name = tree.partition(" as ")
        parts = [part.strip() for part in path.split("::")]
        if parts[-1] == "self" and len(parts) > 1:
            parts.pop()
        yield parts, name.strip() or parts[-1]
        return
    prefix = [part.strip() for part in tree[:brace].split("::") if part.strip()]
    inside, depth, start = tree[brace + 1 : tree.rindex("}")], 0, 0
    for index, character in enumerate(inside + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            if inside[start:index].strip():
                for parts, name in leaves(inside[start:index]):
                    is_self = parts == ["self"]
                    yield (prefix, prefix[-1]) if is_self else (prefix + parts, name)
            start = index + 1


def modules(folder):
    """Each file of a crate by the path of its module; lib.rs and main.rs are both the empty path."""
    found = {}
    for file in sorted(Path(folder).rglob("*.rs")):
        parts = list(file.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "mod":
            parts.pop()
        if parts in (["lib"], ["main"]) or "tests" in parts:
            continue
        found[tuple(parts)] = file.read_text(encoding="utf-8")
    return found


def used(sources):
    """For each module the names that it uses: (their absolute path, the name here)."""
    uses = {}
    for module, text in sources.items():
        text = re.sub(r"//.*", "", TESTS.split(text)[0])
        uses[module] = []
        for match in USE.finditer(text):
            for parts, name in leaves(match.group(1)):
                base = {"crate": (), "self": module, "super": module[:-1]}.get(parts[0])
                if base is None:
                    # A child, or another crate.
                    base = module
                    if module + (parts[0],) not in sources:
                        continue
                    parts = ["self", *parts]
                rest = parts[1:]
                while rest and rest[0] == "super":
                    base, rest = base[:-1], rest[1:]
                uses[module].append((base + tuple(rest), name))
    return uses


def owner(path, sources, uses, depth=0):
    """The module in whose file the item at `path` is written, through the re-exports on the way; `None` for a crate's root."""
    module = path
    while module and module not in sources:
        module = module[:-1]
    if not module:
        return None
    rest = path[len(module) :]
    if rest and depth < 8:
        for target, name in uses[module]:
            if name == rest[0] and target != path:
                return owner(target + rest[1:], sources, uses, depth + 1)
    return module


def edges(sources):
    """Which module uses which; a part may use what it is part of, so those pairs are left out."""
    uses = used(sources)
    graph = {}
    for module in sources:
        targets = {owner(path, sources, uses) for path, _ in uses[module]} - {None, module}
        graph[module] = sorted(target for target in targets if module[: len(target)] != target)
    return graph


def circles(graph):
    """Sets of modules each of which reaches all others (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def main(folder):
    graph = edges(modules(folder))
    found = circles(graph)
    for circle in found:
        names = ["::".join(module) for module in circle]
        print(f"a circle of {len(circle)} files: {', '.join(names)}", file=sys.stderr)
        for module in circle:
            for target in graph[module]:
                if target in circle:
                    print(f"    {'::'.join(module)} uses {'::'.join(target)}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
