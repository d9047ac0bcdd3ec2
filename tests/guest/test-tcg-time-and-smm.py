#!/usr/bin/env python3
# timeout: 300
"""Guest time stands while the machine is stopped; SeaBIOS works with and without SMM; a small code cache.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

LISTING = ("for i in 1 2 3 4 5 6; do (for j in 1 2 3; do ls -lR /bin /etc | md5sum; dmesg | md5sum; "
           "done >/dev/null) & done; wait")


def boot_args(commands, extra=(), accel="tcg"):
    quoted = " ".join('"%s"' % c for c in commands)
    return ["-accel", accel, "-m", "256", "-kernel", os.path.join(console.GUEST_DIR, "kernel-cloud-amd64"),
            "-initrd", os.path.join(console.GUEST_DIR, "initramfs-amd64"),
            "-append", "console=ttyS0 panic=-1 %s -- " % " ".join(extra) + quoted]


def time_stands(guest):
    guest.expect(r"before=\d+")
    guest.monitor("stop")
    time.sleep(6)
    guest.monitor("cont")
    guest.expect(r"after=\d+")
    before, after = (int(re.search(r"%s=(\d+)" % w, guest.text).group(1)) for w in ("before", "after"))
    if after - before > 5:
        raise console.Failure("%d seconds went by in a guest that slept for 2" % (after - before))


def small_cache(guest):
    guest.expect(r"COMMAND-STATUS=0")
    evicted = int(re.search(r"segments evicted: (\d+)", guest.monitor("info jit")).group(1))
    if evicted < 20:
        raise console.Failure("segments of the cache were emptied %d times only" % evicted)
    guest.expect(r"INIT-DONE")
    if re.search(r"BUG|Oops|Call Trace|segfault", guest.text):
        raise console.Failure("the guest complains")


def smm_log(machine):
    with tempfile.NamedTemporaryFile(prefix="emu-smm.") as log:
        with console.Guest(boot_args([]) + ["-d", "int", "-D", log.name] + machine) as guest:
            guest.expect(r"INIT-REACHED", timeout=120)
        text = open(log.name).read()
    return text.count(": SMI at"), text.count(": back by RSM at")


def main():
    tap = Tap()
    sleep = ["echo before=$(cut -d. -f1 /proc/uptime); sleep 2; echo after=$(cut -d. -f1 /proc/uptime)"]
    for source in ("kvm-clock", "tsc"):
        tap.guest("time stands while the machine does, clocksource %s" % source, time_stands,
                  boot_args(sleep, ["clocksource=" + source]), timeout=100)
    entries, returns = smm_log([])
    tap.ok(entries >= 3 and entries == returns, "the firmware enters SMM and comes back",
           "%d entries, %d returns" % (entries, returns))
    entries, returns = smm_log(["-machine", "smm=off"])
    tap.ok(entries == 0 and returns == 0, "no SMM with -machine smm=off")
    tap.guest("four CPUs run with a code cache that is too small", small_cache,
              boot_args([LISTING, "sleep 2"], accel="tcg,tb-size=4M") + ["-smp", "4"], timeout=100)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
