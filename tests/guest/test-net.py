#!/usr/bin/env python3
# timeout: 1200
"""The guest reaches the network: DHCP, files from a server on the host with equal checksums, connections inwards,
parallel streams, IPv6, the link going down; by each card, over the user-mode network.

One boot of Debian for each card; the two are also joined by a socket of the host. TEST_LONG=1: a 100 MB file, and
ten streams for a minute. SPDX-License-Identifier: GPL-2.0-or-later
"""
import hashlib
import http.server
import os
import socket
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import console  # noqa: E402
from tap import Tap  # noqa: E402

LONG = bool(os.environ.get("TEST_LONG"))
SIZE = (100 if LONG else 8) << 20
STREAMS = 10
NETWORKD = ("printf '[Match]\\nName=enp0s3\\n[Network]\\nDHCP=ipv4\\nIPv6AcceptRA=yes\\n' "
            "> /etc/systemd/network/a.network")


class Server:
    """Files of a folder over HTTP on 127.0.0.1 and ::1, and a port that sums up what it is sent."""

    def __init__(self, folder):
        self.folder = folder
        self.sums = []
        handler = type("Handler", (http.server.SimpleHTTPRequestHandler,),
                       {"__init__": lambda s, *a: http.server.SimpleHTTPRequestHandler.__init__(
                           s, *a, directory=folder), "log_message": lambda *a: None})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.http.server_address[1]
        self.v6 = None
        try:
            v6 = type("V6", (http.server.ThreadingHTTPServer,), {"address_family": socket.AF_INET6})
            self.v6 = v6(("::1", 0), handler)
        except OSError:
            pass
        self.sink = socket.create_server(("127.0.0.1", 0))
        self.sink_port = self.sink.getsockname()[1]
        for target in [self.http.serve_forever, self.drain] + ([self.v6.serve_forever] if self.v6 else []):
            threading.Thread(target=target, daemon=True).start()

    def drain(self):
        while True:
            peer, _ = self.sink.accept()
            threading.Thread(target=self.sum_up, args=(peer,), daemon=True).start()

    def sum_up(self, peer):
        total = hashlib.sha256()
        while True:
            data = peer.recv(1 << 16)
            if not data:
                break
            total.update(data)
        self.sums.append(total.hexdigest())
        peer.close()


def fetch(port, host="10.0.2.2"):
    """A shell command that writes the served file to standard output."""
    return ("(exec 3<>/dev/tcp/%s/%d; printf 'GET /big HTTP/1.0\\r\\n\\r\\n' >&3; "
            "{ while IFS= read -r l && [ \"$l\" != $'\\r' ]; do :; done; cat; } <&3)" % (host, port))


def wait_for(guest, command, seconds=60):
    guest.run("for i in $(seq %d); do %s && break; sleep 0.5; done; %s" % (seconds * 2, command, command),
              timeout=seconds + 120)


def network_up(guest):
    guest.run(NETWORKD)
    guest.run("systemctl restart systemd-networkd")
    wait_for(guest, "ip route | grep -q default")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def check_pcap(path, snap):
    with open(path, "rb") as f:
        data = f.read()
    if struct.unpack("<IHH", data[:8]) != (0xa1b2c3d4, 2, 4):
        raise console.Failure("%s does not begin as libpcap's files do" % path)
    at, frames = 24, 0
    while at < len(data):
        _, _, captured, length = struct.unpack("<4I", data[at:at + 16])
        if captured != min(length, snap) or length > 65600:
            raise console.Failure("%s: a record of %d bytes of %d" % (path, captured, length))
        at += 16 + captured
        frames += 1
    if at != len(data) or frames < 10:
        raise console.Failure("%s: %d frames, %d bytes of %d" % (path, frames, at, len(data)))


class Checks:
    """What each card must show, in one guest."""

    def __init__(self, tap, card, server, port, digest, pcap):
        self.tap, self.card, self.server, self.port, self.digest = tap, card, server, port, digest
        self.pcap = pcap

    def dhcp(self, guest):
        network_up(guest)
        _, text = guest.run("ip -4 -br addr show enp0s3")
        if "10.0.2.15/24" not in text:
            raise console.Failure("no lease: " + text)

    def download(self, guest):
        _, text = guest.run(fetch(self.server.port) + " | sha256sum", timeout=300)
        if self.digest not in text:
            raise console.Failure("the file is another one: " + text)

    def upload(self, guest):
        del self.server.sums[:]
        guest.run("head -c %d /dev/urandom > /tmp/up" % SIZE)
        _, text = guest.run("cat /tmp/up > /dev/tcp/10.0.2.2/%d; sha256sum < /tmp/up" % self.server.sink_port, timeout=300)
        for _ in range(600):
            if self.server.sums:
                break
            threading.Event().wait(0.1)
        if not self.server.sums or self.server.sums[0] not in text:
            raise console.Failure("the host got %s: %s" % (self.server.sums, text))

    def inwards(self, guest):
        guest.line("perl -MIO::Socket -e '$s=IO::Socket::INET->new(LocalPort=>7777,Listen=>5,ReuseAddr=>1) or die;"
                   " print \"LISTENS\" . \"-NOW\\n\"; $c=$s->accept; while(<$c>){last if /^end/; print $c uc $_}'")
        guest.expect("LISTENS-NOW")
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            f = s.makefile("rw")
            for word in ("hello", "again"):
                f.write(word + "\n")
                f.flush()
                answer = f.readline()
                if answer != word.upper() + "\n":
                    raise console.Failure("the guest answers %r to %r" % (answer, word))
            f.write("end\n")
            f.flush()
        guest.expect(console.PROMPT)

    def parallel(self, guest):
        one = fetch(self.server.port) + " | sha256sum"
        again = "end=$(($(date +%%s) + %d)); while :; do %s; [ $(date +%%s) -ge $end ] && break; done" % (
            60 if LONG else 0, one)
        guest.run("for i in $(seq %d); do (%s) > /tmp/sum.$i & done; wait" % (STREAMS, again), timeout=900)
        _, text = guest.run("cat /tmp/sum.* | sort | uniq -c")
        if len(text.strip().splitlines()) != 1 or self.digest not in text or int(text.split()[0]) < STREAMS:
            raise console.Failure("streams differ: " + text)

    def ipv6(self, guest):
        wait_for(guest, "ip -6 route | grep -q ^default")
        _, text = guest.run("ip -6 -br addr show enp0s3")
        if "fec0::" not in text:
            raise console.Failure("no address: " + text)
        if self.server.v6:
            _, text = guest.run(fetch(self.server.v6.server_address[1], "fec0::2") + " | sha256sum", timeout=300)
            if self.digest not in text:
                raise console.Failure("the file is another one: " + text)

    def link(self, guest):
        carrier = "cat /sys/class/net/enp0s3/carrier"
        name = self.card + ".0"
        guest.monitor("set_link %s off" % name)
        wait_for(guest, "test $(%s) = 0" % carrier)
        guest.monitor("set_link %s on" % name)
        wait_for(guest, "test $(%s) = 1" % carrier)
        wait_for(guest, "ip route | grep -q default")

    def vlan(self, guest):
        """Frames with a tag go nowhere here, but through filters and the hardware's tagging."""
        guest.run("ip link add link enp0s3 name v5 type vlan id 5 && ip link set v5 up && "
                  "ip addr add 10.9.9.1/24 dev v5 && { echo > /dev/udp/10.9.9.2/9; sleep 1; ip link del v5; }")

    def no_complaints(self, guest):
        _, text = guest.run("dmesg | grep -i -E '\\boops|BUG:|call trace|lockup|hw csum|Tx Unit Hang|NETDEV WATCHDOG' || true")
        if text.strip():
            raise console.Failure("the kernel complains: " + text)
        _, text = guest.run("cat /sys/class/net/en*/statistics/[rt]x_errors | sort -u")
        if text.split() != ["0"]:
            raise console.Failure("errors are counted: " + text)
        guest.monitor("announce_self")

    def run(self, guest):
        guest.login()
        for name, what in (("a lease by DHCP", self.dhcp), ("a file of %d MiB" % (SIZE >> 20), self.download),
                           ("the same upwards", self.upload), ("a connection inwards", self.inwards),
                           ("%d streams at once" % STREAMS, self.parallel), ("IPv6", self.ipv6),
                           ("VLAN frames", self.vlan), ("the link off and on", self.link),
                           ("no complaints of the kernel", self.no_complaints)):
            if not self.tap.check("%s: %s" % (self.card, name), what, guest):
                raise console.Failure("%s failed" % name)


def debian(scratch, name, extra):
    disk = console.overlay(scratch, console.DISK, name + ".qcow2")
    return ["-m", "512", "-drive", "file=%s,if=virtio" % disk] + extra


def joined(first, second, files):
    """Two guests, whose second cards are at the two ends of sockets of the host: a file goes each way."""
    for n, (one, other) in enumerate(((first, second), (second, first))):
        for interface in ("enp0s5", "enp0s6")[:files]:
            port, net = 7777 + n, 7 + (interface == "enp0s6")
            for guest, address in ((one, 1), (other, 2)):
                guest.run("ip link set %s up; ip addr replace 10.7.%d.%d/24 dev %s" %
                          (interface, net, address + 10 * n, interface))
            other.line("perl -MIO::Socket -e '$s=IO::Socket::INET->new(LocalPort=>%d,Listen=>5,ReuseAddr=>1) or die; "
                       "$c=$s->accept; print while(read $c,$_,65536)' | sha256sum" % port)
            one.run("head -c %d /dev/urandom > /tmp/up; ok=; for i in $(seq 120); do "
                    "cat /tmp/up 2>/dev/null > /dev/tcp/10.7.%d.%d/%d && ok=1 && break; sleep 0.5; done; test $ok" %
                    (SIZE, net, 2 + 10 * n, port), timeout=300)
            _, text = one.run("sha256sum < /tmp/up")
            other.expect(text.split()[0])
            other.expect(console.PROMPT)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="emu-net.") as scratch:
        with open(os.path.join(scratch, "big"), "wb") as f:
            data = os.urandom(SIZE)
            f.write(data)
        digest = hashlib.sha256(data).hexdigest()
        server = Server(scratch)
        path = os.path.join(scratch, "s")
        ends = []
        for me, other in (("a", "b"), ("b", "a")):
            # Frames over a stream, and as datagrams.
            stream = ("server=on" if me == "a" else "reconnect=1") + ",addr.type=unix,addr.path=" + path
            ends.append(["-netdev", "stream,id=j," + stream,
                         "-netdev", "dgram,id=k,local.type=unix,local.path=%s.%s,remote.type=unix,remote.path=%s.%s" %
                         (path, me, path, other)])

        def checks(card):
            return Checks(tap, card, server, free_port(), digest, os.path.join(scratch, card + ".pcap"))

        def args(what, other, end, number):
            mac = ",romfile=,mac=52:54:00:00:%02x:%02x"
            return debian(scratch, what.card, [
                "-nic", "user,id=n,model=%s,hostfwd=tcp:127.0.0.1:%d-:7777" % (what.card, what.port),
                "-object", "filter-dump,id=f,netdev=n,maxlen=256,file=" + what.pcap] + end + [
                    "-device", other + ",addr=5,netdev=j" + mac % (1, number),
                    "-device", other + ",addr=6,netdev=k" + mac % (2, number)])

        e1000, virtio = checks("e1000"), checks("virtio-net-pci")

        def run_first(first):
            e1000.run(first)

            def run_second(second):
                virtio.run(second)
                tap.check("two emulators joined by stream and by dgram", joined, first, second, 2)
                second.poweroff()
            tap.guest("virtio-net-pci on the user-mode network", run_second,
                      args(virtio, "e1000", ends[1], 2), timeout=300)
            first.poweroff()
        tap.guest("e1000 on the user-mode network", run_first, args(e1000, "virtio-net-pci", ends[0], 1), timeout=300)
        for what in (e1000, virtio):
            tap.check("%s: what filter-dump writes can be read" % what.card, check_pcap, what.pcap, 256)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
