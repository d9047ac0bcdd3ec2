#!/usr/bin/env python3
# timeout: 120
"""Small guests end in the same state under KVM as in the translator.

Compared is everything that info registers shows, but the hidden fields of unusable segments.
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

IMAGES = [
    ("real", "real mode"),
    ("protected", "protected mode without paging"),
    ("long", "64-bit mode"),
    ("stack", "protected mode with interrupts on a stack that is not flat"),
    ("apic", "protected mode with interrupts by APIC"),
]
ACCELS = [
    ("kvm,selftest=off", "KVM"),
    ("kvm,selftest=off,kernel-irqchip=off", "KVM with its interrupt controllers off"),
    ("kvm,selftest=off,kernel-irqchip=split", "KVM with local APICs alone"),
]
SEGMENT = re.compile(r"^(ES|CS|SS|DS|FS|GS|LDT|TR) *= *([0-9a-f]{4}) ([0-9a-f]+) ([0-9a-f]{8}) ([0-9a-f]{8})")


def final_state(image, accel):
    """The lines of info registers once the guest has halted for good."""
    path = os.path.join(console.BUILD, "tests/guest/state-%s.bin" % image)
    with console.Guest(["-accel", accel, "-m", "64", "-nodefaults", "-bios", path], timeout=30) as guest:
        deadline = time.monotonic() + 30
        while True:
            lines = guest.monitor("info registers").splitlines()
            if any("HLT=1" in line for line in lines):
                break
            if time.monotonic() > deadline:
                raise console.Failure("%s under %s does not halt:\n%s" % (image, accel, "\n".join(lines)))
            time.sleep(0.1)
        return [comparable(line) for line in lines if line.strip()]


def comparable(line):
    match = SEGMENT.match(line)
    if match:
        name, selector, base, limit, attributes = match.groups()
        # The limit's upper bits are shown among the attributes by some, and in the limit by all.
        attributes = int(attributes, 16) & 0xf0ff00
        present = attributes & 0x8000
        return (name, selector, base, limit if present else "", attributes if present else 0)
    return line.rstrip()


def main():
    tap = Tap()
    for image, what in IMAGES:
        tcg = []
        for accel, under in ACCELS:
            name = "%s ends in the same state under %s" % (what, under)
            if not os.access("/dev/kvm", os.R_OK | os.W_OK):
                tap.skip(name, "/dev/kvm cannot be opened here")
                continue

            def compare(image=image, accel=accel, tcg=tcg):
                tcg[:] = tcg or final_state(image, "tcg")
                kvm = final_state(image, accel)
                different = ["%s\n  %s" % pair for pair in zip(tcg, kvm) if pair[0] != pair[1]]
                if different or len(tcg) != len(kvm):
                    raise console.Failure("tcg and kvm differ:\n" + "\n".join(different))
                if not any("=" in str(line) for line in tcg):
                    raise console.Failure("info registers shows nothing")
            tap.check(name, compare)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
