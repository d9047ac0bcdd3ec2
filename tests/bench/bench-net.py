#!/usr/bin/env python3
"""Times this emulator's network beside QEMU's: iperf3 both ways by each card over the user-mode network and over a
TAP interface, and a flood of 1000 pings from the host.

    bench-net.py [--rounds N] [--seconds N]

Rounds alternate between the two; shown are medians, the spread, and how many times faster ours is. Both run -accel tcg
-cpu max with one CPU, in a network namespace of their own (as root). $EMU and $QEMU as for bench.py.
SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import importlib.util
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../guest"))
import console  # noqa: E402

spec = importlib.util.spec_from_file_location("net_tap", os.path.join(HERE, "../guest/test-net-tap.py"))
net_tap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(net_tap)

QEMU = os.environ.get("QEMU", "qemu-system-x86_64")
CARDS = ("e1000", "virtio-net-pci")


def run_iperf(guest, host, seconds, options):
    _, text = guest.run("LD_LIBRARY_PATH=/tmp/iperf /tmp/iperf/iperf3 -J -t %d -c %s %s" % (seconds, host, options),
                        timeout=seconds + 120)
    return json.loads(text[text.index("{"):])["end"]["sum_received"]["bits_per_second"] / 1e6


def measure(emu, seconds, scratch):
    """{what: Mbit/s, or microseconds}"""
    results = {}
    for card in CARDS:
        args = ["-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "1", "-snapshot",
                "-drive", "file=%s,if=virtio" % console.DISK,
                "-netdev", "user,id=u", "-device", card + ",netdev=u,addr=5,mac=52:54:00:00:00:01",
                "-netdev", "tap,id=t,ifname=emu1,downscript=no,script=" + os.path.join(scratch, "up"),
                "-device", card + ",netdev=t,addr=6,mac=52:54:00:00:00:02"]
        with console.Guest(args, emu=emu, timeout=300) as guest:
            guest.login()
            guest.run("ip link set enp0s5 up; ip addr add 10.0.2.15/24 dev enp0s5")
            guest.run("ip link set enp0s6 up; ip addr add 10.8.1.2/24 dev enp0s6; sleep 3")
            guest.run("exec 3<>/dev/tcp/10.8.1.1/8000; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; "
                      "{ while IFS= read -r l && [ \"$l\" != $'\\r' ]; do :; done; tar x -C /tmp; } <&3")
            for way, host in (("user", "10.0.2.2"), ("tap", "10.8.1.1")):
                for name, options in (("out", ""), ("in", "-R")):
                    results["%s %s %s (Mbit/s)" % (card, way, name)] = run_iperf(guest, host, seconds, options)
            if shutil.which("ping"):
                text = subprocess.run(["ping", "-f", "-q", "-c", "1000", "10.8.1.2"], stdout=subprocess.PIPE,
                                      text=True).stdout
                match = re.search(r"= [\d.]+/([\d.]+)/", text)
                if match:
                    results["%s ping (us)" % card] = float(match.group(1)) * 1000
    return results


def show(measured):
    factors = []
    for name in measured[0][0]:
        columns = [[r[name] for r in rounds if name in r] for rounds in measured]
        cells = ["%8.0f [%.0f..%.0f]" % (statistics.median(c), min(c), max(c)) if c else "-" for c in columns]
        line = "%-34s %24s" % (name, cells[0])
        if len(columns) > 1 and columns[1]:
            ours, theirs = (statistics.median(c) for c in columns)
            factor = theirs / ours if "(us)" in name else ours / theirs
            line += "  %24s  %6.2fx%s" % (cells[1], factor, "" if factor >= 1 else "  short")
            if "(us)" not in name:
                factors.append(factor)
        print(line)
    if factors:
        mean = math.exp(sum(map(math.log, factors)) / len(factors))
        print("geometric mean of the throughputs: %.2fx (goal 1.5x)" % mean)


def inside(args):
    emulators = [console.EMU] + ([QEMU] if QEMU != "none" else [])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    measured = [[] for _ in emulators]
    with tempfile.TemporaryDirectory(prefix="emu-bench.") as scratch:
        up = os.path.join(scratch, "up")
        with open(up, "w") as f:
            f.write("#!/bin/sh\nip addr add 10.8.1.1/24 dev $1\nip link set $1 up\n")
        os.chmod(up, 0o755)
        net_tap.serve(net_tap.iperf3_archive())
        server = subprocess.Popen(["iperf3", "-s"], stdout=subprocess.DEVNULL)
        try:
            for _ in range(args.rounds):
                for emu, rounds in zip(emulators, measured):
                    rounds.append(measure(emu, args.seconds, scratch))
        finally:
            server.kill()
            server.wait()
    show(measured)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    if os.environ.get("EMU_BENCH_INSIDE"):
        inside(args)
        return 0
    if os.getuid() or not shutil.which("iperf3"):
        print("bench-net.py: not measured: needs root, for a network namespace, and iperf3")
        return 0
    return subprocess.run(["unshare", "-n", sys.executable] + sys.argv,
                          env=dict(os.environ, EMU_BENCH_INSIDE="1")).returncode


if __name__ == "__main__":
    sys.exit(main())
