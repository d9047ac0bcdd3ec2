#!/usr/bin/env python3
# timeout: 3000
"""Bootable media under -accel kvm,selftest=off.

A KVM with a CPU's help runs them all. So does the one without (kvm_pvm) that our machines have, though it
interprets much of them and takes minutes. What stops at an instruction under yet another KVM is skipped
with what the emulator says of it.
SPDX-License-Identifier: GPL-2.0-or-later
"""
import functools
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
import media  # noqa: E402
from tap import Skip, Tap  # noqa: E402

# No network card: SeaBIOS would run its iPXE for minutes.
KVM = ["-accel", "kvm,selftest=off", "-m", "128", "-nic", "none"]
GAVE_UP = re.compile(r"(?m)^\S*emu-system-x86_64: (CPU \d+: .*KVM.*)$")
# Interpreted, a guest takes as long as it takes: these limits only end what hangs. CPU_SECONDS are those
# of the emulator, which do not depend on what else the machine does.
PATIENCE, CPU_SECONDS = 10, 600


def must_run_everything():
    """Whether this KVM is of a kind that is known to run all of this."""
    if os.path.exists("/sys/module/kvm_pvm"):
        return True
    command = [console.EMU, "-accel", "kvm,fallback=off", "-nodefaults", "-display", "none", "-S",
               "-monitor", "stdio"]
    return subprocess.run(command, input="quit\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          text=True, timeout=120).returncode == 0


def cpu_seconds(guest):
    with open("/proc/%d/stat" % guest.process.pid) as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime


def reaches_ipxe_prompt(guest):
    while True:
        try:
            guest.expect(r"iPXE \d\S+ -- Open Source Network Boot Firmware", GAVE_UP.pattern, timeout=10)
            break
        except console.Failure:
            if guest.process.poll() is not None or cpu_seconds(guest) > CPU_SECONDS:
                raise
    guest.position = 0
    media.reaches_ipxe_prompt(guest, patience=PATIENCE)


CASES = [  # the longest one first
    ("iPXE's ISO reaches its prompt", reaches_ipxe_prompt, ["-cdrom", media.IPXE_CD]),
    ("the GRUB rescue CD reaches its prompt",
     functools.partial(media.reaches_grub_prompt, patience=PATIENCE), ["-cdrom", media.GRUB_CD]),
    ("the GRUB rescue floppy disk reaches its prompt",
     functools.partial(media.reaches_grub_prompt, patience=PATIENCE),
     # SeaBIOS takes the controller's interrupt between STI and CLI: too short a moment for kvm_pvm's own chips.
     ["-machine", "kernel-irqchip=off", "-drive", media.GRUB_FLOPPY]),
    ("SeaBIOS looks for a boot device and says that there is none",
     functools.partial(media.reaches_seabios, patience=PATIENCE), []),
]


def as_far_as_kvm_can(function):
    """FUNCTION, skipped where KVM says that it does not get any further."""
    def run(guest):
        try:
            function(guest)
        except console.Failure:
            gave_up = GAVE_UP.search(guest.text)
            if gave_up:
                raise Skip(gave_up.group(1)) from None
            raise
    return run


def main():
    tap = Tap()
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        for name, _, _ in CASES:
            tap.skip("under KVM, " + name, "/dev/kvm cannot be opened here")
        return tap.done()
    wrap = (lambda function: function) if must_run_everything() else as_far_as_kvm_can
    tap.guests([("under KVM, " + name, wrap(function), KVM + args) for name, function, args in CASES])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
