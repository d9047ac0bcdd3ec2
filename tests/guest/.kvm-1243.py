#!/usr/bin/env python3
# timeout: 300
"""What a KVM without hardware virtualisation can run, run under -accel kvm,selftest=off,fallback=off,kernel-irqchip=off.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import media  # noqa: E402
from tap import Tap  # noqa: E402

KVM = ["-accel", "kvm,selftest=off,fallback=off,kernel-irqchip=off"]
TESTS = [
    ("SeaBIOS looks for a boot device and says that there is none", media.reaches_seabios, []),
    ("the GRUB rescue CD reaches its prompt", media.reaches_grub_prompt, ["-cdrom", media.GRUB_CD]),
    ("iPXE's ISO reaches its prompt", media.reaches_ipxe_prompt, ["-cdrom", media.IPXE_CD]),
]


def main():
    tap = Tap()
    for name, function, args in TESTS:
        if os.access("/dev/kvm", os.R_OK | os.W_OK):
            tap.guest("under KVM, " + name, function, KVM + ["-m", "128"] + args)
        else:
            tap.skip("under KVM, " + name, "/dev/kvm cannot be opened here")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
