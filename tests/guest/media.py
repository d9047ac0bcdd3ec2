"""What is booted from Debian's bootable media: shared by the tests of both accelerators.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import time

import console
import screen

GRUB_CD = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
GRUB_FLOPPY = "if=floppy,format=raw,readonly=on,file=/usr/lib/grub-rescue/grub-rescue-floppy.img"
IPXE_CD = "/usr/lib/ipxe/ipxe.iso"
MEMTEST_CD = "/usr/lib/memtest86+/memtest86+x64.iso"


# PATIENCE stretches the time limits, for a KVM that interprets its guests.


def reaches_seabios(guest, patience=1):
    guest.expect(r"SeaBIOS \(version", timeout=60 * patience)
    guest.expect(r"(?i)No bootable device", timeout=90 * patience)


def reaches_grub_prompt(guest, patience=1):
    guest.expect(r"executed automatically", timeout=90 * patience)
    guest.send("c")
    guest.expect(r"grub> ")
    # Typed letters arrive, and GRUB's own code runs.
    guest.type_slowly("set half=twenty")
    guest.expect(r"grub> ")
    guest.type_slowly("echo $half-one")
    guest.expect(r"twenty-one")
    guest.expect(r"grub> ")


def reaches_ipxe_prompt(guest, patience=1):
    guest.expect(r"iPXE \d\S+ -- Open Source Network Boot Firmware", timeout=90)
    # The prompt is offered for a moment, perhaps several times; the key may come too early for one.
    for _ in range(20 * patience):
        guest.send("\x02")
        try:
            guest.expect(r"iPXE> ", timeout=2)
            break
        except console.Failure:
            if guest.process.poll() is not None:
                raise
    else:
        raise console.Failure("no iPXE> prompt after Ctrl-B")
    guest.type_slowly("show version")
    guest.expect(r"builtin/version:string = \d")


def runs_memtest(min_test=6, seconds=120):
    """memtest86+ gets beyond its address tests without an error, as read off the screen."""
    def run(guest):
        dump = os.path.join(guest._dir.name, "screen.ppm")
        deadline, lines, seen = time.monotonic() + seconds, [], set()
        while time.monotonic() < deadline:
            time.sleep(1)
            guest.monitor("screendump " + dump)
            if not os.path.exists(dump):
                continue
            lines = screen.text_of(dump)
            text = "\n".join(lines)
            found = re.search(r"Test #(\d+)", text), re.search(r"Errors:\s*(\d+)", text)
            if all(found):
                test, errors = int(found[0].group(1)), int(found[1].group(1))
                seen.add(test)
                if errors:
                    raise console.Failure("memtest86+ found errors:\n" + text)
                if test >= min_test:
                    return
        raise console.Failure("tests seen: %s; the screen at last:\n%s" % (sorted(seen), "\n".join(lines)))
    return run
