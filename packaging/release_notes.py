#!/usr/bin/env python3
"""Prints what is new in the release that a tag names.

    release_notes.py TAG

Fails where the tag is not that of the version in Cargo.toml, or the changelog says nothing of it.
"""

import re
import sys

import parts


def section(changelog, version):
    """What stands below the version's heading, up to the next; None where there is no such heading."""
    found = re.search(
        rf"^## \[?{re.escape(version)}\b(?!\.)[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    return found.group(1).strip() + "\n" if found else None


def notes(tag):
    version = parts.version()
    if tag != f"v{version}":
        sys.exit(f"release: tag {tag} is not v{version}, as Cargo.toml has the version")
    text = section((parts.ROOT / "CHANGELOG.md").read_text(), version)
    if text is None:
        sys.exit(f"release: CHANGELOG.md has no section {version}; give what is unreleased that heading")
    return text


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(notes(sys.argv[1]), end="")
