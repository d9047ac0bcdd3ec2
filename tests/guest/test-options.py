#!/usr/bin/env python3
# timeout: 600
"""Bad options and bad files are refused: one clear line that names the option, exit status 1, and no file
changed.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

NAME = "emu-system-x86_64: "

# Arguments, and words of the message. {d} is the folder of files made below.
REFUSED = [
    ("-foo", ["-foo"]),
    ("-m", ["-m"]),
    ("-m 0", ["-m"]),
    ("-m abc", ["-m", "abc"]),
    ("-m -1", ["-m"]),
    ("-m 1E", ["-m"]),
    ("-m 8T,slots=2", ["-m", "slots"]),
    ("-cpu max,phys-bits=36 -m 128G", ["-m"]),
    ("-smp 0", ["-smp"]),
    ("-smp 1000", ["-smp"]),
    ("-smp 4,cores=3", ["-smp"]),
    ("-smp 2,maxcpus=3", ["-smp", "maxcpus"]),
    ("-M foo", ["-M", "foo"]),
    ("-machine pc,foo=on", ["-machine", "foo"]),
    ("-cpu foo", ["-cpu", "foo"]),
    ("-cpu max,+foo", ["-cpu", "foo"]),
    ("-cpu max,phys-bits=99", ["-cpu", "phys-bits"]),
    ("-accel foo", ["-accel", "foo"]),
    ("-accel tcg,foo=1", ["-accel", "foo"]),
    ("-machine accel=tcg -accel tcg", ["-accel"]),
    ("-device foo", ["-device", "foo"]),
    ("-device VGA,foo=1", ["-device", "foo"]),
    ("-device ide-hd,unit=7", ["-device", "unit"]),
    ("-device virtio-blk-pci", ["-device", "drive"]),
    ("-device virtio-blk-pci,drive=nosuch", ["-device", "nosuch"]),
    ("-device virtio-rng-pci,addr=40", ["-device", "addr"]),
    ("-device virtio-rng-pci,bus=isa.0", ["-device", "isa.0"]),
    ("-device virtio-rng-pci,bus=nosuch", ["-device", "nosuch"]),
    ("-device virtio-rng-pci,id=a -device virtio-rng-pci,id=a", ["-device", "'a'"]),
    ("-device i440FX", ["-device", "i440FX"]),
    ("-global foo.bar=1", ["-global", "foo"]),
    ("-global VGA.foo=1", ["-global", "foo"]),
    ("-global VGA.vgamem_mb=x", ["-global", "vgamem_mb"]),
    ("-drive file={d}/missing.img", ["-drive", "missing.img"]),
    ("-drive file={d}/raw.img,if=foo", ["-drive", "foo"]),
    ("-drive file={d}/raw.img,foo=1", ["-drive", "foo"]),
    ("-drive file={d}/raw.img,cache=foo", ["-drive", "foo"]),
    ("-drive file={d}/raw.img,format=foo", ["-drive", "foo"]),
    ("-hda {d}/missing.img", ["-hda", "missing.img"]),
    ("-hda {d}", ["-hda"]),
    ("-cdrom {d}/missing.iso", ["-cdrom", "missing.iso"]),
    ("-drive file={d}/raw.img,format=raw,index=0 -drive file={d}/other.img,format=raw,index=0",
     ["-drive", "index=0"]),
    ("{d}/raw.img {d}/other.img", ["other.img"]),
    ("-blockdev driver=foo,node-name=n", ["-blockdev", "foo"]),
    ("-drive file={d}/raw.img,format=qcow2", ["-drive"]),
    ("-drive file={d}/truncated.qcow2,format=qcow2", ["-drive", "truncated.qcow2"]),
    ("-hda {d}/version.qcow2", ["-hda", "version"]),
    ("-hda {d}/clusters.qcow2", ["-hda", "cluster"]),
    ("-hda {d}/l1.qcow2", ["-hda"]),
    ("-hda {d}/refcount.qcow2", ["-hda"]),
    ("-hda {d}/backing.qcow2", ["-hda", "nosuch-backing"]),
    ("-boot foo=1", ["-boot", "foo"]),
    ("-boot z", ["-boot", "z"]),
    ("-bios {d}/missing.bin", ["-bios", "missing.bin"]),
    ("-bios {d}/odd.bin", ["odd.bin"]),
    ("-L {d} -bios nosuch.bin", ["-bios", "nosuch.bin"]),
    ("-kernel {d}/missing", ["-kernel", "missing"]),
    ("-kernel {d}/raw.img", ["-kernel", "raw.img"]),
    ("-append x", ["-append", "-kernel"]),
    ("-initrd {d}/raw.img", ["-initrd", "-kernel"]),
    ("-serial foo", ["-serial", "foo"]),
    ("-serial vc", ["-serial", "vc"]),
    ("-serial file:/nonexistent/x", ["-serial", "/nonexistent/x"]),
    ("-serial unix:/nonexistent/x", ["-serial", "/nonexistent/x"]),
    ("-serial chardev:nosuch", ["-serial", "nosuch"]),
    ("-serial stdio -monitor stdio", ["stdio"]),
    ("-monitor foo", ["-monitor", "foo"]),
    ("-mon nosuch", ["-mon", "nosuch"]),
    ("-chardev null", ["-chardev", "id="]),
    ("-chardev foo,id=x", ["-chardev", "foo"]),
    ("-chardev null,id=x,foo=1", ["-chardev", "foo"]),
    ("-net user", ["-net", "user"]),
    ("-netdev user,id=n", ["-netdev"]),
    ("-display gtk", ["-display", "gtk"]),
    ("-vga qxl", ["-vga", "qxl"]),
    ("-rtc base=foo", ["-rtc", "foo"]),
    ("-rtc clock=vm", ["-rtc", "vm"]),
    ("-uuid 1234", ["-uuid", "1234"]),
    ("-d foo", ["-d", "foo"]),
    ("-D /nonexistent/log", ["-D", "/nonexistent/log"]),
    ("-incoming tcp:0:1", ["-incoming"]),
    ("-qmp stdio", ["-qmp"]),
]

# Help texts: exit status 0, nothing on stderr, and a word of what is printed.
HELP = [
    ("-help", "-nographic"),
    ("-h", "-drive"),
    ("-version", "emu-system-x86_64 version "),
    ("-M help", "pc-i440fx"),
    ("-machine help", "i440FX"),
    ("-cpu help", "max"),
    ("-accel help", "kvm"),
    ("-accel tcg,help", "fallback"),
    ("-device help", "virtio-blk-pci"),
    ("-device virtio-blk-pci,help", "drive"),
    ("-chardev help", "socket"),
    ("-d help", "unimp"),
    ("-L help", "seabios"),
]


def qcow2_header(version=2, cluster_bits=16, size=1 << 20, l1_size=1, l1_offset=0x30000, refcount_offset=0x10000,
                 refcount_clusters=1, backing=""):
    """A whole small image, as the qcow2 specification has it: header, refcount table and block, L1 table."""
    backing_offset = 0x200 if backing else 0
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing_offset, len(backing), cluster_bits, size,
                         0, l1_size, l1_offset, refcount_offset, refcount_clusters, 0, 0)
    image = bytearray(0x40000)
    image[:len(header)] = header
    image[0x200:0x200 + len(backing)] = backing.encode()
    image[0x10000:0x10008] = struct.pack(">Q", 0x20000)
    for cluster in range(4):
        image[0x20000 + 2 * cluster:0x20002 + 2 * cluster] = struct.pack(">H", 1)
    return bytes(image)


def make_files(folder):
    good = qcow2_header()
    files = {
        "raw.img": bytes(range(256)) * 4096,
        "other.img": b"\0" * 65536,
        "good.qcow2": good,
        "truncated.qcow2": good[:60],
        "version.qcow2": qcow2_header(version=77),
        "clusters.qcow2": qcow2_header(cluster_bits=60),
        "l1.qcow2": qcow2_header(l1_offset=0x12345),
        "refcount.qcow2": qcow2_header(refcount_offset=3),
        "backing.qcow2": qcow2_header(backing="nosuch-backing"),
        "odd.bin": b"\x90" * 1000,
    }
    for name, content in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(content)


def fingerprint(folder):
    """Names, contents and times of change of all files in FOLDER."""
    result = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            result[name] = (hashlib.sha256(f.read()).hexdigest(), os.stat(path).st_mtime_ns)
    return result


def run(line):
    command = [console.EMU] + console.EMU_ARGS + line.split()
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60)


def refusal(line, words):
    """What is wrong with how LINE is refused, or nothing."""
    try:
        done = run("-accel tcg -display none -S " + line if "accel" not in line else "-display none -S " + line)
    except subprocess.TimeoutExpired:
        return "it was not refused"
    lines = done.stderr.strip().splitlines()
    if done.returncode != 1:
        return "exit status %d, not 1: %s" % (done.returncode, done.stderr)
    if len(lines) != 1 or not lines[0].startswith(NAME):
        return "not one line that starts with %s: %r" % (NAME, done.stderr)
    missing = [w for w in words if w not in lines[0]]
    return "%s is not named in: %s" % (missing, lines[0]) if missing else ""


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        make_files(folder)
        before = fingerprint(folder)
        for line, words in REFUSED:
            why = refusal(line.replace("{d}", folder), words)
            tap.ok(not why, "%s is refused in one line" % line.replace("{d}/", ""), why)
        tap.ok(fingerprint(folder) == before, "no file was changed by any of them", "%s" % fingerprint(folder))
        unwritable = os.path.join(folder, "good.qcow2")
        os.chmod(unwritable, 0o400)
        if os.geteuid() == 0:
            tap.skip("an unwritable disk is refused in one line", "root may write to everything")
        else:
            why = refusal("-hda " + unwritable, ["-hda", "good.qcow2"])
            tap.ok(not why, "an unwritable disk is refused in one line", why)
    for line, word in HELP:
        done = run(line)
        tap.ok(done.returncode == 0 and word in done.stdout and not done.stderr, "%s prints help and ends" % line,
               "status %d, stderr %r, stdout %r" % (done.returncode, done.stderr, done.stdout[:300]))
    options = re.findall(r"^(-\S+)", run("-help").stdout, re.M)
    with open(os.path.join(console.SRCDIR, "docs/emu-system-x86_64.1")) as f:
        page = f.read().replace("\\-", "-")
    missing = [o for o in options if not re.search(r"^\.B.*%s(?![\w-])" % re.escape(o), page, re.M)]
    tap.ok(len(options) > 40 and not missing, "every option of -help is in the manual page", missing)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
