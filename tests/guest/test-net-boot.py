#!/usr/bin/env python3
# timeout: 600
"""iPXE, the network cards' option ROM, gets its lease and boots a kernel by TFTP and by HTTP from the host.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import http.server
import os
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

KERNEL, INITRD = "kernel-cloud-amd64", "initramfs-amd64"


def script(folder, name, base):
    with open(os.path.join(folder, name), "w") as f:
        f.write("#!ipxe\necho SCRIPT-RUNS ${net0/ip}\nkernel %s/kernel console=ttyS0 panic=-1 -- \"echo net-boot=$((40+2))\"\n"
                "initrd %s/initrd\nboot\n" % (base, base))


def boots(guest):
    guest.expect(r"iPXE")
    guest.expect(r"SCRIPT-RUNS 10\.0\.2\.15", timeout=120)
    guest.expect(r"INIT-REACHED x86_64")
    guest.expect(r"net-boot=42")
    guest.expect(r"INIT-DONE")
    status = guest.wait(60)
    if status != 0:
        raise console.Failure("exit status %d after power-off" % status)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-net-boot.") as folder:
        os.chmod(folder, 0o755)
        for source, name in ((KERNEL, "kernel"), (INITRD, "initrd")):
            shutil.copy(os.path.join(console.GUEST_DIR, source), os.path.join(folder, name))
        handler = type("Handler", (http.server.SimpleHTTPRequestHandler,),
                       {"__init__": lambda s, *a: http.server.SimpleHTTPRequestHandler.__init__(
                           s, *a, directory=folder), "log_message": lambda *a: None})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script(folder, "tftp.ipxe", "tftp://10.0.2.2")
        script(folder, "http.ipxe", "http://10.0.2.2:%d" % server.server_address[1])

        def args(model, name):
            return ["-accel", "tcg", "-m", "256", "-boot", "n",
                    "-nic", "user,model=%s,tftp=%s,bootfile=%s" % (model, folder, name)]

        for model, name in (("e1000", "http.ipxe"), ("virtio-net-pci", "tftp.ipxe")):
            tap.guest("iPXE on %s boots a kernel by %s" % (model, name[:4].upper()), boots,
                      args(model, name), timeout=180)
        server.shutdown()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
