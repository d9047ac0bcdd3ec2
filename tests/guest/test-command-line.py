#!/usr/bin/env python3
# timeout: 180
"""What cannot be done is refused: one line that names the culprit, exit status 1, and no file changed.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

HEADLESS = ["-display", "none", "-accel", "tcg"]


def run(args, timeout=30, unprivileged=False, address_space=None):
    def limit():
        if unprivileged and os.getuid() == 0:
            os.setgroups([])
            os.setuid(65534)
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    return subprocess.run([console.EMU] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=timeout,
                          preexec_fn=limit)


def refused(result, pattern):
    """Why it is not properly refused, or None."""
    lines = result.stderr.strip().splitlines()
    if result.returncode != 1:
        return "exit status %d\n%s" % (result.returncode, result.stderr)
    if len(lines) != 1 or result.stdout:
        return "not one line: %r %r" % (result.stdout, result.stderr)
    if not re.search(pattern, lines[0]):
        return "%r is not in %r" % (pattern, lines[0])
    print("# " + lines[0])
    return None


# What is wrong, the arguments, and what the message must name.
OPTIONS = [
    ("no memory", ["-m", "0"], r"-m|memory"),
    ("unparsable memory", ["-m", "lots"], r"lots"),
    ("memory beyond the guest's physical addresses", ["-m", "8192T"], r"-m: .*(8192T|8589934592 MiB)"),
    ("no CPU", ["-smp", "0"], r"-smp|cpus"),
    ("unparsable CPU count", ["-smp", "many"], r"many"),
    ("an unknown machine", ["-M", "toaster"], r"toaster"),
    ("an unknown CPU", ["-cpu", "abacus"], r"abacus"),
    ("an unknown CPU feature", ["-cpu", "qemu64,+warp-drive"], r"warp-drive"),
    ("a CPU feature with a bad value", ["-cpu", "qemu64,nx=perhaps"], r"perhaps"),
    ("an unknown device", ["-device", "flux-capacitor"], r"flux-capacitor"),
    ("an unknown property", ["-device", "virtio-rng-pci,colour=red"], r"colour"),
    ("a property out of range", ["-device", "isa-debug-exit,iobase=banana"], r"banana"),
    ("an unknown accelerator", ["-accel", "magic"], r"magic"),
    ("an unknown accelerator option", ["-accel", "tcg,turbo=on"], r"turbo"),
    ("an unknown option", ["-frobnicate"], r"frobnicate"),
    ("an option without its argument", ["-m"], r"-m"),
    ("a missing BIOS", ["-bios", "no-such-bios.bin"], r"no-such-bios"),
    ("a kernel that is none", ["-kernel", "/etc/passwd"], r"/etc/passwd"),
    ("a missing kernel", ["-kernel", "/no/kernel"], r"/no/kernel"),
    ("an initrd without a kernel", ["-initrd", "/etc/passwd"], r"-initrd|-kernel"),
    ("a missing initrd", ["-kernel", "KERNEL", "-initrd", "/no/initrd"], r"/no/initrd"),
    ("a missing disk", ["-hda", "/no/disk.qcow2"], r"/no/disk\.qcow2"),
    ("a folder as disk", ["-hda", "/"], r"'?/'?"),
    ("an unknown disk format", ["-drive", "file=DISK,format=clay"], r"clay"),
    ("an unknown drive option", ["-drive", "file=DISK,shiny=on"], r"shiny"),
    ("two drives in one place", ["-hda", "DISK", "-drive", "file=DISK2,index=0"], r"index|ide|drive"),
    ("a device without its drive", ["-device", "virtio-blk-pci"], r"drive"),
    ("a device with a drive that is not there", ["-device", "virtio-blk-pci,drive=d9"], r"d9"),
    ("a bad serial line", ["-serial", "semaphore:flags"], r"semaphore"),
    ("an unknown display", ["-display", "hologram"], r"hologram"),
    ("an unknown VGA card", ["-vga", "hercules"], r"hercules"),
    ("an unknown log item", ["-d", "everything-else"], r"everything-else"),
    ("a bad date", ["-rtc", "base=yesterday"], r"yesterday"),
    ("a bad UUID", ["-uuid", "12345"], r"12345"),
    ("a boot device that does not exist", ["-boot", "order=z"], r"z"),
]

U32, U64 = ">I", ">Q"
# Fields of the qcow2 header: offset, format, value.
HEADERS = [
    ("wrong magic", 0, U32, 0x51464900),
    ("unknown version", 4, U32, 9),
    ("cluster size of 2^60", 20, U32, 60),
    ("encrypted by an unknown method", 32, U32, 77),
    ("an L1 table of 4 Gi entries", 36, U32, 0xffffffff),
    ("an L1 table too small for the disk", 36, U32, 0),
    ("an L1 table off a cluster's start", 40, U64, 0x30001),
    ("an L1 table outside of the file", 40, U64, 1 << 55),
    ("a refcount table off a cluster's start", 48, U64, 0x10001),
    ("a refcount table outside of the file", 48, U64, 1 << 55),
    ("a refcount table of 4 Gi clusters", 56, U32, 0xffffffff),
    ("65535 snapshots in a table that is not there", 60, U32, 65535),
    ("unknown incompatible features", 72, U64, 1 << 40),
    ("refcounts of 2^40 bits", 96, U32, 40),
    ("a header shorter than version 3 has", 100, U32, 8),
]


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest(), os.stat(path).st_mtime_ns


def make_disk(path):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    os.chmod(path, 0o644)
    return path


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-bad.") as scratch:
        os.chmod(scratch, 0o755)
        words = {"DISK": make_disk(os.path.join(scratch, "disk.qcow2")),
                 "DISK2": make_disk(os.path.join(scratch, "disk2.qcow2")),
                 "KERNEL": os.path.join(console.GUEST_DIR, "kernel-cloud-amd64")}
        pattern = re.compile(r"\b(DISK2?|KERNEL)\b")

        def check(name, args, message, disk=words["DISK"], **kwargs):
            before = digest(disk)
            try:
                why = refused(run(HEADLESS + args, **kwargs), message)
            except subprocess.TimeoutExpired:
                why = "it runs"
            if not why and digest(disk) != before:
                why = "the disk was written to"
            tap.ok(not why, "%s is refused" % name, "%s\n%s" % (" ".join(args), why))

        for name, args, message in OPTIONS:
            check(name, [pattern.sub(lambda m: words[m.group(1)], a) for a in args], message)

        check("memory that the host refuses", ["-m", "20G"], r"(?i)memory|RAM|-m", address_space=8 << 30)

        for name, offset, form, value in HEADERS:
            disk = make_disk(os.path.join(scratch, "bad.qcow2"))
            with open(disk, "r+b") as f:
                f.seek(offset)
                f.write(struct.pack(form, value))
            check("a qcow2 image with " + name, ["-drive", "format=qcow2,file=" + disk], r"bad\.qcow2", disk)

        disk = make_disk(os.path.join(scratch, "short.qcow2"))
        for size in (0, 3, 71, 103):
            os.truncate(disk, size)
            check("a qcow2 image of %d bytes" % size, ["-drive", "format=qcow2,file=" + disk],
                  r"short\.qcow2", disk)
        with open(disk, "wb") as f:
            f.write(b"no disk at all" * 1000)
        check("an image that is no qcow2", ["-drive", "format=qcow2,file=" + disk], r"short\.qcow2", disk)

        disk = make_disk(os.path.join(scratch, "child.qcow2"))
        subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", "/no/parent", disk],
                       check=True)
        check("an image whose backing file is missing", ["-hda", disk], r"/no/parent", disk)
        loop = os.path.join(scratch, "loop.qcow2")
        make_disk(loop)
        subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", loop, loop],
                       check=True)
        check("an image that is its own backing file", ["-hda", loop], r"loop\.qcow2", loop)

        readonly = make_disk(os.path.join(scratch, "readonly.qcow2"))
        os.chmod(readonly, 0o444)
        check("a disk that may not be written", ["-hda", readonly], r"readonly\.qcow2", readonly,
              unprivileged=True)

        first = subprocess.Popen([console.EMU] + HEADLESS + ["-S", "-hda", words["DISK"]],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):  # until it holds its locks
                if "disk.qcow2" in " ".join(open_files(first.pid)):
                    break
                subprocess.run(["sleep", "0.05"], check=True)
            check("a disk that another emulator writes to", ["-hda", words["DISK"]], r"disk\.qcow2.*lock|lock")
        finally:
            first.kill()
            first.wait()

    for args, expected in (
            (["-version"], r"version \d"), (["-help"], r"-drive"), (["-M", "help"], r"(?m)^pc\b"),
            (["-cpu", "help"], r"qemu64|max"), (["-device", "help"], r"virtio-blk-pci"),
            (["-device", "virtio-blk-pci,help"], r"drive="), (["-accel", "help"], r"(?m)^tcg\b")):
        result = run(args)
        tap.ok(result.returncode == 0 and re.search(expected, result.stdout) and not result.stderr,
               "%s prints help and ends with status 0" % " ".join(args),
               "status %d\n%s\n%s" % (result.returncode, result.stdout[:500], result.stderr))
    return tap.done()


def open_files(pid):
    folder = "/proc/%d/fd" % pid
    names = []
    for entry in os.listdir(folder):
        try:
            names.append(os.readlink(os.path.join(folder, entry)))
        except OSError:
            pass
    return names


if __name__ == "__main__":
    sys.exit(main())
