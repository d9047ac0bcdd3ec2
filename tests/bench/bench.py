#!/usr/bin/env python3
"""Times this emulator's translator beside QEMU's, one CPU each.

    bench.py [--rounds N] [--only NAME,...] [--json FILE]

Each round runs one emulator and then the other, so that a change of the host's mood hits both; shown are
the median of the rounds, the spread (lowest to highest), and how many times faster the median is. Both
run -accel tcg -cpu max. Times are the host's: the emulated clock plays no part.

$EMU is the emulator, $QEMU the one to compare with (qemu-system-x86_64; "none": ours alone).
SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../guest"))
import console  # noqa: E402

QEMU = os.environ.get("QEMU", "qemu-system-x86_64")
BENCH_DISK = os.path.join(console.SRCDIR, "build/bench/bench.qcow2")
TCG = ["-accel", "tcg", "-cpu", "max"]

# In the guest: name, command, and the factor over QEMU that this emulator is to reach (1: not slower).
WORKLOADS = [
    ("integer", "./integer", 1.5),
    ("xz", "xz -9 -T1 -c data | sha256sum", 1.5),
    ("sha256", "for i in 1 2 3 4 5 6 7 8; do openssl dgst -sha256 /dev/shm/big; done", 8),
    ("gcc", "gcc -O2 -c -o /dev/shm/large.o large.c", 1),
    ("double", "./double", 8),
    ("packed", "./packed", 8),
    ("forkexec", "./forkexec 1000 ./true", 1),
    ("syscalls", "./syscalls 1000000", 1),
]
PREPARE = "cd /root/workloads && head -c 64M /dev/zero > /dev/shm/big && cat * > /dev/null"


def time_startup(emu, bios):
    """(milliseconds, peak KiB) of one life of an almost empty machine."""
    command = [emu, "-accel", "tcg", "-m", "128", "-nodefaults", "-display", "none", "-bios", bios,
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    start = time.perf_counter()
    pid = os.posix_spawn(shutil.which(emu), command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    elapsed = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 1:
        raise console.Failure("%s: exit status %d" % (" ".join(command), os.waitstatus_to_exitcode(status)))
    return elapsed * 1000, usage.ru_maxrss


def run_startup(emu, results):
    with tempfile.TemporaryDirectory() as scratch:
        bios = os.path.join(scratch, "start-up.bin")
        subprocess.run(["gcc", "-c", "-o", bios + ".o", os.path.join(HERE, "start-up.S")], check=True)
        subprocess.run(["objcopy", "-O", "binary", bios + ".o", bios], check=True)
        lives = [time_startup(emu, bios) for _ in range(11)]
    results["start-up (ms)"] = statistics.median(t for t, _ in lives)
    results["peak memory (MiB)"] = max(m for _, m in lives) / 1024


def guest_args(*args):
    return TCG + ["-m", "1G", "-smp", "1"] + list(args)


def run_kernel(emu, results):
    args = guest_args("-kernel", os.path.join(console.GUEST_DIR, "kernel-cloud-amd64"),
                      "-initrd", os.path.join(console.GUEST_DIR, "initramfs-amd64"),
                      "-append", 'console=ttyS0 -- "true"')
    start = time.perf_counter()
    with console.Guest(args, emu=emu) as guest:
        guest.expect(r"INIT-REACHED")
        results["kernel to init (s)"] = time.perf_counter() - start


def run_login(emu, results):
    start = time.perf_counter()
    with console.Guest(guest_args("-hda", console.DISK, "-snapshot"), emu=emu) as guest:
        guest.expect(console.LOGIN)
        results["boot to login (s)"] = time.perf_counter() - start


def run_workloads(emu, results, names, outputs):
    with console.Guest(guest_args("-drive", "file=%s,if=virtio" % BENCH_DISK, "-snapshot"), emu=emu,
                       timeout=1200) as guest:
        guest.login()
        guest.run(PREPARE)
        for name, command, _ in WORKLOADS:
            if name not in names:
                continue
            guest.line("echo GO''; %s; echo END'='$?" % command)
            guest.expect(r"GO\n")
            start = time.perf_counter()
            before = guest.position
            _, match = guest.expect(r"END=(\d+)\n")
            results[name + " (s)"] = time.perf_counter() - start
            output = guest.text[before:match.start()]
            guest.expect(console.PROMPT)
            if match.group(1) != "0":
                raise console.Failure("%s: status %s, %r" % (name, match.group(1), output))
            if outputs.setdefault(name, output) != output:
                raise console.Failure("%s: another result: %r and %r" % (name, outputs[name], output))


def targets():
    wanted = {"kernel to init (s)": 1, "boot to login (s)": 1, "start-up (ms)": 1, "peak memory (MiB)": 1}
    wanted.update({name + " (s)": target for name, _, target in WORKLOADS})
    return wanted


def show(measured, compare):
    wanted, short = targets(), []
    head = "%-20s %22s" % ("", "this emulator")
    print(head + ("  %22s  %8s  %6s" % ("QEMU", "faster", "goal") if compare else ""))
    for name in wanted:
        columns = [[r[name] for r in rounds if name in r] for rounds in measured]
        if not columns[0]:
            continue
        cells = ["%8.2f [%5.2f..%5.2f]" % (statistics.median(c), min(c), max(c)) if c else "-"
                 for c in columns]
        line = "%-20s %22s" % (name, cells[0])
        if compare and columns[1]:
            factor = statistics.median(columns[1]) / statistics.median(columns[0])
            line += "  %22s  %7.2fx  %5gx" % (cells[1], factor, wanted[name])
            if factor < wanted[name]:
                line += "  short"
                short.append(name)
        print(line)
    if compare:
        print("every goal is met" if not short else "short of the goal: " + ", ".join(short))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="startup, kernel, login, or names of workloads")
    parser.add_argument("--json", help="also write all figures here")
    args = parser.parse_args()
    only = set(filter(None, args.only.split(",")))
    known = {"startup", "kernel", "login"} | {w[0] for w in WORKLOADS}
    if only - known:
        parser.error("unknown: %s; known are %s" % (", ".join(only - known), ", ".join(sorted(known))))
    names = {w[0] for w in WORKLOADS} & (only or known)

    emulators = [console.EMU]
    if QEMU != "none":
        if not shutil.which(QEMU):
            parser.error("%s not found (package qemu-system-x86); QEMU=none runs without" % QEMU)
        emulators.append(QEMU)
    if names and not os.path.exists(BENCH_DISK):
        parser.error("no %s: make bench makes it" % BENCH_DISK)
    # A core dump of an emulator would be as large as its guest.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    measured, outputs, failed = [[] for _ in emulators], {}, []
    for number in range(args.rounds):
        for emu, rounds in zip(emulators, measured):
            results = {}
            rounds.append(results)
            steps = [("startup", lambda: run_startup(emu, results)),
                     ("kernel", lambda: run_kernel(emu, results)),
                     ("login", lambda: run_login(emu, results))]
            steps = [s for s in steps if not only or s[0] in only]
            if names:
                steps.append(("workloads", lambda: run_workloads(emu, results, names, outputs)))
            for what, step in steps:
                try:
                    step()
                except console.Failure as error:
                    failed.append("%s, %s: %s" % (os.path.basename(emu), what, error))
            print("round %d, %s: %s" % (number + 1, os.path.basename(emu), ", ".join(
                "%s %.2f" % item for item in results.items())), flush=True)
    print()
    show(measured, len(emulators) > 1)
    for text in failed:
        print("FAILED: " + text)
    if args.json:
        with open(args.json, "w") as out:
            json.dump(dict(zip(emulators, measured)), out, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
