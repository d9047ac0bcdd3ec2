#!/usr/bin/env python3
"""emu-img beside Debian's qemu-img: images made by either are checked, compared and converted by the other;
damaged images are refused in one line; a killed writer leaves leaks at most.
SPDX-License-Identifier: GPL-2.0-or-later
"""
# timeout: 900
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

EMU_IMG = os.environ.get("EMU_IMG", os.path.abspath("build/emu-img"))
QUICK = bool(os.environ.get("TEST_QUICK"))
TESTS = []


def test(fn):
    TESTS.append(fn)
    return fn


class Failed(Exception):
    pass


def run(*args, status=0, cwd=None):
    p = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=120, cwd=cwd)
    if status is not None and p.returncode != status:
        raise Failed("%s: exit status %d, not %d\n%s%s" % (" ".join(map(str, args)), p.returncode, status,
                                                         p.stdout, p.stderr))
    return p


def emu(*args, **kw):
    return run(EMU_IMG, *args, **kw)


def qemu(*args, **kw):
    return run("qemu-img", *args, **kw)


def expect(condition, what):
    if not condition:
        raise Failed(what)


def refused(*args, saying, status=1, tool=EMU_IMG, cwd=None):
    p = run(tool, *args, status=status, cwd=cwd)
    lines = p.stderr.splitlines()
    expect(len(lines) == 1, "%s: not one line but %r" % (args, p.stderr))
    expect(saying in lines[0], "%s: %r does not say %r" % (args, lines[0], saying))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def make_raw(path, size, seed=1):
    """Data of several kinds with holes in between."""
    rnd = random.Random(seed)
    with open(path, "wb") as f:
        f.truncate(size)
        at = 0
        while at < size:
            length = min(rnd.choice([512, 4096, 65536, 300000, 1 << 20]), size - at)
            kind = rnd.random()
            f.seek(at)
            if kind < 0.3:
                f.write(rnd.randbytes(length))
            elif kind < 0.5:
                f.write(b"compressible %d " % at * (length // 24) + bytes(length % 7))
            elif kind < 0.6:
                f.write(bytes(length))
            at += length
        f.truncate(size)


VARIANTS = [
    "cluster_size=512", "cluster_size=1k", "cluster_size=4k", "cluster_size=64k", "cluster_size=256k",
    "cluster_size=2M", "compat=0.10", "compat=0.10,cluster_size=512", "refcount_bits=1",
    "refcount_bits=2,cluster_size=512", "refcount_bits=4", "refcount_bits=8", "refcount_bits=32",
    "refcount_bits=64,cluster_size=512", "lazy_refcounts=on", "preallocation=metadata",
    "preallocation=falloc", "preallocation=full,cluster_size=4k", "compression_type=zstd",
]


def pairs():
    """Both directions: (who makes it, who looks at it)."""
    return (emu, qemu), (qemu, emu)


@test
def images_of_either_are_checked_and_compared_by_the_other(d):
    make_raw(d + "/raw", 7 * 1048576 + 512 * 3)
    for options in VARIANTS[::4] if QUICK else VARIANTS:
        for make, look in pairs():
            make("convert", "-f", "raw", "-O", "qcow2", "-o", options, d + "/raw", d + "/img")
            for tool in (look, make):
                tool("check", d + "/img")
                tool("compare", "-f", "raw", "-F", "qcow2", d + "/raw", d + "/img")
            look("convert", "-O", "raw", d + "/img", d + "/back")
            expect(digest(d + "/back") == digest(d + "/raw"), "%s: differs after conversion" % options)


@test
def compressed_images_go_both_ways(d):
    make_raw(d + "/raw", 9 * 1048576 + 1024)
    for options in ["cluster_size=64k", "cluster_size=512", "cluster_size=2M", "compression_type=zstd",
                    "refcount_bits=1", "compat=0.10", "cluster_size=4k,compression_type=zstd"]:
        for make, look in pairs():
            make("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, d + "/raw", d + "/img")
            for tool in (look, make):
                tool("check", d + "/img")
                tool("compare", d + "/raw", d + "/img", "-f", "raw", "-F", "qcow2")
            if "2M" not in options:  # random data in most of its clusters
                expect(os.path.getsize(d + "/img") < 9 * 1048576, "%s: not compressed" % options)


@test
def empty_images_are_the_same_for_both(d):
    for options in VARIANTS:
        for make, look in pairs():
            for size in ("0", "512", "1G" if "full" not in options and "falloc" not in options else "8M"):
                make("create", "-q", "-f", "qcow2", "-o", options, d + "/img", size)
                look("check", d + "/img")
                info = json.loads(look("info", "--output=json", d + "/img").stdout)
                other = json.loads(make("info", "--output=json", d + "/img").stdout)
                expect(info == other, "%s: info differs: %s %s" % (options, info, other))
                if size != "0" and "prealloc" not in options:  # qemu-img looks for holes in the file, too
                    expect(look("map", "--output=json", d + "/img").stdout ==
                           make("map", "--output=json", d + "/img").stdout, "%s: map differs" % options)


@test
def info_check_and_map_print_what_qemu_img_prints(d):
    run("qemu-img", "create", "-q", "-f", "qcow2", d + "/base", "10M")
    run("qemu-io", "-c", "write 1M 2M", "-c", "write -z 4M 1M", d + "/base")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "-o",
        "cluster_size=4k,lazy_refcounts=on", d + "/img")
    run("qemu-img", "snapshot", "-c", "snap1", d + "/img")
    run("qemu-io", "-c", "write 64k 64k", d + "/img")
    for args in (["info"], ["info", "--backing-chain"], ["check"], ["map"], ["map", "--output=json"]):
        ours, theirs = emu(*args, d + "/img").stdout, qemu(*args, d + "/img").stdout
        expect(ours == theirs, "%s differs:\n%s---\n%s" % (args, ours, theirs))
    for args in (["info"], ["info", "--backing-chain"], ["check"]):
        ours = json.loads(emu(*args, "--output=json", d + "/img").stdout)
        theirs = json.loads(qemu(*args, "--output=json", d + "/img").stdout)
        expect(ours == theirs, "%s differs: %s %s" % (args, ours, theirs))
    make_raw(d + "/raw", 3 << 20)
    for args in (["info"], ["map"], ["map", "--output=json"]):
        ours, theirs = emu(*args, "-f", "raw", d + "/raw").stdout, qemu(*args, "-f", "raw", d + "/raw").stdout
        expect(ours == theirs, "%s of raw differs:\n%s---\n%s" % (args, ours, theirs))


@test
def backing_chains_are_followed(d):
    os.mkdir(d + "/sub")
    make_raw(d + "/base.raw", 5 << 20)
    for make, look in pairs():
        make("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", d + "/mid")
        run("qemu-io", "-c", "write -P 1 1M 1M", d + "/mid")
        make("create", "-q", "-f", "qcow2", "-b", "../mid", "-F", "qcow2", d + "/sub/top", "8M")
        run("qemu-io", "-c", "write -P 2 1500k 1M", "-c", "write -z 3M 100k", d + "/sub/top")
        look("convert", "-O", "raw", d + "/sub/top", d + "/flat1")
        make("convert", "-O", "raw", d + "/sub/top", d + "/flat2")
        expect(digest(d + "/flat1") == digest(d + "/flat2"), "the chain reads differently")
        look("compare", d + "/sub/top", d + "/flat1", "-F", "raw")
        # As an overlay of the same base, only what differs is stored.
        look("convert", "-O", "qcow2", "-B", "mid", "-F", "qcow2", d + "/sub/top", d + "/over")
        make("compare", d + "/over", d + "/sub/top")
        make("check", d + "/over")
        expect(json.loads(look("info", "--output=json", d + "/over").stdout)["actual-size"] < 3 << 20,
               "the overlay has the base's data")


@test
def backing_cycles_and_missing_files_are_refused(d):
    emu("create", "-q", "-f", "qcow2", d + "/a", "1M")
    emu("create", "-q", "-f", "qcow2", "-b", "a", "-F", "qcow2", d + "/b")
    emu("create", "-q", "-u", "-f", "qcow2", "-b", "b", "-F", "qcow2", d + "/a", "1M")
    refused("convert", "-O", "raw", d + "/b", d + "/out", saying="leads back to this image")
    refused("create", "-f", "qcow2", "-b", "none", "-F", "qcow2", d + "/c", saying="No such file")
    expect(not os.path.exists(d + "/c"), "created all the same")
    refused("create", "-f", "qcow2", "-b", "b", d + "/c", "1M", saying="leads back")
    emu("create", "-q", "-f", "qcow2", d + "/e", "1M")
    refused("create", "-q", "-f", "qcow2", "-b", "e", d + "/c", saying="without backing format")
    emu("create", "-q", "-u", "-f", "qcow2", "-b", "gone", "-F", "qcow2", d + "/c", "1M")
    refused("convert", "-O", "raw", d + "/c", d + "/out", saying="gone")
    emu("create", "-q", "-u", "-f", "qcow2", "-b", "nbd:localhost:1", "-F", "raw", d + "/c", "1M")
    refused("convert", "-O", "raw", d + "/c", d + "/out", saying="Unknown protocol 'nbd'")
    emu("create", "-q", "-f", "qcow2", d + "/n0", "1M")
    for i in range(1, 205):
        emu("create", "-q", "-u", "-f", "qcow2", "-b", "n%d" % (i - 1), "-F", "qcow2", d + "/n%d" % i, "1M")
    emu("compare", d + "/n199", d + "/n0")
    refused("convert", "-O", "raw", d + "/n204", d + "/out", saying="more than 200 images")


@test
def resize_works_like_qemu_img(d):
    for make, look in pairs():
        make("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", d + "/img", "1M")
        run("qemu-io", "-c", "write -P 7 0 1M", d + "/img")
        emu("resize", "-q", d + "/img", "+3M")
        run("qemu-io", "-c", "write -P 8 3M 1M", d + "/img")
        look("check", d + "/img")
        emu("resize", "-q", "--shrink", d + "/img", "700k")
        look("check", d + "/img")
        emu("resize", "-q", d + "/img", "64M")
        out = run("qemu-io", "-r", "-c", "read -P 7 0 700k", "-c", "read -P 0 700k 63M", d + "/img").stdout
        expect("failed" not in out, out)
    refused("resize", d + "/img", "1M", saying="--shrink")
    refused("resize", d + "/img", "junk", saying="Invalid image size")
    emu("resize", "-q", d + "/img", "--preallocation=metadata", "65M")
    qemu("check", d + "/img")
    make_raw(d + "/raw", 1 << 20)
    emu("resize", "-q", "-f", "raw", d + "/raw", "2M")
    emu("resize", "-q", "-f", "raw", "--shrink", d + "/raw", "-1536k")
    expect(os.path.getsize(d + "/raw") == 512 << 10, "wrong size")
    # Growing over a longer backing file: what is new is zero, not the backing file's.
    make_raw(d + "/base", 4 << 20)
    emu("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", d + "/over", "1M")
    emu("resize", "-q", d + "/over", "4M")
    out = run("qemu-io", "-r", "-c", "read -P 0 1M 3M", d + "/over").stdout
    expect("failed" not in out, out)


@test
def compare_has_qemu_imgs_exit_statuses(d):
    make_raw(d + "/a", 1 << 20)
    shutil.copy(d + "/a", d + "/b")
    emu("compare", d + "/a", d + "/b")
    with open(d + "/b", "r+b") as f:
        f.seek(524288)
        f.write(b"\x01differs\xff")
    p = emu("compare", d + "/a", d + "/b", status=1)
    expect(p.stdout == qemu("compare", d + "/a", d + "/b", status=1).stdout, p.stdout)
    shutil.copy(d + "/a", d + "/b")
    os.truncate(d + "/b", 2 << 20)
    emu("compare", "-f", "raw", "-F", "raw", d + "/a", d + "/b")
    emu("compare", "-s", d + "/a", d + "/b", status=1)
    emu("compare", d + "/a", d + "/nothing", status=2)
    emu("compare", d + "/a", status=2)


@test
def convert_takes_its_options(d):
    make_raw(d + "/raw", 6 << 20)
    p = emu("convert", "-p", "-f", "raw", "-O", "qcow2", d + "/raw", d + "/img")
    expect("(100.00/100%)" in p.stdout, p.stdout)
    # Several sources one behind the other.
    emu("convert", "-f", "raw", "-O", "raw", d + "/raw", d + "/raw", d + "/twice")
    with open(d + "/twice", "rb") as f:
        data = f.read()
    expect(data[:6 << 20] == data[6 << 20:] and len(data) == 12 << 20, "not twice the source")
    # Into an existing image with other content.
    for fmt in ("raw", "qcow2"):
        emu("create", "-q", "-f", fmt, d + "/target", "7M")
        run("qemu-io", "-f", fmt, "-c", "write -P 9 0 7M", d + "/target")
        emu("convert", "-n", "-f", "raw", "-O", fmt, d + "/raw", d + "/target")
        emu("resize", "-q", "--shrink", "-f", fmt, d + "/target", "6M")
        qemu("compare", "-f", fmt, "-F", "raw", d + "/target", d + "/raw")
    # Holes stay holes; -S 0 fills them.
    with open(d + "/holes", "wb") as f:
        f.truncate(8 << 20)
        f.write(b"x")
    emu("convert", "-O", "raw", d + "/holes", d + "/sparse")
    emu("convert", "-S", "0", "-O", "raw", d + "/holes", d + "/dense")
    expect(os.stat(d + "/sparse").st_blocks * 512 < 1 << 20, "holes were written")
    expect(os.stat(d + "/dense").st_blocks * 512 >= 8 << 20, "-S 0 left holes")
    for cache in ("none", "writeback", "writethrough", "directsync", "unsafe"):
        emu("convert", "-t", cache, "-T", cache, "-O", "qcow2", "-f", "raw", d + "/raw", d + "/img")
        qemu("compare", "-f", "raw", d + "/raw", d + "/img")
    refused("convert", "-c", "-O", "raw", d + "/raw", d + "/x", saying="Compression not supported")
    refused("convert", "-O", "vmdk", d + "/raw", d + "/x", saying="vmdk")
    refused("convert", "-O", "qcow2", "-o", "cluster_size=3k", d + "/raw", d + "/x", saying="Cluster size")
    refused("convert", "-O", "qcow2", "-o", "extended_l2=on", d + "/raw", d + "/x", saying="extended_l2")
    refused("convert", "-O", "qcow2", "-o", "whatever=1", d + "/raw", d + "/x", saying="whatever")
    refused("convert", "-t", "maybe", d + "/raw", d + "/x", saying="maybe")
    refused("convert", "--salvage", d + "/raw", d + "/x", saying="--salvage")
    refused("frobnicate", saying="frobnicate")


@test
def a_second_writer_is_refused(d):
    emu("create", "-q", "-f", "qcow2", d + "/img", "1M")
    emu("create", "-q", "-f", "raw", d + "/raw", "1M")
    holder = subprocess.Popen(["qemu-io", d + "/img"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        refused("resize", d + "/img", "2M", saying='lock')
        refused("info", d + "/img", saying='lock')
        refused("create", "-q", "-f", "qcow2", d + "/img", "1M", saying='lock')
        refused("convert", "-O", "qcow2", "-f", "raw", d + "/raw", d + "/img", saying='lock')
        emu("info", "-U", d + "/img")
        emu("check", "-U", d + "/img")
    finally:
        holder.stdin.close()
        holder.wait()
    emu("resize", "-q", d + "/img", "2M")
    reader = subprocess.Popen(["qemu-io", "-r", d + "/img"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        emu("info", d + "/img")
        refused("resize", d + "/img", "3M", saying='lock')
    finally:
        reader.stdin.close()
        reader.wait()


@test
def check_finds_and_repairs_leaks_and_errors(d):
    make_raw(d + "/raw", 6 << 20)
    for options in ("cluster_size=64k", "cluster_size=512", "refcount_bits=1", "compat=0.10"):
        emu("convert", "-f", "raw", "-O", "qcow2", "-o", options, d + "/raw", d + "/img")
        with open(d + "/img", "rb") as f:
            head = f.read(104)
        bits = struct.unpack(">I", head[20:24])[0]
        table = struct.unpack(">Q", head[48:56])[0]
        with open(d + "/img", "r+b") as f:
            f.seek(table)
            block = struct.unpack(">Q", f.read(8))[0]
            # Refcounts of the first clusters to zero: in use, and free for the taking.
            f.seek(block)
            f.write(bytes(32 if "refcount_bits" not in options else 2))
            # An unused cluster at the end.
            f.seek(0, 2)
            f.truncate(((f.tell() >> bits) + 3) << bits)
        expect(emu("check", d + "/img", status=2).returncode == qemu("check", d + "/img", status=None).returncode,
               "another status than qemu-img's")
        emu("check", "-q", "-r", "all", d + "/img")
        emu("check", d + "/img")
        qemu("check", d + "/img")
        qemu("compare", "-f", "raw", d + "/raw", d + "/img")
    # A refcount table that is not there at all.
    emu("convert", "-f", "raw", "-O", "qcow2", d + "/raw", d + "/img")
    with open(d + "/img", "r+b") as f:
        f.seek(48)
        f.write(struct.pack(">Q", 1 << 40))
    emu("check", d + "/img", status=2)
    emu("check", "-q", "-r", "all", d + "/img")
    qemu("check", d + "/img")
    qemu("compare", "-f", "raw", d + "/raw", d + "/img")
    # Leaks alone.
    run("qemu-img", "create", "-q", "-f", "qcow2", d + "/leaky", "10M")
    run("qemu-io", "-c", "write 0 1M", d + "/leaky")
    with open(d + "/leaky", "r+b") as f:
        f.seek(0x50000 - 0x10000)
        entry = f.read(8)
        f.seek(0x40000)
        f.write(bytes(8))
    expect(entry != bytes(8), "layout of the test image")
    emu("check", d + "/leaky", status=3)
    emu("check", "-q", "-r", "leaks", d + "/leaky")
    qemu("check", d + "/leaky")
    emu("check", d + "/raw", status=63)


def patch(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def u32(x):
    return struct.pack(">I", x)


def u64(x):
    return struct.pack(">Q", x)


# what, offset, bytes, and what the message must say; L1 is at 0x30000, the refcount table at 0x10000
DAMAGE = [
    ("version", 4, u32(9), "version 9"),
    ("cluster_bits small", 20, u32(8), "cluster_bits"),
    ("cluster_bits large", 20, u32(22), "cluster_bits"),
    ("size", 24, u64((1 << 63) + 512), "size"),
    ("AES", 32, u32(1), "encrypted"),
    ("LUKS", 32, u32(2), "LUKS"),
    ("l1_size small", 36, u32(0), "L1 table is too small"),
    ("l1_size large", 36, u32(0x7fffffff), "L1 table is too large"),
    ("l1 offset unaligned", 40, u64(0x30200), "L1 table offset"),
    ("l1 offset outside", 40, u64(1 << 50), "L1 table at"),
    ("refcount table unaligned", 48, u64(0x10200), "refcount table offset"),
    ("refcount table outside", 48, u64(1 << 50), "refcount table at"),
    ("refcount table none", 56, u32(0), "no refcount table"),
    ("refcount table large", 56, u32(0x10000), "refcount table is too large"),
    ("too many snapshots", 60, u32(70000), "snapshots"),
    ("snapshot table outside", 60, u32(1) + u64(1 << 50), "snapshot table at"),
    ("snapshot table garbage", 60, u32(3) + u64(0x30000), "snapshot table"),
    ("data file", 72, u64(4), "external data file"),
    ("extended L2", 72, u64(16), "extended L2"),
    ("unknown feature", 72, u64(1 << 40), "incompatible bit 40"),
    ("refcount_order", 96, u32(7), "refcount_order"),
    ("header_length short", 100, u32(80), "header_length"),
    ("header_length long", 100, u32(1 << 20), "header_length"),
    ("compression type", 104, b"\x07", "compression"),
    ("compression bit", 72, u64(8), "compression"),
    ("extension too long", 112, u32(0x12345678) + u32(0xffffff), "extension"),
    ("backing name outside", 8, u64(0xfffff) + u32(5), "backing file name"),
    ("backing name long", 8, u64(200) + u32(5000), "backing file name"),
    ("L1 entry unaligned", 0x30000, u64(0x40200 | 1 << 63), "L1 table entry 0"),
    ("L1 entry outside", 0x30000, u64(1 << 45 | 1 << 63), "L1 table entry 0"),
    ("L1 entry reserved", 0x30000, u64(0x40000 | 1 << 60), "L1 table entry 0"),
    ("refcount table entry unaligned", 0x10000, u64(0x20200), "refcount table entry 0"),
    ("refcount table entry outside", 0x10008, u64(1 << 45), "refcount table entry 1"),
    ("refcount table entry reserved", 0x10000, u64(0x20001), "refcount table entry 0"),
]


@test
def damaged_headers_and_tables_are_refused_untouched(d):
    run("qemu-img", "create", "-q", "-f", "qcow2", d + "/good", "64M")
    run("qemu-io", "-c", "write 0 1M", d + "/good")
    for what, offset, data, saying in DAMAGE:
        shutil.copy(d + "/good", d + "/bad")
        patch(d + "/bad", offset, data)
        before = digest(d + "/bad")
        for args in (["resize", "-f", "qcow2", d + "/bad", "65M"],
                     ["convert", "-f", "qcow2", "-O", "raw", d + "/bad", d + "/out"]):
            try:
                refused(*args, saying=saying)
            except Failed as e:
                raise Failed("%s: %s" % (what, e)) from None
        expect(digest(d + "/bad") == before, "%s: the image was changed" % what)
    for size in (0, 3, 60, 100, 0x18000):
        shutil.copy(d + "/good", d + "/bad")
        os.truncate(d + "/bad", size)
        refused("convert", "-f", "qcow2", "-O", "raw", d + "/bad", d + "/out", saying="Could not open")
    shutil.copy(d + "/good", d + "/bad")
    patch(d + "/bad", 72, u64(2))
    refused("resize", d + "/bad", "65M", saying="corrupt")
    emu("convert", "-O", "raw", d + "/bad", d + "/out")
    refused("info", d + "/missing", saying="No such file")
    refused("info", d, saying="neither a regular file")
    refused("info", "nbd:localhost:1", saying="nbd")
    if os.geteuid() != 0:
        os.chmod(d + "/good", 0o444)
        refused("resize", d + "/good", "65M", saying="Permission denied")


@test
def any_byte_may_be_damaged_without_a_crash(d):
    rnd = random.Random(4)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", d + "/good", "1M")
    run("qemu-io", "-c", "write 0 300k", d + "/good")
    qemu("snapshot", "-c", "s", d + "/good")
    run("qemu-io", "-c", "write 100k 100k", d + "/good")
    size = os.path.getsize(d + "/good")
    with open(d + "/good", "rb") as f:
        head = f.read(72)
    places = [0, struct.unpack(">Q", head[40:48])[0], struct.unpack(">Q", head[48:56])[0],
              struct.unpack(">Q", head[64:72])[0]]
    for i in range(40 if QUICK else 300):
        shutil.copy(d + "/good", d + "/bad")
        for _ in range(rnd.randrange(1, 6)):
            base = rnd.choice(places + [rnd.randrange(size // 512) * 512])
            patch(d + "/bad", min(base + rnd.randrange(120 if base == 0 else 512), size - 1),
                  rnd.randbytes(rnd.choice([1, 1, 8])))
        for args in (["info"], ["check"], ["check", "-r", "all"], ["map"], ["convert", "-O", "raw"],
                     ["resize", "-q"]):
            tail = {"convert": [d + "/out"], "resize": ["2M"]}.get(args[0], [])
            p = emu(*args, "-f", "qcow2", d + "/bad", *tail, status=None) if args[0] != "convert" else \
                emu("convert", "-f", "qcow2", "-O", "raw", d + "/bad", d + "/out", status=None)
            expect(0 <= p.returncode <= 3, "round %d: %s ended with %d\n%s" % (i, args, p.returncode, p.stderr))


@test
def a_killed_writer_leaves_leaks_at_most(d):
    make_raw(d + "/raw", 48 << 20)
    rnd = random.Random(5)
    for i in range(5 if QUICK else 25):
        options = VARIANTS[i % 14]
        emu("create", "-q", "-f", "qcow2", "-o", options, d + "/img", "48M")
        p = subprocess.Popen([EMU_IMG, "convert", "-n", "-f", "raw", "-O", "qcow2", d + "/raw", d + "/img"],
                             stdout=subprocess.DEVNULL)
        time.sleep(rnd.random() * 0.08)
        p.send_signal(signal.SIGKILL)
        p.wait()
        # The kernel may hold the image for a moment longer, for requests that were on the io_uring.
        give_up = time.time() + 5
        while qemu("info", d + "/img", status=None).returncode and time.time() < give_up:
            time.sleep(0.01)
        status = qemu("check", d + "/img", status=None).returncode
        dirty = "lazy" in options
        expect(status in (0, 3) or (dirty and status in (0, 2, 3)), "%s: check says %d" % (options, status))
        emu("check", "-q", "-r", "all", d + "/img", status=None)
        qemu("check", d + "/img")
        emu("convert", "-n", "-f", "raw", "-O", "qcow2", d + "/raw", d + "/img")
        qemu("compare", "-f", "raw", d + "/raw", d + "/img")


def main():
    if not shutil.which("qemu-img") or not shutil.which("qemu-io"):
        print("1..0 # SKIP qemu-img and qemu-io (package qemu-utils) are not installed")
        return 0
    only = sys.argv[1:]
    tests = [t for t in TESTS if not only or t.__name__ in only]
    print("1..%d" % len(tests))
    failed = 0
    for n, fn in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix="emu-img-") as d:
            try:
                fn(d)
                print("ok %d - emu-img: %s" % (n, fn.__name__), flush=True)
            except (Failed, subprocess.TimeoutExpired) as e:
                failed += 1
                print("not ok %d - emu-img: %s" % (n, fn.__name__))
                print("# " + str(e).replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


sys.exit(main())
