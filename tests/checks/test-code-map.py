#!/usr/bin/env python3
"""The code map of docs/architecture.md names every folder of the tree, and no other.

A folder is one that holds a file git knows or would add; the map's rows are "| `FOLDER/` | what |".
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("SRCDIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SKIP = {".git", "build", "build-asan", "__pycache__"}


def folders_of_tree():
    """All folders but the root and hidden ones; by git where this is a clone, else as found."""
    try:
        files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        paths = [p for p in files.splitlines() if os.path.exists(os.path.join(ROOT, p))]
    except (OSError, subprocess.CalledProcessError):
        paths = []
        for directory, inner, names in os.walk(ROOT):
            inner[:] = [d for d in inner if d not in SKIP]
            paths += [os.path.relpath(os.path.join(directory, n), ROOT) for n in names]
    folders = {os.path.dirname(p) for p in paths}
    return {f for f in folders if f and not f.startswith(".")}


def folders_of_map():
    with open(os.path.join(ROOT, "docs/architecture.md")) as f:
        return re.findall(r"^\| `([^`]+)/` \| \S", f.read(), re.M)


def main():
    tree, listed = folders_of_tree(), folders_of_map()
    missing = sorted(tree - set(listed))
    gone = sorted(set(listed) - tree)
    double = sorted({f for f in listed if listed.count(f) > 1})
    print("1..3")
    for number, (what, wrong) in enumerate((("names every folder", missing),
                                            ("names no folder that is not there", gone),
                                            ("names no folder twice", double)), 1):
        for folder in wrong:
            print("# " + folder + "/")
        print("%sok %d - the code map %s" % ("not " if wrong else "", number, what))


if __name__ == "__main__":
    sys.exit(main())
