#!/usr/bin/env python3
# timeout: 400
"""GDB itself debugs guests through the emulator: our test kernel, a Debian kernel, small ROMs under KVM.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Skip, Tap  # noqa: E402

KERNEL = os.path.join(console.BUILD, "tests/guest/kernel.bin")
DIRECTORY = tempfile.mkdtemp(prefix="emu-gdb.")


def gdb(path, *commands, file=None, timeout=120):
    """Runs COMMANDS in GDB, connected to the socket at PATH; what it printed."""
    words = ["gdb", "-nx", "-q", "-batch", "-ex", "set pagination off", "-ex", "set confirm off",
             "-ex", "set width 0", "-ex", "set tcp connect-timeout 60", "-ex", "set remotetimeout 60"]
    if file:
        words.append(file)
    else:
        words += ["-ex", "set architecture i386:x86-64"]
    for command in ("target remote " + path,) + commands:
        words += ["-ex", command]
    run = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=timeout, text=True, errors="replace")
    return run.stdout


def expect(text, *patterns):
    """Each pattern is found in TEXT, one behind the other; the matches."""
    position, found = 0, []
    for pattern in patterns:
        match = re.compile(pattern, re.M).search(text, position)
        if not match:
            raise console.Failure("GDB did not print %r in\n%s" % (pattern, text))
        found.append(match)
        position = match.end()
    return found


def socket_path(name):
    return os.path.join(DIRECTORY, name)


def wait_for(path):
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise console.Failure("%s does not appear" % path)
        time.sleep(0.05)


def kernel_args(name, cpus=1, extra=()):
    return ["-accel", "tcg", "-cpu", "max", "-m", "64", "-smp", str(cpus), "-nodefaults", "-no-reboot",
            "-bios", KERNEL, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-gdb", "unix:" + socket_path(name)] + list(extra)


# ---- the test kernel ----

def test_kernel(guest):
    path = socket_path("kernel")
    wait_for(path)
    text = gdb(path, "break test_fpu", "hbreak test_debug", "continue", "info registers cr0 cr3 efer",
               "backtrace", "continue", "x/2i $pc", "stepi", "stepi", "print $rip != (long)&test_fpu",
               "print/x $cs", "print $mxcsr", "monitor info status",
               "set var $xmm3.v2_int64[1] = 0x1122334455667788", "print/x $xmm3.v2_int64[1]",
               "print *(int *)&tests > 10", "watch tests", "delete 1 2", "continue", "continue",
               "delete", "continue", file=KERNEL + ".elf")
    expect(text, r"^Breakpoint 2, .*test_debug \(\)", r"^cr0 .*\[ PE .*PG \]", r"^cr3 ", r"^efer .*LME LMA",
           r"^#0 .*test_debug", r"^#1 .*kernel_main", r"^Breakpoint 1, .*test_fpu \(\)",
           r"^=> 0x[0-9a-f]+ <test_fpu", r"= 1$", r"= 0x10$", r"= \[.* PM \]", r"^VM status: paused \(debug\)$", r"= 0x1122334455667788$", r"= 1$",
           r"^Hardware watchpoint 3: tests", r"^Old value = \d+\nNew value = \d+",
           r"^Old value = (\d+)\nNew value = (\d+)", r"exited (normally|with code 01)")
    guest.expect(r"1\.\.\d+")
    if "not ok" in guest.text:
        raise console.Failure("a test of the kernel fails while it is debugged:\n" + guest.text)
    if guest.wait(60) != 1:
        raise console.Failure("the kernel does not run to its end")


def test_threads(guest):
    path = socket_path("threads")
    wait_for(path)
    text = gdb(path, "hbreak ap_main", "continue", "info threads", "set scheduler-locking on", "stepi",
               "print $_thread", "thread 1", "stepi", "print $_thread", "set scheduler-locking off",
               "delete", "continue", file=KERNEL + ".elf")
    expect(text, r"hit Breakpoint 1", r"^\s+1\s+Thread 1 \(CPU#0", r"^\* 2\s+Thread 2 \(CPU#1", r"= 2$", r"= 1$",
           r"exited (normally|with code 01)")
    guest.expect(r"1\.\.\d+")


def test_comes_and_goes(guest):
    """Connections one after another, and one that breaks; the machine goes on in between."""
    path = socket_path("again")
    wait_for(path)
    for _ in range(2):
        text = gdb(path, "stepi", "info registers rip", "hbreak *0xfffffff0", "detach")
        expect(text, r"^rip ", r"detached")
    with Client(path) as client:
        if not client.ask("?").startswith("T02"):
            raise console.Failure("a debugger that comes does not stop the machine")
        client.ask("Z1,7c00,1")
    text = gdb(path, "detach")
    expect(text, r"detached")
    with Client(path) as client:
        client.send("vCont;c")
        time.sleep(0.2)
        client.raw(b"\x03")
        if not client.reply().startswith("T02"):
            raise console.Failure("an interrupt does not stop the machine")
        client.raw(os.urandom(20000).replace(b"k", b"x") + b"#00#00$?#3f")
    reply = guest.monitor("info status")
    if "VM status" not in reply:
        raise console.Failure(reply)
    reply = guest.monitor("gdbserver none")
    expect(reply, r"Disabled")
    if os.path.exists(path):
        raise console.Failure("gdbserver none leaves the socket behind")
    expect(guest.monitor("gdbserver unix:" + path), r"Waiting for gdb connection")
    text = gdb(path, "kill")
    if guest.wait(60) != 0:
        raise console.Failure("kill does not end the emulator:\n" + text)


# ---- the protocol by hand ----

class Client:
    """A debugger that says what it is told to."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        wait_for(path)
        self.socket.connect(path)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, packet):
        data = packet.encode()
        self.raw(b"$%s#%02x" % (data, sum(data) & 255))

    def reply(self):
        while True:
            match = re.search(rb"\$([^#]*)#..", self.data)
            if match:
                self.data = self.data[match.end():]
                self.raw(b"+")
                return match.group(1).decode()
            more = self.socket.recv(65536)
            if not more:
                raise console.Failure("the emulator closed the connection")
            self.data += more

    def ask(self, packet):
        self.send(packet)
        return self.reply()


REGISTERS = ("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip").split()


def trace(accel, image, steps):
    """Registers after each of STEPS instructions, and where a breakpoint STEPS on stops."""
    name = re.sub(r"\W", "-", accel + image)
    args = ["-accel", accel, "-m", "64", "-nodefaults", "-S", "-gdb", "unix:" + socket_path(name),
            "-bios", os.path.join(console.BUILD, "tests/guest/state-%s.bin" % image)]
    states = []
    with console.Guest(args, timeout=60) as guest:
        try:
            with Client(socket_path(name)) as client:
                for _ in range(steps):
                    if client.ask("vCont;s:1")[:3] != "T05":
                        raise console.Failure("a step under %s ends otherwise" % accel)
                    values = struct.unpack("<17QI", bytes.fromhex(client.ask("g")[:280]))
                    # RF is left set by some; undefined flags are not compared
                    states.append(values[:17] + (values[17] & 0x700,))
                return states
        except (OSError, console.Failure) as error:
            raise console.Failure("%s\n%s" % (error, guest.text))


def breakpoint_rip(accel, image, kind, addr):
    name = re.sub(r"\W", "-", accel + image + kind)
    args = ["-accel", accel, "-m", "64", "-nodefaults", "-S", "-gdb", "unix:" + socket_path(name),
            "-bios", os.path.join(console.BUILD, "tests/guest/state-%s.bin" % image)]
    with console.Guest(args, timeout=60):
        with Client(socket_path(name)) as client:
            if client.ask("%s,%x,1" % (kind, addr)) != "OK":
                raise console.Failure("no %s breakpoint under %s" % (kind, accel))
            stop = client.ask("vCont;c")
            return stop, bytes.fromhex(client.ask("g"))[128:136], client.ask("m%x,8" % addr)


def have_kvm():
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def compare_traces(image, steps):
    ours, kvm = trace("tcg", image, steps), trace("kvm,selftest=off", image, steps)
    for number, (a, b) in enumerate(zip(ours, kvm)):
        if a[16:] != b[16:] or a[:2] != b[:2] or a[4:16] != b[4:16]:
            names = REGISTERS + ["eflags"]
            raise console.Failure("after step %d:\n%s" % (number + 1, "\n".join(
                "%s %x under tcg, %x under KVM" % (names[i], a[i], b[i]) for i in range(18) if a[i] != b[i])))
    rip = ours[-1][16]
    base = 0 if rip >= 0xf0000 else 0xf0000  # of CS
    rip += base
    for kind in ("Z0", "Z1"):
        results = [breakpoint_rip(accel, image, kind, rip) for accel in ("tcg", "kvm,selftest=off")]
        if results[0] != results[1] or struct.unpack("<Q", results[0][1])[0] + base != rip:
            raise console.Failure("%s at %x: %r" % (kind, rip, results))


# ---- a Debian kernel ----

def linux_args(commands, extra=()):
    return ["-accel", "tcg", "-m", "256", "-kernel", os.path.join(console.GUEST_DIR, "kernel-cloud-amd64"),
            "-initrd", os.path.join(console.GUEST_DIR, "initramfs-amd64"),
            "-append", "console=ttyS0 panic=-1 nokaslr -- " + " ".join('"%s"' % c for c in commands)] + list(extra)


def symbols(names):
    """Addresses in the kernel, which it tells itself."""
    with console.Guest(linux_args(["grep -wE '%s' /proc/kallsyms" % "|".join(names)]), timeout=180) as guest:
        guest.expect(r"INIT-DONE")
        found = {name: int(address, 16)
                 for address, name in re.findall(r"^([0-9a-f]{16}) \w (\w+)\s*$", guest.text, re.M)}
    missing = [name for name in names if not found.get(name)]
    if missing:
        raise console.Failure("the kernel does not tell where %s is:\n%s" % (missing, guest.text[-2000:]))
    return found


def test_linux(tap):
    try:
        where = symbols(["start_kernel", "jiffies", "kernel_init", "linux_banner"])
    except console.Failure as error:
        tap.ok(False, "a Debian kernel tells its symbols", error)
        return

    def run(guest):
        path = socket_path("linux")
        wait_for(path)
        text = gdb(path, "break *%#x" % where["start_kernel"], "continue", "print/x $rip", "stepi", "stepi",
                   "print/x $rip", "x/s %#x" % where["linux_banner"], "print/x $cr3 & 0xfff", "print $cr0",
                   "delete", "hbreak *%#x" % where["kernel_init"], "continue", "print/x $rip",
                   "print $xmm0", "print/x $fctrl", "delete",
                   "watch *(long *)%#x" % where["jiffies"], "continue", "continue", "backtrace 1", "delete",
                   "detach", timeout=240)
        expect(text, r"Breakpoint 1, ", r"= %#x$" % where["start_kernel"], r"= 0xffffffff8",
               r"\"Linux version ", r"\[ PE .* PG \]", r"Breakpoint 2, ", r"= %#x$" % where["kernel_init"],
               r"v2_double = \{", r"= 0x37f$", r"Hardware watchpoint 3", r"Old value = (-?\d+)\nNew value = (-?\d+)",
               r"Old value = (-?\d+)\nNew value = (-?\d+)", r"^#0 .*0xffffffff", r"detached")
        guest.expect(r"forty-two=42")
        guest.expect(r"INIT-DONE")
        if guest.wait(60) != 0:
            raise console.Failure("the kernel does not power off")
    tap.guest("breakpoints, steps and watchpoints in a Debian kernel", run,
              linux_args(["echo forty-two=$((6*7))"], ["-S", "-gdb", "unix:" + socket_path("linux")]), timeout=300)


# ---- the command line ----

def refused(tap, name, *args):
    """With one line that names the option."""
    run = subprocess.run([console.EMU, "-accel", "tcg", "-display", "none", "-nodefaults", *args],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                         text=True)
    tap.ok(run.returncode == 1 and run.stdout.count("\n") == 1 and "-gdb: " in run.stdout, name, run.stdout)


def test_default_port(guest):
    """-s is port 1234, which may be in use here."""
    try:
        expect(guest.monitor("info chardev"), r"^gdb: .*1234")
    except console.Failure:
        expect(guest.text, r"-gdb: .*1234")


def main():
    tap = Tap()
    if not shutil.which("gdb"):
        tap.skip("GDB debugs guests", "gdb is not installed")
        return tap.done()
    try:
        tap.guest("GDB debugs the test kernel", test_kernel, kernel_args("kernel", extra=["-S"]), timeout=120)
        tap.guest("vCPUs are threads, which step alone", test_threads, kernel_args("threads", 2, ["-S"]), timeout=120)
        tap.guest("debuggers come and go", test_comes_and_goes,
                  ["-accel", "tcg", "-m", "64", "-nodefaults", "-gdb", "unix:" + socket_path("again")], timeout=60)
        tap.guest("-s waits on port 1234", test_default_port, ["-accel", "tcg", "-S", "-nodefaults", "-s"], timeout=60)
        for image in ("real", "protected"):
            if have_kvm():
                tap.check("steps and breakpoints are those of KVM (%s mode)" % image, compare_traces, image, 40)
            else:
                tap.skip("steps and breakpoints are those of KVM (%s mode)" % image, "there is no /dev/kvm")
        test_linux(tap)
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen(1)
            refused(tap, "an occupied port is refused", "-gdb", "tcp:127.0.0.1:%d" % busy.getsockname()[1])
        refused(tap, "an empty back end is refused", "-gdb", "")
    finally:
        shutil.rmtree(DIRECTORY, ignore_errors=True)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
