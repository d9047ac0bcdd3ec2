#!/usr/bin/env python3
# timeout: 600
"""Debian's kernels boot by -kernel with an initramfs; reset, reboot and power-off work.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402


def boot_args(flavour, commands, extra=(), memory="256", options=""):
    arch = "i386" if flavour == "686" else "amd64"
    # No kernel messages between what commands print.
    quoted = " ".join('"%s"' % c for c in ["dmesg -n 1"] + list(commands))
    return ["-m", memory, "-kernel", os.path.join(console.GUEST_DIR, "kernel-" + flavour),
            "-initrd", os.path.join(console.GUEST_DIR, "initramfs-" + arch),
            "-append", "console=ttyS0 panic=-1 %s -- %s" % (options, quoted)] + list(extra)


def runs_to_the_end(machine, cpus=1):
    def run(guest):
        guest.expect(r"INIT-REACHED %s \S+ cpus=%d\n" % (machine, cpus))
        guest.expect(r"forty-two=42")
        guest.expect(r"COMMAND-STATUS=0")
        guest.expect(r"COMMAND-STATUS=1")
        guest.expect(r"INIT-DONE")
        status = guest.wait(60)
        if status != 0:
            raise console.Failure("exit status %d after power-off" % status)
    return run


def main():
    tap = Tap()
    commands = ["echo forty-two=$((6*7))", "false"]
    for flavour, machine in (("cloud-amd64", "x86_64"), ("amd64", "x86_64"), ("686", "i[3-6]86")):
        tap.guest("linux-image-%s runs an initramfs and powers off" % flavour, runs_to_the_end(machine),
                  boot_args(flavour, commands), timeout=180)
    tap.guest("linux-image-cloud-amd64 starts 4 CPUs", runs_to_the_end("x86_64", 4),
              boot_args("cloud-amd64", commands, ["-smp", "4"]), timeout=180)
    tap.guest("linux-image-cloud-amd64 runs with 5 GiB, above the PCI hole", runs_to_the_end("x86_64"),
              boot_args("cloud-amd64", commands, memory="5G"), timeout=180)

    def keeps_time(clock, others):
        def run(guest):
            guest.expect(r"CLOCK=%s\n" % clock)
            guest.expect(r"COMMAND-STATUS=0")
            if re.search(others, guest.text):
                raise console.Failure("the kernel has found " + others)
            guest.expect(r"INIT-DONE")
        return run

    clocks = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    ask = ["sleep 1; echo CLOCK=$(cat %s)" % clocks]
    tap.guest("the HPET keeps the time", keeps_time("hpet", "nothing else"),
              boot_args("cloud-amd64", ask, options="clocksource=hpet no-kvmclock"), timeout=180)
    tap.guest("without HPET the kernel finds none", keeps_time("acpi_pm", "ACPI: HPET|hpet0"),
              boot_args("cloud-amd64", ask, ["-machine", "hpet=off"],
                        options="clocksource=acpi_pm no-kvmclock"), timeout=180)

    def reboots(guest):
        guest.expect(r"INIT-REACHED")
        guest.expect(r"INIT-REACHED")  # the machine came up again

    def ends_instead_of_reboot(guest):
        guest.expect(r"INIT-REACHED")
        status = guest.wait(60)
        if status != 0:
            raise console.Failure("exit status %d" % status)
        if guest.text.count("INIT-REACHED") != 1:
            raise console.Failure("rebooted despite -no-reboot")

    def resets(guest):
        guest.expect(r"INIT-REACHED")
        guest.monitor("system_reset")
        guest.expect(r"INIT-REACHED")
        guest.monitor("quit")
        if guest.wait(30) != 0:
            raise console.Failure("quit did not end with status 0")

    def stops(guest):
        guest.expect(r"INIT-REACHED")
        guest.expect(r"tick")
        guest.monitor("stop")
        if "paused" not in guest.monitor("info status"):
            raise console.Failure("info status does not say paused")
        guest._drain()
        guest.position = len(guest.text)
        try:
            guest.expect(r"tick", timeout=3)
        except console.Failure:
            pass
        else:
            raise console.Failure("the guest runs although stopped")
        guest.monitor("cont")
        guest.expect(r"tick")

    tap.guest("the guest reboots the machine", reboots,
              boot_args("cloud-amd64", ["reboot -f"]), timeout=180)
    tap.guest("-no-reboot ends instead", ends_instead_of_reboot,
              boot_args("cloud-amd64", ["reboot -f"], ["-no-reboot"]), timeout=180)
    tap.guest("system_reset restarts, quit ends", resets,
              boot_args("cloud-amd64", ["sleep 1000"]), timeout=180)
    tap.guest("stop holds the guest, cont lets it go on", stops,
              boot_args("cloud-amd64", ["while sleep 0.2; do echo tick; done"]), timeout=180)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
