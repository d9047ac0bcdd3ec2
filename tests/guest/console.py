"""Drives an emulator over its serial console: starts it, waits for text, types lines, sets deadlines.

The program is $EMU (build/emu-system-x86_64 by default), with the words of $EMU_ARGS in front of a
test's own arguments; EMU=qemu-system-x86_64 runs the same script on QEMU.
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import tty

SRCDIR = os.environ.get("SRCDIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("BUILD") or os.path.join(SRCDIR, "build")
EMU = os.environ.get("EMU") or os.path.join(BUILD, "emu-system-x86_64")
EMU_ARGS = shlex.split(os.environ.get("EMU_ARGS", ""))
QUICK = bool(os.environ.get("TEST_QUICK"))
DISK = os.path.join(SRCDIR, "build/demo/debian.qcow2")
DISK_RAW = os.path.join(SRCDIR, "build/demo/debian.raw")
GUEST_DIR = os.path.join(SRCDIR, "build/guest")

LOGIN, PASSWORD, PROMPT = r"debian login:", r"Password:", r"root@debian:[^#\n]*# "
# Escape sequences that a shell or GRUB writes around its text.
ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|[=>c])")


class Failure(Exception):
    """A guest did not do what the test waits for."""


class Guest:
    """One run of the emulator, with its serial line and monitor. A context manager: leaving kills it."""

    def __init__(self, args, timeout=300, serial="stdio", emu=None, env=None):
        """serial: "stdio" adds -nographic with the serial line on a pseudo terminal (and a monitor on a
        socket); None adds nothing: the arguments say what is to be seen on the terminal."""
        self.deadline_default = timeout
        self.text = ""      # all of the console so far, without escape sequences
        self.position = 0   # up to where expect() has read
        self._pending = b""
        self._dir = tempfile.TemporaryDirectory(prefix="emu-test.")
        self.monitor_path = os.path.join(self._dir.name, "monitor")
        self._monitor = None
        self.command = [emu or EMU] + EMU_ARGS + list(args)
        if serial == "stdio":
            self.command += ["-nographic", "-serial", "stdio",
                             "-monitor", "unix:%s,server=on,wait=off" % self.monitor_path]
        master, slave = pty.openpty()
        tty.setraw(slave)
        try:
            self.process = subprocess.Popen(self.command, stdin=slave, stdout=slave,
                                            stderr=subprocess.STDOUT, env=env)
        finally:
            os.close(slave)
        self.fd = master
        self.started = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """kill -9, as a crash of the host would be."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.fd >= 0:
            self._drain()
            os.close(self.fd)
            self.fd = -1
        if self._monitor:
            self._monitor.close()
            self._monitor = None
        self._dir.cleanup()

    # ---- reading ----

    def _read_once(self, seconds):
        """Reads what is there within SECONDS; False at the end of the program's output."""
        ready, _, _ = select.select([self.fd], [], [], max(0, seconds))
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side of the terminal is closed
            return False
        data = self._pending + data
        # Keep an escape sequence that is not complete yet for the next time.
        cut = data.rfind(b"\x1b", max(0, len(data) - 16))
        if cut >= 0 and not ESCAPES.match(data, cut):
            data, self._pending = data[:cut], data[cut:]
        else:
            self._pending = b""
        self.text += ESCAPES.sub(b"", data).replace(b"\r", b"").decode("utf-8", "replace")
        return bool(data) or bool(self._pending)

    def _drain(self):
        while True:
            ready, _, _ = select.select([self.fd], [], [], 0)
            if not ready or not self._read_once(0):
                return

    def expect(self, *patterns, timeout=None):
        """Waits until one of the regular expressions appears after what was read before, and returns
        (its index, the match)."""
        timeout = timeout or self.deadline_default
        deadline = time.monotonic() + timeout
        compiled = [re.compile(p) for p in patterns]
        while True:
            found = [(m.start(), i, m) for i, m in
                     ((i, p.search(self.text, self.position)) for i, p in enumerate(compiled)) if m]
            if found:
                _, index, match = min(found, key=lambda f: f[:2])
                self.position = match.end()
                return index, match
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure("no %s within %d s" % (" or ".join(map(repr, patterns)), timeout))
            if not self._read_once(min(left, 1.0)):
                status = self.process.wait()
                raise Failure("the emulator ended (status %d) before %s" %
                              (status, " or ".join(map(repr, patterns))))

    def wait(self, timeout=None):
        """Waits for the emulator to end by itself; its exit status."""
        timeout = timeout or self.deadline_default
        deadline = time.monotonic() + timeout
        while self._read_once(0.2):
            if self.process.poll() is not None:
                self._drain()
                break
            if time.monotonic() > deadline:
                raise Failure("the emulator still runs after %d s" % timeout)
        try:
            return self.process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failure("the emulator closed its terminal but still runs")

    # ---- typing ----

    def send(self, text):
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.fd, data):]

    def line(self, text=""):
        self.send(text + "\r")

    def type_slowly(self, text):
        """A line for firmware and boot loaders, whose keyboard buffer holds 16 keys."""
        for character in text + "\r":
            self.send(character)
            time.sleep(0.03)

    # ---- what tests of Debian share ----

    def login(self, timeout=None):
        """From the start of the machine to root's prompt."""
        self.expect(LOGIN, timeout=timeout)
        self.line("root")
        self.expect(PASSWORD)
        self.line("debian")
        self.expect(PROMPT)
        # No kernel messages between what commands print.
        self.line("dmesg -n 1")
        self.expect(PROMPT)

    def run(self, command, timeout=None, check=True):
        """Runs a command at root's prompt; (exit status, its output)."""
        # The pattern must not match the echo of what was typed.
        self.line("%s; echo STATUS'='$?" % command)
        _, match = self.expect(r"STATUS=(\d+)\n", timeout=timeout)
        output = self.text[:match.start()]
        output = output[output.rfind("; echo STATUS'='$?\n") + len("; echo STATUS'='$?\n"):]
        self.expect(PROMPT)
        status = int(match.group(1))
        if check and status != 0:
            raise Failure("%r in the guest: exit status %d: %s" % (command, status, output.strip()))
        return status, output

    def poweroff(self, timeout=None):
        """Shuts the guest down; the emulator must end with status 0."""
        self.line("poweroff")
        status = self.wait(timeout)
        if status != 0:
            raise Failure("exit status %d after the guest powered off" % status)

    # ---- the monitor ----

    def monitor(self, command, timeout=30):
        """Sends a line to the human monitor and returns what it answers."""
        if not self._monitor:
            self._monitor = socket.socket(socket.AF_UNIX)
            deadline = time.monotonic() + timeout
            while True:
                try:
                    self._monitor.connect(self.monitor_path)
                    break
                except OSError:
                    if time.monotonic() > deadline or self.process.poll() is not None:
                        raise Failure("no monitor at %s" % self.monitor_path)
                    time.sleep(0.05)
            self._monitor_reply(timeout)
        self._monitor.sendall(command.encode() + b"\n")
        if command.split()[0] in ("q", "quit"):
            return ""
        reply = self._monitor_reply(timeout)
        # The monitor's line editor echoes the command first.
        return reply.split("\n", 1)[1] if "\n" in reply else ""

    def _monitor_reply(self, timeout):
        data, deadline = b"", time.monotonic() + timeout
        while True:
            self._monitor.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                more = self._monitor.recv(65536)
            except OSError:
                raise Failure("the monitor does not answer; so far: %r" % data[-200:])
            if not more:
                raise Failure("the monitor closed its connection")
            data += more
            text = ESCAPES.sub(b"", data).replace(b"\r", b"").decode("utf-8", "replace")
            if re.search(r"\((?:qemu|emu)\) $", text):
                return text[:text.rfind("(")]


def overlay(directory, base, name="overlay.qcow2", fmt="qcow2"):
    """A scratch qcow2 over BASE, so that a test may write."""
    path = os.path.join(directory, name)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", fmt, "-b", os.path.abspath(base), path],
                   check=True)
    return path
