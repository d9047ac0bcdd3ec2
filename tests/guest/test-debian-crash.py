#!/usr/bin/env python3
# timeout: 900
"""kill -9 of the emulator while the guest writes: the image stays whole, the file system journals back.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

LOAD = ("(i=0; while :; do i=$((i + 1)); dd if=/dev/urandom of=/root/load.$((i % 50)) bs=32k count=40 "
        "conv=fsync 2>/dev/null; rm -f /root/load.$(((i + 25) % 50)); done) &")


def main():
    tap = Tap()
    seed = int(os.environ.get("TEST_SEED", time.time_ns() % 1000000))
    delay = random.Random(seed).uniform(3, 8)
    print("# TEST_SEED=%d: killed after %.2f s of writing" % (seed, delay))
    with tempfile.TemporaryDirectory(prefix="emu-debian.") as scratch:
        disk = console.overlay(scratch, console.DISK)
        args = ["-m", "1G", "-drive", "file=%s,if=virtio" % disk]

        def written(guest):
            guest.login()
            guest.run("echo safe > /root/before && sync")
            guest.line(LOAD)
            guest.expect(console.PROMPT)
            time.sleep(delay)
            guest.kill()

        def recovered(guest):
            guest.login()
            guest.run("grep -qx safe /root/before")
            guest.run("dmesg | grep -q 'EXT4-fs.*: recovery complete' || "
                      "journalctl -b --no-pager | grep -q -i 'recover.* journal'")
            guest.run("touch /root/after")
            guest.poweroff()

        tap.guest("the guest writes when the emulator is killed", written, args, timeout=300)
        check = subprocess.run(["qemu-img", "check", disk], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        tap.ok(check.returncode in (0, 3), "the image has no error but leaks", check.stdout)
        tap.guest("the file system journals back, and synced data are there", recovered, args, timeout=300)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
