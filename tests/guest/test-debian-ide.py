#!/usr/bin/env python3
# timeout: 900
"""Debian 12 on an IDE disk: boots through SeaBIOS and GRUB, and keeps what is written.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-debian.") as scratch:
        disk = console.overlay(scratch, console.DISK)

        def first(guest):
            guest.expect(r"SeaBIOS", timeout=30)
            guest.expect(r"GRUB")
            guest.login()
            guest.run("grep -q /dev/sda1 /proc/mounts")
            guest.run("test $(nproc) = 1")
            guest.run("echo kept over the night > /root/note")
            guest.poweroff()

        floppy = os.path.join(scratch, "floppy")
        with open(floppy, "wb") as f:
            f.write(random.Random(1).randbytes(1440 << 10))
        with open(floppy, "rb") as f:
            floppy_sum = hashlib.sha256(f.read()).hexdigest()

        def uses_floppy(guest):
            guest.run("modprobe floppy")
            _, text = guest.run("sha256sum </dev/fd0")
            if floppy_sum not in text:
                raise console.Failure("the floppy disk reads as %s, not %s" % (text, floppy_sum))
            guest.run("yes floppy | dd of=/dev/fd0 bs=512 count=100 seek=7 iflag=fullblock conv=fsync")

        def second(guest):
            guest.login()
            uses_floppy(guest)
            _, text = guest.run("cat /root/note")
            if text.strip() != "kept over the night":
                raise console.Failure("the file holds %r" % text)
            _, text = guest.run("dmesg | grep -i -E '\\boops|BUG:|call trace|soft lockup|I/O error|ata.*error"
                                "|ata.*reset failed' || true")
            if text.strip():
                raise console.Failure("the kernel complains: " + text)
            # Files arrive whole: their sums are those of the packages.
            _, text = guest.run("dpkg --verify coreutils libc6 systemd udev | grep ^..5 || true", timeout=200)
            if text.strip():
                raise console.Failure("files differ from their packages': " + text)
            guest.poweroff()

        args = ["-m", "1G", "-hda", disk]
        if tap.guest("root logs in, writes a file and powers off", first, args, timeout=300):
            tap.guest("the file is there at the next boot, and a floppy disk is read and written", second,
                      args + ["-drive", "if=floppy,format=raw,file=" + floppy], timeout=300)
            with open(floppy, "rb") as f:
                f.seek(7 * 512)
                tap.ok(f.read(51200) == (b"floppy\n" * 8000)[:51200], "what was written is on the floppy disk")
        else:
            tap.ok(False, "the file is there at the next boot, and a floppy disk is read and written",
                   "the first boot failed")
        check = subprocess.run(["qemu-img", "check", disk], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        tap.ok(check.returncode == 0, "the image has no errors and no leaks after a clean end",
               check.stdout)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
