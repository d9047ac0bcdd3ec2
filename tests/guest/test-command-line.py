#!/usr/bin/env python3
# timeout: 600
"""The command line: what cannot be done is refused in one line that names the culprit, with exit status 1 and
no file changed; each option of -help works, and stands in the manual page.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import os
import re
import resource
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

NAME = "emu-system-x86_64: "
KERNEL = os.path.join(console.GUEST_DIR, "kernel-cloud-amd64")

# Arguments, and words that the message must have. {d} is the folder of files made below, {kernel} a kernel.
REFUSED = [
    ("-foo", ["-foo"]),
    # Memory, CPUs, machine
    ("-m", ["-m"]),
    ("-m 0", ["-m"]),
    ("-m 0G", ["-m"]),
    ("-m size=", ["-m"]),
    ("-m lots", ["-m", "lots"]),
    ("-m -1", ["-m"]),
    ("-m 1E", ["-m"]),
    ("-m 99999999999999999999", ["-m"]),
    ("-m 8T,slots=2", ["-m", "slots"]),
    ("-m 8192T", ["-m", "8589934592 MiB"]),
    ("-cpu max,phys-bits=36 -m 128G", ["-m", "phys-bits"]),
    ("-smp 0", ["-smp"]),
    ("-smp many", ["-smp", "many"]),
    ("-smp 1000", ["-smp"]),
    ("-smp 4,cores=3", ["-smp"]),
    ("-smp 2,maxcpus=3", ["-smp", "maxcpus"]),
    ("-M toaster", ["-M", "toaster"]),
    ("-machine pc,foo=on", ["-machine", "foo"]),
    ("-machine pc,acpi=perhaps", ["-machine", "acpi", "perhaps"]),
    ("-cpu abacus", ["-cpu", "abacus"]),
    ("-cpu max,+foo", ["-cpu", "foo"]),
    ("-cpu qemu64,+warp-drive", ["-cpu", "warp-drive"]),
    ("-cpu qemu64,nx=perhaps", ["-cpu", "nx", "perhaps"]),
    ("-cpu max,phys-bits=99", ["-cpu", "phys-bits"]),
    ("-accel magic", ["-accel", "magic"]),
    ("-accel tcg,turbo=on", ["-accel", "turbo"]),
    ("-accel kvm,turbo=on", ["-accel", "turbo"]),
    ("-accel kvm,halt-poll-ns=-2", ["halt-poll-ns", "-2"]),
    ("-accel kvm,kernel-irqchip=half", ["kernel-irqchip", "half", "split"]),
    ("-accel tcg -cpu qemu64,tsc-frequency=100000000", ["tsc-frequency", "translator"]),
    ("-machine accel=tcg -accel tcg", ["-accel"]),
    ("-boot foo=1", ["-boot", "foo"]),
    ("-boot z", ["-boot", "z"]),
    ("-boot order=cdc", ["-boot", "c"]),
    ("-boot splash={d}/raw.img", ["-boot", "raw.img"]),
    ("-uuid 12345", ["-uuid", "12345"]),
    ("-rtc base=yesterday", ["-rtc", "yesterday"]),
    ("-rtc clock=vm", ["-rtc", "vm"]),
    # Devices
    ("-device flux-capacitor", ["-device", "flux-capacitor"]),
    ("-device VGA,foo=1", ["-device", "foo"]),
    ("-device virtio-rng-pci,colour=red", ["-device", "colour"]),
    ("-device isa-debug-exit,iobase=banana", ["-device", "iobase", "banana"]),
    ("-device ide-hd,unit=7", ["-device", "unit"]),
    ("-device virtio-blk-pci", ["-device", "drive"]),
    ("-device virtio-blk-pci,drive=nosuch", ["-device", "nosuch"]),
    ("-device virtio-rng-pci,addr=40", ["-device", "addr"]),
    ("-device virtio-rng-pci,bus=isa.0", ["-device", "isa.0"]),
    ("-device virtio-rng-pci,bus=nosuch", ["-device", "nosuch"]),
    ("-device virtio-rng-pci,id=a -device virtio-rng-pci,id=a", ["-device", "'a'"]),
    ("-device i440FX", ["-device", "i440FX"]),
    ("-device nosuch,help", ["-device", "nosuch"]),
    ("-global foo.bar=1", ["-global", "foo"]),
    ("-global VGA.foo=1", ["-global", "foo"]),
    ("-global VGA.vgamem_mb=x", ["-global", "vgamem_mb"]),
    ("-display gtk", ["-display", "gtk"]),
    ("-vga qxl", ["-vga", "qxl"]),
    ("-netdev nosuch,id=n", ["-netdev"]),
    # Disks
    ("-hda {d}/missing.img", ["-hda", "missing.img"]),
    ("-fda {d}/missing.img", ["-fda", "missing.img"]),
    ("-drive if=floppy,format=raw,file={d}/large.img", ["floppy0", "4194304"]),
    ("-drive if=floppy,index=2", ["floppy", "index"]),
    ("-drive if=none,id=x -device floppy,drive=x,drive-type=9", ["-device", "drive-type"]),
    ("-hda {d}", ["-hda"]),
    ("-cdrom {d}/missing.iso", ["-cdrom", "missing.iso"]),
    ("-drive file={d}/missing.img", ["-drive", "missing.img"]),
    ("-drive file={d}/raw.img,if=foo", ["-drive", "foo"]),
    ("-drive file={d}/raw.img,shiny=on", ["-drive", "shiny"]),
    ("-drive file={d}/raw.img,cache=foo", ["-drive", "foo"]),
    ("-drive file={d}/raw.img,format=clay", ["-drive", "clay"]),
    ("-drive file={d}/raw.img,format=raw,werror=panic", ["-drive", "werror", "panic"]),
    ("-drive file={d}/raw.img,format=raw,index=0 -drive file={d}/other.img,format=raw,index=0",
     ["-drive", "index=0"]),
    ("-hda {d}/good.qcow2 -drive file={d}/other.img,format=raw,index=0", ["index=0"]),
    ("{d}/raw.img {d}/other.img", ["other.img"]),
    ("-blockdev driver=foo,node-name=n", ["-blockdev", "foo"]),
    ("-blockdev driver=file,filename={d}/missing,node-name=n", ["-blockdev", "missing"]),
    ("-drive file={d}/raw.img,format=qcow2", ["-drive", "raw.img"]),
    ("-hda {d}/child.qcow2", ["-hda", "nosuch-backing"]),
    ("-hda {d}/loop.qcow2", ["-hda", "loop.qcow2"]),
    # Firmware and kernel
    ("-bios {d}/missing.bin", ["-bios", "missing.bin"]),
    ("-bios {d}/odd.bin", ["odd.bin"]),
    ("-L {d} -bios nosuch.bin", ["-bios", "nosuch.bin"]),
    ("-kernel {d}/missing", ["-kernel", "missing"]),
    ("-kernel {d}/raw.img", ["-kernel", "raw.img"]),
    ("-kernel /etc/passwd", ["-kernel", "/etc/passwd"]),
    ("-kernel {d}", ["-kernel"]),
    ("-append x", ["-append", "-kernel"]),
    ("-initrd {d}/raw.img", ["-initrd", "-kernel"]),
    ("-kernel {kernel} -initrd {d}/missing", ["-initrd", "missing"]),
    # Serial lines, monitors, log
    ("-serial semaphore:flags", ["-serial", "semaphore"]),
    ("-serial vc", ["-serial", "vc"]),
    ("-serial file:/nonexistent/x", ["-serial", "/nonexistent/x"]),
    ("-serial unix:/nonexistent/x", ["-serial", "/nonexistent/x"]),
    ("-serial chardev:nosuch", ["-serial", "nosuch"]),
    ("-serial null -serial null -serial null -serial null -serial null", ["-serial"]),
    ("-serial stdio -monitor stdio", ["stdio"]),
    ("-monitor foo", ["-monitor", "foo"]),
    ("-mon nosuch", ["-mon", "nosuch"]),
    ("-chardev null", ["-chardev", "id="]),
    ("-chardev foo,id=x", ["-chardev", "foo"]),
    ("-chardev null,id=x,foo=1", ["-chardev", "foo"]),
    ("-parallel stdio", ["-parallel", "stdio"]),
    ("-debugcon foo", ["-debugcon", "foo"]),
    ("-echr foo", ["-echr", "foo"]),
    ("-d everything-else", ["-d", "everything-else"]),
    ("-D /nonexistent/log", ["-D", "/nonexistent/log"]),
    ("-pidfile /nonexistent/pid", ["-pidfile", "/nonexistent/pid"]),
    ("-gdb nonsense", ["-gdb", "nonsense"]),
    ("-gdb chardev:nosuch", ["-gdb", "nosuch"]),
    ("-name guest=a,colour=red", ["-name", "colour"]),
    ("-netdev foo,id=n", ["-netdev", "foo", "user"]),
    ("-netdev user", ["-netdev", "id="]),
    ("-netdev user,id=n,colour=red", ["-netdev", "colour"]),
    ("-netdev user,id=n,net=10.0.2.0/99", ["-netdev", "net="]),
    ("-netdev user,id=n,host=10.0.3.1", ["-netdev", "host=10.0.3.1", "10.0.2.0"]),
    ("-netdev user,id=n,hostfwd=tcp::99999-:22", ["-netdev", "hostfwd=tcp::99999-:22"]),
    ("-netdev user,id=n,guestfwd=tcp:10.0.2.9:80-foo", ["-netdev", "guestfwd="]),
    ("-netdev user,id=n,ipv4=off,ipv6=off", ["-netdev", "ipv4"]),
    ("-netdev user,id=n,tftp=/nonexistent", ["-netdev", "tftp=/nonexistent"]),
    ("-netdev user,id=n -netdev user,id=n", ["-netdev", "id=n"]),
    ("-netdev tap,id=n,script=/nonexistent", ["-netdev", "script=/nonexistent"]),
    ("-netdev tap,id=n,ifname=a-name-that-is-too-long,script=no", ["-netdev", "ifname="]),
    ("-netdev tap,id=n,fd=77", ["-netdev", "77"]),
    ("-netdev tap,id=n,fd=77,ifname=x", ["-netdev", "ifname="]),
    ("-netdev bridge,id=n,helper=/nonexistent", ["-netdev", "/nonexistent"]),
    ("-netdev stream,id=n", ["-netdev", "addr.type"]),
    ("-netdev stream,id=n,addr.type=inet,addr.host=127.0.0.1,addr.port=1", ["-netdev", "127.0.0.1:1"]),
    ("-netdev stream,id=n,addr.type=unix,addr.path=/nonexistent/s,server=on", ["-netdev", "/nonexistent/s"]),
    ("-netdev dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port=1", ["-netdev", "remote.type"]),
    ("-netdev socket,id=n", ["-netdev", "listen="]),
    ("-netdev socket,id=n,listen=nonsense", ["-netdev", "HOST:PORT"]),
    ("-netdev socket,id=n,mcast=127.0.0.1:1234", ["-netdev", "mcast=127.0.0.1"]),
    ("-netdev hubport,id=n", ["-netdev", "hubid="]),
    ("-netdev hubport,id=n,hubid=0,netdev=nosuch", ["-netdev", "nosuch"]),
    ("-nic user,model=nosuch", ["-nic", "nosuch"]),
    ("-nic foo", ["-nic", "foo"]),
    ("-net nic,colour=red", ["-net", "colour"]),
    ("-nic none -device e1000,netdev=nosuch", ["-device", "nosuch"]),
    ("-nic none -netdev user,id=n -device e1000,netdev=n -device e1000,netdev=n", ["-device", "'n'"]),
    ("-device e1000,mac=52:54:00:00:00:02 -device e1000,mac=52:54:00:00:00:02", ["-device", "52:54:00:00:00:02"]),
    ("-device e1000,mac=01:00:00:00:00:02", ["-device", "mac"]),
    ("-device virtio-net-pci,rx_queue_size=100", ["-device", "rx_queue_size=100"]),
    ("-object nosuch,id=x", ["-object", "nosuch"]),
    ("-object filter-dump,id=x,netdev=nosuch,file={d}/out.pcap", ["-object", "nosuch"]),
    ("-netdev user,id=n -object filter-dump,id=x,netdev=n", ["-object", "file="]),
    ("-incoming tcp:0:1", ["-incoming"]),
]

U32, U64 = ">I", ">Q"
# Damage to an image of 64 MiB as qemu-img makes it: offset, format, value of a field of the header; or of a
# table's entry, when the first is the offset of the header's field that says where that table is.
DAMAGE = [
    ("wrong magic", 0, U32, 0x51464900),
    ("unknown version", 4, U32, 77),
    ("cluster size of 2^60", 20, U32, 60),
    ("encrypted by an unknown method", 32, U32, 77),
    ("an L1 table of 4 Gi entries", 36, U32, 0xffffffff),
    ("an L1 table too small for the disk", 36, U32, 0),
    ("an L1 table off a cluster's start", 40, U64, 0x30001),
    ("an L1 table outside of the file", 40, U64, 1 << 55),
    ("a refcount table off a cluster's start", 48, U64, 0x10001),
    ("a refcount table in the header", 48, U64, 3),
    ("a refcount table outside of the file", 48, U64, 1 << 55),
    ("a refcount table of 4 Gi clusters", 56, U32, 0xffffffff),
    ("65535 snapshots in a table that is not there", 60, U32, 65535),
    ("unknown incompatible features", 72, U64, 1 << 40),
    ("refcounts of 2^40 bits", 96, U32, 40),
    ("a header shorter than version 3 has", 100, U32, 8),
]

# Each option with something that it does; help texts end at once, the others start a stopped machine, which
# the monitor then ends. {d} as above. The last word, if any, must appear in what is printed.
WORKS = [
    ("-h", "-drive"),
    ("-help", "-nographic"),
    ("-version", "emu-system-x86_64 version "),
    ("-M help", "pc-i440fx"),
    ("-machine help", "i440FX"),
    ("-cpu help", "qemu64"),
    ("-accel help", "kvm"),
    ("-accel tcg,help", "fallback"),
    ("-device help", "virtio-blk-pci"),
    ("-device virtio-blk-pci,help", "drive"),
    ("-chardev help", "socket"),
    ("-d help", "unimp"),
    ("-L help", "seabios"),
    ("-machine pc,acpi=off,smm=off,usb=off,vmport=off", ""),
    ("-M pc-i440fx,hpet=off", ""),
    ("-cpu qemu64,+aes,-sse4.2,ssse3=on", ""),
    ("-smp cpus=4,sockets=1,cores=2,threads=2,maxcpus=4", ""),
    ("-m size=256M", ""),
    ("-name guest=clerk,process=clerk,debug-threads=off", "clerk"),
    ("-uuid 550e8400-e29b-41d4-a716-446655440000", "550e8400"),
    ("-global VGA.vgamem_mb=8", "vgamem_mb = 8"),
    ("-global driver=VGA,property=vgamem_mb,value=8", "vgamem_mb = 8"),
    ("-boot order=dc,once=n,menu=on,strict=on,splash-time=100,reboot-timeout=1000", ""),
    ("-device virtio-rng-pci,id=dice", "dice"),
    ("-fda {d}/floppy.img -fdb {d}/floppy2.img", "floppy1"),
    ("-hda {d}/good.qcow2 -hdb {d}/raw.img -hdc {d}/other.img", "ide1-hd0"),
    ("-hdd {d}/raw.img", "ide1-hd1"),
    ("-cdrom {d}/other.img", "ide1-cd0"),
    ("-drive file={d}/good.qcow2,if=virtio,cache=none,serial=7,werror=stop,rerror=stop,discard=unmap", "virtio0"),
    ("-blockdev driver=qcow2,node-name=q,file.driver=file,file.filename={d}/good.qcow2"
     " -device virtio-blk-pci,drive=q", "q"),
    ("-snapshot -hda {d}/raw.img", "temporary"),
    ("-nographic -serial null -monitor null", ""),
    ("-vga none", ""),
    ("-vga std", "VGA"),
    ("-serial file:{d}/out.serial -serial none -serial pipe:{d}/pipe", "out.serial"),
    ("-parallel none", ""),
    ("-monitor null", ""),
    ("-chardev ringbuf,id=r -mon chardev=r,mode=readline", ""),
    ("-chardev ringbuf,id=r -serial chardev:r", "filename=ringbuf"),
    ("-debugcon file:{d}/out.debug", "out.debug"),
    ("-echr 0x02", ""),
    ("-netdev help", "hubport"),
    ("-nic model=help", "virtio-net-pci"),
    ("-net nic,model=virtio,macaddr=52:54:00:12:34:99 -net user,restrict=on", "52:54:00:12:34:99"),
    ("-net none", ""),
    ("-nic none", ""),
    ("-nic user,model=virtio,mac=52:54:00:12:34:77,net=192.168.5.0/24,host=192.168.5.7", "52:54:00:12:34:77"),
    ("-nic none -netdev socket,id=n,listen=127.0.0.1:0 -device e1000,netdev=n,romfile=", "netdev = \"n\""),
    ("-netdev stream,id=n,server=on,addr.type=unix,addr.path={d}/out.socket -device virtio-net-pci,netdev=n", ""),
    ("-netdev dgram,id=n,local.type=unix,local.path={d}/out.a,remote.type=unix,remote.path={d}/out.b"
     " -device virtio-net-pci,netdev=n", ""),
    ("-netdev user,id=n -device e1000,netdev=n -object filter-dump,id=f,netdev=n,file={d}/out.pcap,maxlen=128", ""),
    ("-bios bios.bin", ""),
    ("-L {d}", ""),
    ("-kernel {kernel} -append quiet -initrd {d}/raw.img", ""),
    ("-rtc base=2006-06-17T16:01:21,clock=host,driftfix=none", ""),
    ("-rtc base=localtime", ""),
    ("-no-reboot -no-shutdown", ""),
    ("-nodefaults", ""),
    ("-no-acpi", ""),
    ("-no-hpet", ""),
    ("-no-user-config", ""),
    ("-gdb unix:{d}/out.gdb", "out.gdb"),
    ("-gdb none", ""),
    ("-pidfile {d}/out.pid", ""),
    ("-d int,unimp -D {d}/out.log", ""),
]
# In every run of the tests, or in a test of its own.
USED_EVERYWHERE = ["-S", "-display", "-accel"]
TESTED_ELSEWHERE = {"-enable-kvm": "test-kvm-fallback.py", "-daemonize": "daemonize() below", "-s": "test-gdb.py"}


def run(args, user=None, limits=()):
    def prepare():
        if user and os.getuid() == 0:
            os.setgroups([])
            os.setuid(user)
        for what, value in limits:
            resource.setrlimit(what, (value, value))
    command = [console.EMU] + console.EMU_ARGS + args
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, preexec_fn=prepare)


class Files:
    """The folder that command lines refer to, and its fingerprint."""

    def __init__(self, folder):
        self.folder = folder
        os.chmod(folder, 0o755)
        for name, content in (("raw.img", bytes(range(256)) * 4096), ("other.img", b"\0" * 65536),
                              ("odd.bin", b"\x90" * 1000), ("floppy.img", b"\0" * 1474560),
                              ("floppy2.img", b"\0" * 2949120), ("large.img", b"\0" * (4 << 20))):
            with open(self.path(name), "wb") as f:
                f.write(content)
        for name in ("pipe.in", "pipe.out"):
            os.mkfifo(self.path(name))
        self.qcow2("good.qcow2")
        for name, backing, form in (("child.qcow2", "nosuch-backing", "raw"), ("loop.qcow2", "loop.qcow2", "qcow2")):
            subprocess.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", form, "-b", backing, self.qcow2(name)],
                           check=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def qcow2(self, name):
        path = self.path(name)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
        os.chmod(path, 0o644)
        return path

    def words(self, line):
        return shlex.split(line.replace("{d}", self.folder).replace("{kernel}", KERNEL))

    def fingerprint(self):
        """Names, contents and times of change."""
        result = {}
        for name in sorted(os.listdir(self.folder)):
            if os.path.isfile(self.path(name)):
                with open(self.path(name), "rb") as f:
                    result[name] = (hashlib.sha256(f.read()).hexdigest(), os.stat(self.path(name)).st_mtime_ns)
        return result


def refusal(files, args, words, **kwargs):
    """What is wrong with how ARGS are refused, or nothing."""
    if not any("accel" in a for a in args):
        args = ["-accel", "tcg"] + args
    before = files.fingerprint()
    try:
        done = run(["-display", "none", "-S"] + args, **kwargs)
    except subprocess.TimeoutExpired:
        return "it was not refused"
    lines = done.stderr.strip().splitlines()
    if done.returncode != 1:
        return "exit status %d, not 1: %s" % (done.returncode, done.stderr)
    if len(lines) != 1 or not lines[0].startswith(NAME) or done.stdout:
        return "not one line that starts with %s: %r %r" % (NAME, done.stdout, done.stderr)
    missing = [w for w in words if w not in lines[0]]
    if missing:
        return "%s is not named in: %s" % (missing, lines[0])
    if files.fingerprint() != before:
        return "files have changed: %s" % set(files.fingerprint().items()).symmetric_difference(before.items())
    print("# " + lines[0])
    return ""


def images(tap, files):
    """Disk images that are damaged in many ways."""
    for name, offset, form, value in DAMAGE:
        bad = files.qcow2("bad.qcow2")
        with open(bad, "r+b") as f:
            f.seek(offset)
            f.write(struct.pack(form, value))
        why = refusal(files, ["-drive", "format=qcow2,file=" + bad], ["-drive", "bad.qcow2"])
        tap.ok(not why, "a qcow2 image with %s is refused" % name, why)
        if name != "wrong magic":  # guessed to be qcow2 all the same
            why = refusal(files, ["-hda", bad], ["-hda", "bad.qcow2"])
            tap.ok(not why, "a qcow2 image with %s is refused by -hda" % name, why)
    for size in (0, 3, 60, 71, 103):
        bad = files.qcow2("bad.qcow2")
        os.truncate(bad, size)
        why = refusal(files, ["-drive", "format=qcow2,file=" + bad], ["-drive", "bad.qcow2"])
        tap.ok(not why, "a qcow2 image of %d bytes is refused" % size, why)


def host(tap, files):
    """What the host does not give."""
    why = refusal(files, ["-m", "20G"], ["-m"], limits=[(resource.RLIMIT_AS, 8 << 30)])
    tap.ok(not why, "memory that the host has no addresses for is refused", why)
    why = refusal(files, ["-m", "1G"], ["-m"], limits=[(resource.RLIMIT_FSIZE, 768 << 20)])
    tap.ok(not why, "memory beyond the limit on the size of files is refused", why)
    nobody = 65534
    readonly = files.qcow2("readonly.qcow2")
    os.chmod(readonly, 0o444)
    why = refusal(files, ["-hda", readonly], ["-hda", "readonly.qcow2"], user=nobody)
    tap.ok(not why, "a disk that may not be written is refused", why)
    os.chmod(readonly, 0o000)
    for option in ("-hda", "-cdrom", "-kernel"):
        why = refusal(files, [option, readonly], [option, "readonly.qcow2"], user=nobody)
        tap.ok(not why, "%s of a file that may not be read is refused" % option, why)
    if os.getuid() == 0:
        os.chmod(readonly, 0o444)
    else:
        os.remove(readonly)


def locked(tap, files):
    good = files.path("good.qcow2")
    with console.Guest(["-accel", "tcg", "-S", "-hda", good]) as first:
        first.monitor("info block")  # it has its locks
        why = refusal(files, ["-hda", good], ["-hda", "good.qcow2", "lock"])
        tap.ok(not why, "a disk that another emulator writes to is refused", why)


def works(tap, files, line, word):
    args = files.words(line)
    if args[-1].endswith("help") or args[0] in ("-h", "-version"):
        done = run(args)
        return tap.ok(done.returncode == 0 and word in done.stdout and not done.stderr,
                      "%s prints help and ends" % line,
                      "status %d, stderr %r, stdout %r" % (done.returncode, done.stderr, done.stdout[:300]))
    socket = files.path("monitor")
    guest = console.Guest(["-accel", "tcg", "-S", "-display", "none"] + args +
                          ["-monitor", "unix:%s,server=on,wait=off" % socket], serial=None)
    guest.monitor_path = socket
    try:
        shown = "".join(guest.monitor("info " + what) for what in ("name", "uuid", "block", "chardev", "qtree"))
        guest.monitor("quit")
        status = guest.wait(30)
        said = [text for text in guest.text.splitlines() if text and not text.startswith("warning: image format")]
        return tap.ok(status == 0 and word in shown and not said, "%s works" % line,
                      "%d, %r\n%s" % (status, guest.text, shown))
    except console.Failure as why:
        return tap.ok(False, "%s works" % line, "%s\n%s" % (why, guest.text))
    finally:
        guest.kill()


def daemonize(files):
    socket, pidfile = files.path("monitor"), files.path("out.pid")
    done = run(["-accel", "tcg", "-S", "-display", "none", "-daemonize", "-pidfile", pidfile,
                "-monitor", "unix:%s,server=on,wait=off" % socket])
    if done.returncode != 0 or done.stdout or done.stderr:
        raise console.Failure("%d %r %r" % (done.returncode, done.stdout, done.stderr))
    with open(pidfile) as f:
        pid = int(f.read())
    with open("/proc/%d/comm" % pid) as f:
        if not f.read().startswith("emu-system"):
            raise console.Failure("the pid file names another process")
    guest = console.Guest.__new__(console.Guest)
    guest.monitor_path, guest._monitor = socket, None
    guest.process = type("Process", (), {"poll": lambda self: None})()
    guest.monitor("quit")
    for _ in range(400):
        if not os.path.exists(pidfile):
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise console.Failure("the pid file is still there")


def documented(tap):
    options = re.findall(r"^(-\S+)", run(["-help"]).stdout, re.M)
    with open(os.path.join(console.SRCDIR, "docs/emu-system-x86_64.1")) as f:
        page = f.read().replace("\\-", "-")
    missing = [o for o in options if not re.search(r"^\.B.*%s(?![\w-])" % re.escape(o), page, re.M)]
    tap.ok(len(options) > 40 and not missing, "every option of -help is in the manual page", missing)
    used = {w for line, _ in WORKS for w in line.split() if w.startswith("-")}
    missing = [o for o in options if o not in used and o not in USED_EVERYWHERE and o not in TESTED_ELSEWHERE]
    tap.ok(not missing, "every option of -help is used by a test", missing)
    for page in ("emu-system-x86_64.1", "emu-img.1"):
        if not shutil.which("groff"):
            tap.skip("%s is well-formed" % page, "no groff")
            continue
        done = subprocess.run(["groff", "-man", "-ww", "-Wbreak", "-z", "-Tutf8", os.path.join(console.SRCDIR, "docs", page)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        tap.ok(not done.stdout, "%s is well-formed" % page, done.stdout)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        files = Files(folder)
        for line, words in REFUSED:
            why = refusal(files, files.words(line), words)
            tap.ok(not why, "%s is refused in one line" % line.replace("{d}/", ""), why)
        images(tap, files)
        host(tap, files)
        locked(tap, files)
        for line, word in WORKS:
            works(tap, files, line, word)
        tap.check("-daemonize leaves a process that -pidfile names", daemonize, files)
    documented(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
