#!/usr/bin/env python3
# timeout: 900
"""Debian 12 on virtio-blk, on raw and qcow2, with several CPUs, and with -snapshot.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402


def digest(path):
    """The content and the time of the last write."""
    total = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest(), os.stat(path).st_mtime_ns


def boots_with(cpus):
    def run(guest):
        guest.login()
        guest.run("grep -q /dev/vda1 /proc/mounts")
        guest.run("test $(nproc) = %d" % cpus)
        # All CPUs at once, and the disk: every copy must be the same.
        guest.run("for i in 1 2 3 4; do (cat /usr/bin/* | sha256sum > /root/sum.$i) & done; wait; "
                  "test $(sort -u /root/sum.* | wc -l) = 1")
        guest.run("dd if=/dev/urandom of=/root/a bs=1M count=16 conv=fsync && cp /root/a /root/b && sync "
                  "&& echo 3 > /proc/sys/vm/drop_caches && cmp /root/a /root/b")
        _, text = guest.run("dmesg | grep -i -E '\\boops|BUG:|call trace|soft lockup|I/O error' || true")
        if text.strip():
            raise console.Failure("the kernel complains: " + text)
        guest.poweroff()
    return run


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-debian.") as scratch:
        disk = console.overlay(scratch, console.DISK)
        tap.guest("Debian boots from virtio on qcow2 with 2 CPUs", boots_with(2),
                  ["-m", "1G", "-smp", "2", "-drive", "file=%s,if=virtio" % disk], timeout=300)

    before = digest(console.DISK_RAW)
    tap.guest("Debian boots from virtio on raw with 4 CPUs and -snapshot", boots_with(4),
              ["-m", "1G", "-smp", "4", "-snapshot",
               "-drive", "file=%s,if=virtio,format=raw" % console.DISK_RAW], timeout=400)
    tap.ok(digest(console.DISK_RAW) == before, "-snapshot leaves the disk as it was")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
