#!/usr/bin/env python3
"""Includes point one way, from the program down to util, and are written from the root.

Peers (folders of one level) may include each other only where docs/architecture.md lists the pair, as
"- `FROM` includes `TO`: REASON" under "Includes between peers".
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import sys

# Lowest first. accel/kvm and accel/tcg count as two folders that are peers.
LEVELS = [
    ["util"],
    ["core"],
    ["block", "net", "ui", "tcg"],
    ["hw", "target-x86", "migration"],
    ["accel", "accel/kvm", "accel/tcg", "monitor", "gdbstub"],
    ["system", "tools"],
]
# Forbidden although the level would allow it.
NEVER = {("hw", "tcg")}
LEVEL = {name: i for i, names in enumerate(LEVELS) for name in names}

ROOT = os.environ.get("SRCDIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
PAIR = re.compile(r"^- `([^`]+)` includes `([^`]+)`: \S+")


def folder_of(path):
    parts = path.split("/")
    if len(parts) > 2 and parts[0] == "accel":
        return "/".join(parts[:2])
    return parts[0]


def peer_pairs():
    pairs, inside = set(), False
    with open(os.path.join(ROOT, "docs/architecture.md")) as f:
        for line in f:
            if line.startswith("#"):
                inside = "Includes between peers" in line
            match = PAIR.match(line)
            if inside and match:
                pairs.add(match.groups())
    return pairs


def sources():
    for top in sorted({name.split("/")[0] for name in LEVEL}):
        for directory, _, files in os.walk(os.path.join(ROOT, top)):
            for name in sorted(files):
                if name.endswith((".c", ".h", ".S", ".inc")):
                    yield os.path.relpath(os.path.join(directory, name), ROOT)


def problems(path, pairs, used):
    source = folder_of(path)
    with open(os.path.join(ROOT, path), errors="replace") as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            included = match.group(1)
            where = '%s:%d: "%s"' % (path, number, included)
            if "/" not in included or not os.path.exists(os.path.join(ROOT, included)):
                yield where + " is not a file's path from the root"
                continue
            target = folder_of(included)
            if target not in LEVEL:
                yield where + " is outside of the program's folders"
            elif target == source or (source, target) in pairs:
                used.add((source, target))
            elif (source, target) in NEVER:
                yield where + ": %s never includes %s" % (source, target)
            elif LEVEL[target] > LEVEL[source]:
                yield where + ": %s stands below %s" % (source, target)
            elif LEVEL[target] == LEVEL[source]:
                yield where + ": peers, and docs/architecture.md does not list the pair"


def main():
    pairs, used = peer_pairs(), set()
    found = [p for path in sources() for p in problems(path, pairs, used)]
    unused = sorted(pairs - used)
    for problem in found:
        print("# " + problem)
    for pair in unused:
        print("# docs/architecture.md allows `%s` to include `%s`, which nothing does" % pair)
    print("1..2")
    print("%sok 1 - includes point one way" % ("not " if found else ""))
    print("%sok 2 - every listed pair of peers is in use" % ("not " if unused else ""))


if __name__ == "__main__":
    sys.exit(main())
