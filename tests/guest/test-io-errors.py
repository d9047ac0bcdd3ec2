#!/usr/bin/env python3
# timeout: 300
"""Disk errors of the host while a guest writes: by werror= and rerror= they stop the machine, which goes on
without loss after 'cont', or reach the guest, or are passed over.

The host's errors are made with a limit on the size of files (EFBIG), with a file system of a few MiB that
fills up (ENOSPC), and with a damaged qcow2 table (EIO).
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

BOOT = os.path.join(console.BUILD, "tests/guest/boot-write-disk.bin")
PIECES, PIECE_SIZE = 512, 32 << 10
SIZE = PIECES * PIECE_SIZE
DEVICES = {"IDE": "if=ide,index=1", "virtio-blk": "if=virtio"}
LIMIT = (4 << 20) + 512  # inside of a piece


class Run:
    """The guest of boot-write-disk.S with IMAGE as its second disk; behind PREFIX's words."""

    def __init__(self, folder, image, device, policy, prefix=(), limit=None):
        self.folder, self.output = folder, os.path.join(folder, "debugcon")
        self.monitor_path = os.path.join(folder, "monitor")
        self.errors = open(os.path.join(folder, "stderr"), "w+b")
        command = list(prefix) + [
            console.EMU, "-accel", "tcg", "-S", "-m", "32", "-nodefaults", "-display", "none",
            "-debugcon", "file:" + self.output, "-monitor", "unix:%s,server=on,wait=off" % self.monitor_path,
            "-drive", "file=%s,format=raw,if=ide,index=0,snapshot=on" % BOOT,
            "-drive", "file=%s,id=target,%s%s" % (image, DEVICES[device], policy)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors)
        self.guest = console.Guest.__new__(console.Guest)  # only for its monitor
        self.guest.monitor_path, self.guest._monitor = self.monitor_path, None
        self.guest.process = self.process
        self.limit = limit

    def __enter__(self):
        self.guest.monitor("info status")
        # Guest memory is a file, too: the limit comes after it.
        if self.limit:
            self.raise_limit(self.limit)
        self.guest.monitor("cont")
        return self

    def raise_limit(self, limit):
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def text(self):
        with open(self.output) as f:
            return f.read()

    def stderr(self):
        with open(self.errors.name) as f:
            return f.read()

    def wait(self, condition, what):
        deadline = time.monotonic() + 100
        while not condition():
            if self.process.poll() is not None:
                raise console.Failure("the emulator ended (%d): %s" % (self.process.returncode, self.stderr()))
            if time.monotonic() > deadline:
                raise console.Failure("%s: did not come; %r, %s" % (what, self.text()[-80:], self.stderr()))
            time.sleep(0.05)

    def wait_for_stop(self):
        self.wait(lambda: "paused (io-error)" in self.guest.monitor("info status"), "the stop")
        if "'target'" not in self.stderr():
            raise console.Failure("standard error does not name the drive: %r" % self.stderr())

    def wait_for_end(self):
        self.wait(lambda: "done" in self.text(), "the guest's end")
        return self.text()


def expect(text, pattern):
    if not re.fullmatch(pattern, text.strip()):
        raise console.Failure("%r, expected %s" % (text, pattern))


def make_raw(folder):
    path = os.path.join(folder, "target.raw")
    with open(path, "wb") as f:
        f.truncate(SIZE)
    return path


def all_written(path):
    with open(path, "rb") as f:
        for n in range(PIECES):
            if f.read(PIECE_SIZE) != struct.pack("<H", n) * (PIECE_SIZE // 2):
                raise console.Failure("piece %d did not reach the image" % n)


WHOLE = r"\.{512},{512}done"


def stop_and_go_on(device):
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        image = make_raw(folder)
        with Run(folder, image, device, ",format=raw,werror=stop", limit=LIMIT) as run:
            for limit in (LIMIT, 2 * LIMIT):
                run.wait_for_stop()
                so_far = run.text()
                if len(so_far) > limit // PIECE_SIZE or "E" in so_far:
                    raise console.Failure("before the limit: %r" % so_far)
                # Continued too early, it stops again.
                run.guest.monitor("cont")
                run.wait_for_stop()
                if run.text() != so_far:
                    raise console.Failure("the guest went on: %r" % run.text())
                run.raise_limit(2 * LIMIT if limit == LIMIT else resource.RLIM_INFINITY)
                run.guest.monitor("cont")
            expect(run.wait_for_end(), WHOLE)
        all_written(image)


def reset_while_stopped(device):
    """The request is forgotten; the machine starts afresh and can write again."""
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        with Run(folder, make_raw(folder), device, ",format=raw,werror=stop", limit=LIMIT) as run:
            run.wait_for_stop()
            before = run.text()
            run.guest.monitor("system_reset")
            run.raise_limit(resource.RLIM_INFINITY)
            run.guest.monitor("cont")
            expect(run.wait_for_end()[len(before):], WHOLE)


def quit_while_stopped(device):
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        with Run(folder, make_raw(folder), device, ",format=raw,werror=stop", limit=LIMIT) as run:
            run.wait_for_stop()
            run.guest.monitor("quit")
            if run.process.wait(60) != 0:
                raise console.Failure("exit status %d" % run.process.returncode)


def reported(device, policy):
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        with Run(folder, make_raw(folder), device, ",format=raw" + policy, limit=LIMIT) as run:
            expect(run.wait_for_end(), r"\.{128}E{384},{128}\?{384}done")


def ignored(device):
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        with Run(folder, make_raw(folder), device, ",format=raw,werror=ignore", limit=LIMIT) as run:
            expect(run.wait_for_end(), r"\.{512},{128}\?{384}done")


def own_mounts():
    """The words that start a program where it may mount, or none."""
    for words in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        if subprocess.run(words + ["mount", "-t", "tmpfs", "tmpfs", "/mnt"], stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL).returncode == 0:
            return words
    return None


def full_file_system(device, policy, words):
    """Without werror= a full file system stops the machine, and nothing else does."""
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        small = os.path.join(folder, "small")
        os.mkdir(small)
        script = 'mount -t tmpfs -o size=6m tmpfs "$0" && truncate -s %d "$0/target.raw" && exec "$@"' % SIZE
        prefix = words + ["sh", "-c", script, small]
        with Run(folder, os.path.join(small, "target.raw"), device, ",format=raw" + policy, prefix=prefix) as run:
            run.wait_for_stop()
            if "E" in run.text():
                raise console.Failure("the guest saw an error: %r" % run.text())
            enter = ["nsenter", "-t", str(run.process.pid)] + (["-U"] if "--user" in words else []) + ["-m"]
            subprocess.run(enter + ["mount", "-o", "remount,size=64m", small], check=True)
            run.guest.monitor("cont")
            expect(run.wait_for_end(), WHOLE)


def corrupt_table(device, policy):
    """A damaged L2 entry is met when the guest reads piece 100."""
    with tempfile.TemporaryDirectory(prefix="emu-test.") as folder:
        image = os.path.join(folder, "target.qcow2")
        raw = make_raw(folder)
        with open(raw, "r+b") as f:
            f.write(b"x" * SIZE)
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, image], check=True)
        with open(image, "r+b") as f:
            f.seek(40)
            f.seek(struct.unpack(">Q", f.read(8))[0])
            l2 = struct.unpack(">Q", f.read(8))[0] & 0x00fffffffffffe00
            f.seek(l2 + 50 * 8)
            f.write(struct.pack(">Q", 1 << 63 | 0x1200))
        with Run(folder, image, device, ",format=qcow2" + policy) as run:
            if "stop" in policy:
                run.wait_for_stop()
                run.guest.monitor("cont")
                run.wait_for_stop()
                expect(run.text(), r"\.{100}")
            else:
                expect(run.wait_for_end(), r"\.{100}E{412}.*done")


def main():
    tap = Tap()
    mounts = own_mounts()
    for device in DEVICES:
        tap.check("%s, werror=stop: the machine stops and goes on without loss" % device, stop_and_go_on, device)
        tap.check("%s, werror=stop: a reset forgets the failed request" % device, reset_while_stopped, device)
        tap.check("%s, werror=stop: the stopped emulator can be left" % device, quit_while_stopped, device)
        tap.check("%s, werror=report: the guest sees the error" % device, reported, device, ",werror=report")
        tap.check("%s: an error other than a full disk is reported by default" % device, reported, device, "")
        tap.check("%s, werror=ignore: the guest sees nothing" % device, ignored, device)
        for policy in ("", ",werror=enospc"):
            name = "%s%s: a full file system stops the machine" % (device, policy)
            if mounts:
                tap.check(name, full_file_system, device, policy, mounts)
            else:
                tap.skip(name, "this host lets nobody mount a file system")
        tap.check("%s: a corrupt table is an error to the guest" % device, corrupt_table, device, "")
        tap.check("%s, werror=stop: a corrupt table stops the machine" % device, corrupt_table, device,
                  ",werror=stop")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
