#!/usr/bin/env python3
# timeout: 300
"""What a KVM without hardware virtualisation can run, run under -accel kvm,selftest=off.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import media  # noqa: E402
from tap import Tap  # noqa: E402

KVM = ["-accel", "kvm,selftest=off"]


def runs_ipxe(guest):
    """To the prompt; or, where the KVM interprets its guests and does not know IRET in protected mode, which
    ISOLINUX uses when it starts, to one line that says what KVM could not do."""
    guest.expect(r"ISOLINUX \d", timeout=60)
    index, _ = guest.expect(r"iPXE \d\S+ -- Open Source Network Boot Firmware",
                            r"(?m)^emu-system-x86_64: .*(?i:kvm).*$", timeout=60)
    if index == 0:
        guest.position = 0
        media.reaches_ipxe_prompt(guest)


TESTS = [
    ("SeaBIOS looks for a boot device and says that there is none", media.reaches_seabios, []),
    ("the GRUB rescue CD reaches its prompt", media.reaches_grub_prompt, ["-cdrom", media.GRUB_CD]),
    ("iPXE's ISO runs as far as KVM can", runs_ipxe, ["-cdrom", media.IPXE_CD]),
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
