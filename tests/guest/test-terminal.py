#!/usr/bin/env python3
# timeout: 120
"""The terminal under -nographic: escape keys, the monitor's line editor, and that however the emulator ends,
the terminal has its settings back.

The machine does not run (-S): what is tested is the program around it.
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402


class Terminal:
    """The emulator on a terminal of its own, which it controls."""

    def __init__(self, args):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = b""

        def control():
            os.setsid()
            import fcntl
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen([console.EMU, "-accel", "tcg", "-S"] + args, stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, preexec_fn=control)

    def expect(self, text, timeout=20):
        deadline = time.monotonic() + timeout
        while text not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise console.Failure("no %r in %r" % (text, self.text))
            self.text += os.read(self.master, 4096).replace(b"\r", b"")
        self.text = self.text[self.text.index(text) + len(text):]

    def send(self, data):
        os.write(self.master, data)

    def wait_raw(self):
        """Until the emulator has made the terminal raw."""
        deadline = time.monotonic() + 20
        while termios.tcgetattr(self.slave)[3] & termios.ICANON:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise console.Failure("the terminal was not made raw")
            time.sleep(0.01)

    def end(self, status):
        """It must end with STATUS, and leave the terminal as it was."""
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise console.Failure("it does not end")
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 4096).replace(b"\r", b"")
        if self.process.returncode != status:
            raise console.Failure("exit status %d: %r" % (self.process.returncode, self.text))
        if termios.tcgetattr(self.slave) != self.before:
            raise console.Failure("the terminal is not as it was")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def escape_keys(t):
    t.wait_raw()
    t.send(b"\x01h")
    t.expect(b"C-a x")
    t.send(b"\x01c")
    t.expect(b"(emu) ")
    t.send(b"info sta\t\r")
    t.expect(b"VM status: paused (prelaunch)\n(emu) ")
    t.send(b"print 3*\x7f+4\r")
    t.expect(b"0x7\n(emu) ")
    t.send(b"\x1b[A\x1b[A\r")
    t.expect(b"VM status: paused (prelaunch)\n(emu) ")
    t.send(b"\x01c\x01c")
    t.expect(b"(emu) ")
    t.send(b"\x01x")
    t.expect(b"Terminated")
    t.end(0)


def control_c_is_the_guests(t):
    t.wait_raw()
    t.send(b"\x03\x03")
    time.sleep(0.3)
    t.send(b"\x01c")
    t.expect(b"(emu) ")
    t.send(b"quit\r")
    t.end(0)


def ends_by(number, status):
    def run(t):
        t.wait_raw()
        t.process.send_signal(number)
        t.end(status)
    return run


def control_c_ends(t):
    t.wait_raw()
    t.expect(b"(emu) ")
    t.send(b"\x03")
    t.expect(b"terminating on signal 2")
    t.end(0)


def refusal(t):
    t.expect(b"-drive")
    t.end(1)


CASES = [
    ("escape keys reach help, monitor and exit", ["-nographic"], escape_keys),
    ("-serial mon:stdio is what -nographic does by itself", ["-nographic", "-serial", "mon:stdio"], escape_keys),
    ("-serial mon:stdio works without -nographic", ["-display", "none", "-serial", "mon:stdio"], escape_keys),
    ("a shared -chardev works the same",
     ["-nographic", "-chardev", "stdio,id=t,mux=on,signal=off", "-mon", "t", "-serial", "chardev:t"], escape_keys),
    ("Ctrl-C goes to the guest under -nographic", ["-nographic"], control_c_is_the_guests),
    ("Ctrl-C ends the emulator where only a monitor has the terminal", ["-display", "none", "-monitor", "stdio"],
     control_c_ends),
    ("SIGTERM ends it in order", ["-nographic"], ends_by(signal.SIGTERM, 0)),
    ("SIGHUP ends it in order", ["-nographic"], ends_by(signal.SIGHUP, 0)),
    ("an abort leaves the terminal in order", ["-nographic"], ends_by(signal.SIGABRT, -signal.SIGABRT)),
    ("a refusal after the terminal was made raw leaves it in order",
     ["-nographic", "-drive", "file=/nonexistent"], refusal),
]


def main():
    tap = Tap()
    for name, args, function in CASES:
        terminal = Terminal(args)
        tap.check(name, function, terminal)
        terminal.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
