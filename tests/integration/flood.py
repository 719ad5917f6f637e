#!/usr/bin/env python3
"""flood.py PORT COUNT RATE: what strangers send, for endurance_test.py; it prints how many seconds it took.

COUNT Allocate requests without credentials go to 127.0.0.1:PORT, RATE in a second at most, from sixteen ports: every
other one from one of eight addresses, which so ask far more often than limits.unauthenticated_per_second allows, and the
rest from random ones, of which nearly each is new and has its answer.

What a full buffer of the kernel drops says nothing about the daemon. So the flood holds back while MOST of those answers
are missing, which happens where the machine does other work. It gives up after a minute.
"""

import random
import select
import socket
import sys
import time

from crowd import Member, from_address

PORTS = 16
TICK = 0.002  # seconds
# As many requests from known addresses and those of one tick need, as the kernel counts, 300 KiB of the 416
# KiB that it grants without configuration.
MOST = 100
# An answer that does not come within this time after all others will not come.
SILENCE = 1
MOST_SECONDS = 60


class Flood:
    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(PORTS)]
        for each in self.sockets:
            each.setblocking(False)
            each.bind(("0.0.0.0", 0))
        self.known = [from_address(0x7F004200 + number) for number in range(1, 9)]
        stranger = Member(0x7F000001, b"", b"")
        self.request = stranger.message(stranger.ALLOCATE, stranger.UDP)
        self.sent = 0
        self.missing = set()  # requests of new addresses

    def send(self, number):
        is_new = number % 2 == 0
        source = from_address(0x7F000001 + random.getrandbits(23)) if is_new else random.choice(self.known)
        request = self.request[:8] + number.to_bytes(12, "big") + self.request[20:]
        if is_new:
            self.missing.add(number)
        self.sockets[number // 2 % PORTS].sendmsg([request], source, 0, self.server)
        self.sent += 1

    def receive(self, seconds):
        """Reads the answers that are there. Whether there were any within this time."""
        ready, _, _ = select.select(self.sockets, [], [], seconds)
        for each in ready:
            try:
                while True:
                    self.missing.discard(int.from_bytes(each.recv(2048)[8:20], "big"))
            except BlockingIOError:
                pass
        return bool(ready)

    def wait(self, most):
        """Until no more than this are missing. Those that do not come are forgotten."""
        while len(self.missing) > most:
            if not self.receive(SILENCE):
                self.missing.clear()

    def run(self, count, rate):
        began = due = time.monotonic()
        while self.sent < count:
            if time.monotonic() - began > MOST_SECONDS:
                sys.exit(f"only {self.sent} of {count} in {MOST_SECONDS} s")
            while (left := due - time.monotonic()) > 0:
                self.receive(left)
            self.receive(0)
            self.wait(MOST)
            # What was missed is not sent later in a burst.
            due = max(due, time.monotonic()) + TICK
            for number in range(self.sent, min(self.sent + int(rate * TICK), count)):
                self.send(number)
        self.wait(0)
        return time.monotonic() - began


port, count, rate = map(int, sys.argv[1:4])
print(Flood(port).run(count, rate))
