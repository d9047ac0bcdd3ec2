#!/usr/bin/env python3
# timeout: 300
"""Where KVM cannot be had, or cannot run a kernel, one line says why and the translator runs the guest.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

BOOT = ["-m", "256", "-kernel", os.path.join(console.GUEST_DIR, "kernel-cloud-amd64"),
        "-initrd", os.path.join(console.GUEST_DIR, "initramfs-amd64"),
        "-append", 'console=ttyS0 quiet -- "true"']
REASON = re.compile(r"^\S*emu-system-x86_64: .*kvm.*$", re.I | re.M)


def main():
    tap = Tap()
    state = {}

    def boots(guest):
        guest.expect(r"INIT-DONE", timeout=200)
        if guest.wait(60) != 0:
            raise console.Failure("exit status not 0")
        state["reasons"] = REASON.findall(guest.text)

    tap.guest("-accel kvm boots a kernel, in KVM or else in the translator", boots, ["-accel", "kvm"] + BOOT)
    reasons = state.get("reasons", [])
    if not reasons and tap.failures == 0:
        why = "this host's KVM passes the self-test"
        tap.skip("one line says why KVM is not used", why)
        tap.skip("fallback=off makes it an error with exit status 1", why)
        return tap.done()
    tap.ok(len(reasons) == 1, "one line says why KVM is not used", reasons)
    print("# %s" % reasons)
    run = subprocess.run([console.EMU, "-accel", "kvm,fallback=off", "-display", "none"] + BOOT,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         timeout=60)
    tap.ok(run.returncode == 1 and len(run.stderr.strip().splitlines()) == 1 and not run.stdout,
           "fallback=off makes it an error with exit status 1",
           "status %d, %r" % (run.returncode, run.stderr))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
