#!/usr/bin/env python3
# timeout: 240
"""The test kernels find the CPU as the manuals describe it: the one of 64 bits (tests/guest/kernel), with one
CPU and two, and the one of 32 bits (tests/guest/kernel32).

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

RESULT = re.compile(r"^(not )?ok \d+ - (.*)$")


def main():
    tap = Tap()
    for kernel, cpus in (("kernel", 1), ("kernel", 2), ("kernel32", 1)):
        what = "%s, %d CPU" % (kernel, cpus)
        args = ["-accel", "tcg", "-cpu", "max", "-m", "64", "-smp", str(cpus), "-nodefaults", "-no-reboot",
                "-display", "none", "-serial", "stdio",
                "-bios", os.path.join(console.BUILD, "tests/guest/%s.bin" % kernel),
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        status, why = None, ""
        with console.Guest(args, serial=None) as guest:
            try:
                status = guest.wait(100)
            except console.Failure as error:
                why = str(error)
            lines = guest.text.splitlines()
        notes = []
        for line in lines:
            match = RESULT.match(line)
            if match:
                tap.ok(not match.group(1), "%s (%s)" % (match.group(2), what), "\n".join(notes))
                notes = []
            else:
                notes.append(line)
        tap.ok(status == 1 and any(line.startswith("1..") for line in lines),
               "the kernel runs to its end (%s)" % what,
               why or "exit status %s; %s" % (status, "\n".join(lines[-15:])))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
