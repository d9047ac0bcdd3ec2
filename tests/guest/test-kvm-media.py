#!/usr/bin/env python3
# timeout: 900
"""What a KVM without hardware virtualisation can run, run under -accel kvm,selftest=off.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
import media  # noqa: E402
from tap import Skip, Tap  # noqa: E402

KVM = ["-accel", "kvm,selftest=off"]


def runs_ipxe(guest):
    """To the prompt. A KVM that interprets its guests may stop at an instruction that it does not know,
    which is one line of ours, or be so slow that the banner does not come in minutes."""
    guest.expect(r"ISOLINUX \d", timeout=120)
    try:
        index, _ = guest.expect(r"iPXE \d\S+ -- Open Source Network Boot Firmware",
                                r"(?m)^emu-system-x86_64: .*(?i:kvm).*$", timeout=120)
    except console.Failure:
        if guest.process.poll() is not None or "emu-system-x86_64:" in guest.text:
            raise
        raise Skip("this KVM interprets the guest: no banner in two minutes, and no error") from None
    if index == 0:
        guest.position = 0
        media.reaches_ipxe_prompt(guest)


def reaches_grub_prompt(guest):
    media.reaches_grub_prompt(guest, patience=5)


TESTS = [
    ("SeaBIOS looks for a boot device and says that there is none", media.reaches_seabios, []),
    ("the GRUB rescue CD reaches its prompt", reaches_grub_prompt, ["-cdrom", media.GRUB_CD]),
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
