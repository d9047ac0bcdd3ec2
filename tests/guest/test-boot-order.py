#!/usr/bin/env python3
# timeout: 400
"""SeaBIOS tries the boot devices in the order that QEMU's machine has it try them, by -boot and bootindex=.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

DISK = "-drive file={d}/disk,format=raw"
VIRTIO = "-drive file={d}/virtio,format=raw,if=virtio"
CD = "-drive file={d}/cd,format=raw,media=cdrom,index=2"
A, C, D = "Floppy", "Hard Disk", "DVD/CD"

# Blank media, and what is tried. Places without a drive come last; drives without a medium count.
CASES = [
    ("", [A, D, C]),
    (DISK, [C, A, D]),
    (VIRTIO, [C, A, D]),
    ("%s %s" % (DISK, CD), [C, A, D]),
    ("%s %s -boot d" % (DISK, CD), [D, A, C]),
    ("%s %s -boot dc" % (DISK, CD), [D, C, A]),
    ("%s -boot a" % DISK, [A, C, D]),
    ("%s -boot b" % DISK, [A, C, D]),
    ("%s -boot n" % DISK, [A, C, D]),
    ("%s %s -boot once=d,order=c" % (DISK, CD), [D, A, C]),
    ("%s %s -boot order=d,strict=on" % (DISK, CD), [D, A, C]),
    ("%s -drive file={d}/virtio,format=raw,if=none,id=x -device virtio-blk-pci,drive=x,bootindex=0" % CD,
     [C, A, D]),
    ("%s -drive file={d}/cd,format=raw,if=none,id=x -device ide-cd,bus=ide.1,drive=x,bootindex=0" % DISK,
     [D, C, A]),
    ("%s -drive file={d}/cd,format=raw,if=none,id=x -device ide-cd,bus=ide.1,drive=x,bootindex=0"
     " -boot strict=on" % DISK, [D]),
    ("%s -drive file={d}/floppy,format=raw,if=none,id=x -device floppy,drive=x,bootindex=1" % DISK, [A, C, D]),
    ("-nodefaults %s" % DISK, [C, A]),
]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        for name, size in (("disk", 10 << 20), ("virtio", 10 << 20), ("cd", 10 << 20), ("floppy", 1440 << 10)):
            with open(os.path.join(folder, name), "wb") as f:
                f.truncate(size)
        for line, order in CASES:
            def tries(guest, order=order):
                guest.expect(r"No bootable device", timeout=60)
                found = re.findall(r"Booting from (.*)\.\.\.", guest.text)
                if found != order:
                    raise console.Failure("%s, expected %s" % (found, order))
            shown = line.replace("{d}/", "").replace(",format=raw", "") or "no options"
            tap.guest("with %s: %s" % (shown, ", ".join(order)), tries,
                      ["-m", "64", "-nic", "none"] + line.replace("{d}", folder).split())
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
