#!/usr/bin/env python3
# timeout: 600
"""TAP interfaces in a network namespace of their own: iperf3 both ways and its UDP, by each card.

Runs itself again under unshare(1), so that nothing of the host's network is touched. The figures are printed; nothing
depends on them. EMU=qemu-system-x86_64 shows QEMU's. SPDX-License-Identifier: GPL-2.0-or-later
"""
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

SECONDS = int(os.environ.get("IPERF_SECONDS", "2"))
CARDS = [("e1000", "enp0s5", 1), ("virtio-net-pci", "enp0s6", 2)]


def iperf3_archive():
    """The host's iperf3 with its libraries, for a guest that is Debian, too."""
    program = shutil.which("iperf3")
    text = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in [program] + re.findall(r"=> (/\S+)", text):
            if not re.search(r"/(libc|libm|ld-linux[^/]*)\.so", path):
                tar.add(os.path.realpath(path), arcname="iperf/" + os.path.basename(path))
    return out.getvalue()


def serve(data):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def check_card(tap, guest, card, interface, net):
    def up(guest):
        guest.run("ip link set %s up; ip addr add 10.8.%d.2/24 dev %s" % (interface, net, interface))
        guest.run("for i in $(seq 60); do (exec 3<>/dev/tcp/10.8.%d.1/8000) 2>/dev/null && break; sleep 0.5; done" % net)
        guest.run("test -x /tmp/iperf/iperf3 || { exec 3<>/dev/tcp/10.8.%d.1/8000; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3;"
                  " { while IFS= read -r l && [ \"$l\" != $'\\r' ]; do :; done; tar x -C /tmp; } <&3; }" % net)

    def iperf(guest, options):
        _, text = guest.run("LD_LIBRARY_PATH=/tmp/iperf /tmp/iperf/iperf3 -J -t %d -c 10.8.%d.1 %s" %
                            (SECONDS, net, options), timeout=SECONDS + 120)
        end = json.loads(text[text.index("{"):])["end"]
        total = end.get("sum_received") or end["sum"]
        print("# %s %s: %.0f Mbit/s" % (card, options or "out", total["bits_per_second"] / 1e6))
        if total["bytes"] < 1 << 20:
            raise console.Failure("%d bytes arrived" % total["bytes"])

    tap.check("%s on a tap" % card, up, guest)
    for name, options in (("out", ""), ("in", "-R"), ("four streams out", "-P 4"), ("UDP out", "-u -b 50M"),
                          ("UDP in", "-u -b 50M -R")):
        tap.check("%s: iperf3, %s" % (card, name), iperf, guest, options)


def inside():
    tap = Tap()
    for command in ("ip link set lo up", "true"):
        subprocess.run(command.split(), check=True)
    with tempfile.TemporaryDirectory(prefix="emu-tap.") as scratch:
        up = os.path.join(scratch, "up")
        with open(up, "w") as f:
            f.write("#!/bin/sh\nip addr add 10.8.${1#emu}.1/24 dev $1\nip link set $1 up\n")
        down = os.path.join(scratch, "down")
        with open(down, "w") as f:
            f.write("#!/bin/sh\necho $1 >> %s/gone\n" % scratch)
        os.chmod(up, 0o755)
        os.chmod(down, 0o755)
        serve(iperf3_archive())
        server = subprocess.Popen(["iperf3", "-s"], stdout=subprocess.DEVNULL)
        args = ["-m", "512", "-drive", "file=%s,if=virtio" % console.overlay(scratch, console.DISK)]
        for card, interface, net in CARDS:
            args += ["-netdev", "tap,id=t%d,ifname=emu%d,script=%s,downscript=%s" % (net, net, up, down),
                     "-device", "%s,netdev=t%d,addr=%s,mac=52:54:00:00:00:0%d,romfile=" % (card, net, interface[-1], net)]

        def run(guest):
            guest.login()
            for card, interface, net in CARDS:
                check_card(tap, guest, card, interface, net)
            guest.poweroff()
            with open(os.path.join(scratch, "gone")) as f:
                if sorted(f.read().split()) != ["emu1", "emu2"]:
                    raise console.Failure("downscript= has not been run for each interface")
        tap.guest("taps come and go with their scripts", run, args, timeout=300)
        server.kill()
        server.wait()
    return tap.done()


def main():
    tap = Tap()
    if os.environ.get("EMU_TAP_INSIDE"):
        return inside()
    why = ""
    if not shutil.which("iperf3") or not shutil.which("ip"):
        why = "no iperf3 or no ip (packages iperf3, iproute2)"
    elif not os.path.exists("/dev/net/tun") or subprocess.run(["unshare", "-n", "ip", "tuntap", "add", "x", "mode", "tap"],
                                                             stderr=subprocess.DEVNULL).returncode:
        why = "this user may not make network namespaces with TAP interfaces"
    if why:
        tap.skip("TAP interfaces", why)
        return tap.done()
    return subprocess.run(["unshare", "-n", sys.executable, os.path.abspath(__file__)],
                          env=dict(os.environ, EMU_TAP_INSIDE="1")).returncode


if __name__ == "__main__":
    sys.exit(main())
