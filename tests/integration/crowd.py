"""Many TURN clients with one socket, for tests that need more of them than there are descriptors."""

import heapq
import socket
import struct
import time

from turn_client import Client

IP_PKTINFO = 8  # of Linux; Python 3.11 has no name for it
# Each of these answers has at most 200 octets, so the socket's buffer has room for all of them.
WINDOW = 128

# RFC 8489 §6.2.1
RTO, TRIES = 0.5, 7


def from_address(address):
    """What sendmsg() takes for a datagram that is to come from this IPv4 address of loopback, a number."""
    return [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4sI", 0, address.to_bytes(4, "big"), 0))]


class Member(Client):
    """A client with an address of its own. Its methods are conversations: they yield a request and are given the answer."""

    REFRESH, LIFETIME = 0x0004, 0x000D

    def __init__(self, address, user, password):
        self.source = from_address(address)
        self.user, self.password = user, password
        self.realm = self.nonce = b""
        self.relayed = None

    def close(self):
        pass

    def allocate(self):
        if not self.nonce:
            code, attributes = yield self.message(self.ALLOCATE, self.UDP)
            if code != 401:
                return code
            self.realm, self.nonce = attributes[0x0014], attributes[0x0015]
        code, attributes = yield self.signed(self.ALLOCATE, self.UDP, self.user, self.password)
        self.relayed = attributes.get(0x0016)
        return code

    def refresh(self, lifetime):
        wanted = self.attribute(self.LIFETIME, struct.pack("!I", lifetime))
        code, _ = yield self.signed(self.REFRESH, wanted, self.user, self.password)
        return code


class Crowd:
    """Its members have addresses of 127.1.0.0/16 and one port, so that each has a 5-tuple of its own."""

    FIRST, MOST = 0x7F010001, 0xFFFE

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", 0))
        self.members = []

    def close(self):
        self.socket.close()

    def add(self, number, user, password):
        """So many new members."""
        first = len(self.members)
        assert first + number <= self.MOST
        for index in range(first, first + number):
            self.members.append(Member(self.FIRST + index, user, password))
        return self.members[first:]

    def run(self, members, talk):
        """What talk(member), a conversation, returns for each of the members; None for who had no answer. WINDOW of them
        talk at a time, and each request is sent again as the RFC has it."""
        results = {}
        waiting = {}  # by transaction
        due = []  # a heap of (when to send again, transaction)
        coming = ((member, talk(member)) for member in members)

        def send(member, conversation, request, tries):
            self.socket.sendmsg([request], member.source, 0, self.server)
            waiting[request[8:20]] = (member, conversation, request, tries + 1)
            heapq.heappush(due, (time.monotonic() + RTO * 2**tries, request[8:20]))

        def go_on(member, conversation, answer):
            try:
                send(member, conversation, conversation.send(answer), 0)
            except StopIteration as end:
                results[member] = end.value

        def send_again():
            while due and due[0][0] <= time.monotonic():
                _, transaction = heapq.heappop(due)
                if transaction not in waiting:
                    continue
                member, conversation, request, tries = waiting.pop(transaction)
                if tries < TRIES:
                    send(member, conversation, request, tries)
                else:
                    results[member] = None

        while True:
            while len(waiting) < WINDOW and (one := next(coming, None)):
                go_on(*one, None)
            if not waiting:
                return [results[member] for member in members]
            self.socket.settimeout(max(due[0][0] - time.monotonic(), 0.001))
            try:
                answer = self.socket.recv(2048)
                # An unexpected answer is the answer to a request that was sent twice.
                if one := waiting.pop(answer[8:20], None):
                    go_on(one[0], one[1], Client.parse(answer))
            except TimeoutError:
                pass
            send_again()
