#!/usr/bin/env python3
# timeout: 120
"""The human monitor on a socket: what its commands answer about a machine that stands at its reset vector.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

# Command and a regular expression of the answer.
QUESTIONS = [
    ("info status", r"^VM status: paused \(prelaunch\)$"),
    ("info version", r"^\d+\.\d+"),
    ("info name", r"^clerk$"),
    ("info uuid", r"^550e8400-e29b-41d4-a716-446655440000$"),
    ("info cpus", r"(?s)^\* CPU #0: .*\n  CPU #1: "),
    ("info registers", r"(?s)CPU#0\n.*EIP=0000fff0 .*CS =f000 ffff0000 0000ffff"),
    ("info registers -a", r"(?s)CPU#0\n.*CPU#1\n"),
    ("info registers 1", r"(?s)CPU#1\n"),
    ("info mtree", r"(?s)address-space: memory.*isa-bios.*address-space: I/O.*serial"),
    ("info mtree -f", r"(?s)FlatView.*rom"),
    ("info qtree", r"(?s)bus: main-system-bus.*bus: pci.0.*dev: VGA.*virtio-rng-pci, id \"dice\""),
    ("info block", r"(?s)disk0.*image\.raw"),
    ("info chardev", r"(?m)^serial0: filename=null$"),
    ("info irq", r"(?s)pic0.*ioapic"),
    ("info lapic", r"(?i)apic"),
    ("info jit", r"^translator: enabled"),
    ("info kvm", r"^kvm support: disabled$"),
    ("info history", r"info status"),
    ("info nonsense", r"^Error: 'nonsense' is no subject"),
    ("info status now", r"'now' was not expected"),
    ("nonsense", r"^unknown command: 'nonsense'$"),
    ("help cont", r"^cont\|c -- "),
    ("x/2i $pc", r"(?s)^0xfffffff0:  ea .*ljmpw.*\n0xfffffff5: "),
    ("x /4xb 0xfffffff0", r"^00000000fffffff0: 0xea( 0x[0-9a-f]{2}){3}$"),
    ("xp/2xw 0", r"^0{16}: 0x00000000 0x00000000$"),
    ("xp/1dh 0", r"^0{16}: +0$"),
    ("xp/2c 0", r"^0{16}: '\\x00' '\\x00'$"),
    ("xp/20xg 0", r"(?s)^(0{13}[0-9a-f]{3}:( 0x0{16}){2}\n){10}$"),
    ("print/x $eax + 2 * (3 - 1)", r"^0x4$"),
    ("p/d -1", r"^-1$"),
    ("p/c 'A'", r"^'A'$"),
    ("p 1 / 0", r"^Error: division by zero$"),
    ("p $nothing", r"^Error: '\$nothing' is no register$"),
    ("p/z 1", r"^Error: 'z' is no format"),
    ("gva2gpa 0x1000", r"^gpa: 0x1000$"),
    ("i/xb 0x64", r"^portb\[0x0064\] = 0x[0-9a-f]{2}$"),
    ("o/xb 0x70 0x0f", r"^$"),
    ("cpu 7", r"^Error: there are CPUs 0 to 1$"),
    ("cpu 1", r"^$"),
    ("info cpus", r"(?m)^\* CPU #1"),
    ("sendkey ctrl-alt-delete 10", r"^$"),
    ("sendkey ctrl-nonsense", r"^Error: .*nonsense"),
    ("log nonsense", r"^Error: .*nonsense"),
    ("eject nosuch", r"^Error: .*nosuch"),
    ("ringbuf_write ring hello", r"^$"),
    ("ringbuf_read nosuch 4", r"^Error: 'nosuch' is no ring buffer"),
    ("screendump", r"^Error: .*missing"),
    ("screendump /nonexistent/x", r"^Error: .*/nonexistent/x"),
]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        socket = os.path.join(folder, "monitor")
        image = os.path.join(folder, "image.raw")
        with open(image, "wb") as f:
            f.truncate(1 << 20)
        args = ["-accel", "tcg", "-S", "-smp", "2", "-display", "none", "-name", "clerk",
                "-uuid", "550e8400-e29b-41d4-a716-446655440000", "-chardev", "ringbuf,id=ring",
                "-drive", "file=%s,format=raw,id=disk0" % image, "-device", "virtio-rng-pci,id=dice",
                "-monitor", "unix:%s,server=on,wait=off" % socket]
        guest = console.Guest(args, serial=None)
        guest.monitor_path = socket
        try:
            for command, answer in QUESTIONS:
                reply = guest.monitor(command)
                tap.ok(re.search(answer, reply.rstrip("\n") if not answer.endswith("{10}$") else reply),
                       "'%s' answers" % command, repr(reply))
            for form, magic in (("ppm", b"P6\n"), ("png", b"\x89PNG")):
                path = os.path.join(folder, "screen." + form)
                guest.monitor("screendump %s -f %s" % (path, form))
                with open(path, "rb") as f:
                    tap.ok(f.read(len(magic)) == magic, "screendump writes %s" % form)
            path = os.path.join(folder, "memory")
            guest.monitor("pmemsave 0xfffffff0 16 %s" % path)
            with open(path, "rb") as f:
                data = f.read()
            tap.ok(len(data) == 16 and data[0] == 0xea, "pmemsave writes memory", data)
            guest.monitor("cont")
            tap.ok("VM status: running" in guest.monitor("info status"), "cont lets the machine run")
            guest.monitor("stop")
            tap.ok("VM status: paused\n" in guest.monitor("info status"), "stop stops it")
            guest.monitor("system_reset")
            deadline = time.monotonic() + 10
            while "EIP=0000fff0" not in guest.monitor("info registers 0") and time.monotonic() < deadline:
                time.sleep(0.05)
            tap.ok("EIP=0000fff0" in guest.monitor("info registers 0"), "system_reset resets a stopped machine")
            guest.monitor("quit")
            tap.ok(guest.wait(20) == 0, "quit ends the emulator with status 0")
        finally:
            guest.kill()
        piped = subprocess.run([console.EMU, "-accel", "tcg", "-S", "-display", "none", "-monitor", "stdio"],
                               input="info status\nquit\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, timeout=60)
        tap.ok("(emu) info status\nVM status: paused (prelaunch)\n(emu) quit\n" in piped.stdout,
               "a plain pipe sees plain text", repr(piped.stdout))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
