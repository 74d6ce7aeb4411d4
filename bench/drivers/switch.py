"""A switch between network namespaces that loses and delays packets, for kernels without `tc netem`.

Each PID:IP names a namespace, by a process in it, and the address that its TUN device eth0 (which exists already) has.
Orders come by standard input, one a line, and each is answered by `ok`:

    link LOSS SECONDS   every packet is lost with this probability, else delivered after this time
    split IP...         these hosts and the others no longer reach each other
    heal                they do again
    count               answers `ok DELIVERED LOST CUT` instead

It ends with its standard input. Losses are drawn from a seeded generator.
"""

import argparse
import ctypes
import fcntl
import heapq
import os
import random
import selectors
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
# Packets under way at most, as a queue of netem has a limit.
MOST_UNDER_WAY = 100_000
# Packets read of one device before the others get their turn.
BUDGET = 64


def attach(pid):
    """Opens the TUN device eth0 of the process's namespace; the device stays there when we leave."""
    libc = ctypes.CDLL(None, use_errno=True)
    space = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if libc.setns(space, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(space)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TUN | IFF_NO_PI))
    return device


class Switch:
    def __init__(self, ports, seed):
        self.ports = ports
        self.random = random.Random(seed)
        self.loss, self.delay = 0.0, 0.0
        self.side = frozenset()
        self.under_way, self.number = [], 0
        self.delivered = self.lost = self.cut = 0

    def on_packet(self, packet, now):
        # Nothing but IPv4: the devices have no other address.
        if len(packet) < 20 or packet[0] >> 4 != 4:
            return
        source, target = packet[12:16], packet[16:20]
        port = self.ports.get(target)
        if port is None:
            return
        if (source in self.side) != (target in self.side):
            self.cut += 1
        elif self.random.random() < self.loss or len(self.under_way) >= MOST_UNDER_WAY:
            self.lost += 1
        else:
            self.number += 1
            heapq.heappush(self.under_way, (now + self.delay, self.number, port, packet))

    def deliver(self, now):
        while self.under_way and self.under_way[0][0] <= now:
            _, _, port, packet = heapq.heappop(self.under_way)
            try:
                os.write(port, packet)
                self.delivered += 1
            except OSError:
                # The host is gone, or its queue is full.
                self.lost += 1

    def order(self, line):
        word, *rest = line.split()
        if word == "link":
            self.loss, self.delay = float(rest[0]), float(rest[1])
        elif word == "split":
            self.side = frozenset(socket.inet_aton(address) for address in rest)
        elif word == "heal":
            self.side = frozenset()
        elif word == "count":
            return f"ok {self.delivered} {self.lost} {self.cut}"
        else:
            raise ValueError(f"no such order: {line}")
        return "ok"


def run(switch):
    selector = selectors.DefaultSelector()
    for port in switch.ports.values():
        selector.register(port, selectors.EVENT_READ)
    orders = sys.stdin.fileno()
    os.set_blocking(orders, False)
    selector.register(orders, selectors.EVENT_READ)
    pending = b""
    while True:
        due = switch.under_way[0][0] - time.monotonic() if switch.under_way else None
        for key, _ in selector.select(None if due is None else max(due, 0)):
            if key.fd == orders:
                chunk = os.read(orders, 4096)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    print(switch.order(line.decode()), flush=True)
                continue
            for _ in range(BUDGET):
                try:
                    packet = os.read(key.fd, 65536)
                except BlockingIOError:
                    break
                switch.on_packet(packet, time.monotonic())
        switch.deliver(time.monotonic())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("host", nargs="+", metavar="PID:IP")
    args = parser.parse_args()
    hosts = [host.split(":") for host in args.host]
    ports = {socket.inet_aton(address): attach(int(pid)) for pid, address in hosts}
    print("ok", flush=True)
    run(Switch(ports, args.seed))


main()
