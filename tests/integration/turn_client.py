"""A TURN client for the Python tests."""

import hashlib
import hmac
import os
import socket
import struct

from program import PATIENCE


class Client:
    """A TURN client by UDP or TCP that says what it is told to, such as user names that stunclient would refuse."""

    BINDING, ALLOCATE, CREATE_PERMISSION = 0x0001, 0x0003, 0x0008
    COOKIE = 0x2112A442

    def __init__(self, port, source="127.0.0.1", kind=socket.SOCK_DGRAM, receive_buffer=None):
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        self.socket = socket.socket(family, kind)
        self.socket.settimeout(PATIENCE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((source, 0))
        self.socket.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        self.is_stream = kind == socket.SOCK_STREAM
        self.realm = self.nonce = b""

    def close(self):
        self.socket.close()

    @staticmethod
    def attribute(kind, value):
        return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)

    def message(self, method, attributes, key=None):
        length = len(attributes) + (24 if key else 0)
        data = struct.pack("!HHI", method, length, self.COOKIE) + os.urandom(12) + attributes
        if key:
            data += self.attribute(0x0008, hmac.new(key, data, hashlib.sha1).digest())
        return data

    def signed(self, method, attributes, user, password):
        key = hashlib.md5(b":".join([user, self.realm, password])).digest()
        names = self.attribute(0x0006, user) + self.attribute(0x0014, self.realm) + self.attribute(0x0015, self.nonce)
        return self.message(method, attributes + names, key)

    def receive(self):
        if not self.is_stream:
            return self.socket.recv(2048)
        with self.socket.makefile("rb", buffering=0) as stream:
            head = stream.read(20)
            body = b""
            while len(body) < struct.unpack("!H", head[2:4])[0]:
                body += stream.read(struct.unpack("!H", head[2:4])[0] - len(body))
        return head + body

    def ask(self, data):
        """Sends a request and waits for what parse() makes of its answer."""
        self.socket.send(data)
        return self.parse(self.receive())

    @staticmethod
    def parse(answer):
        """The error code, where 0 is success, and the attributes of the answer."""
        attributes, at = {}, 20
        while at < len(answer):
            kind, length = struct.unpack("!HH", answer[at : at + 4])
            attributes.setdefault(kind, answer[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        error = attributes.get(0x0009)
        return (error[2] * 100 + error[3] if error else 0), attributes

    UDP = struct.pack("!HHBBBB", 0x0019, 4, 17, 0, 0, 0)

    def learn_nonce(self):
        code, attributes = self.ask(self.message(self.ALLOCATE, self.UDP))
        assert code == 401, code
        self.realm, self.nonce = attributes[0x0014], attributes[0x0015]

    def allocate(self, user=b"alice", password=b"s3same-0pen"):
        """The error code, and the relayed port."""
        if not self.nonce:
            self.learn_nonce()
        code, attributes = self.ask(self.signed(self.ALLOCATE, self.UDP, user, password))
        relayed = attributes.get(0x0016)
        return code, struct.unpack("!H", relayed[2:4])[0] ^ (self.COOKIE >> 16) if relayed else None

    def permit_loopback(self):
        address = bytes(a ^ b for a, b in zip(b"\x7f\0\0\1", struct.pack("!I", self.COOKIE)))
        peer = self.attribute(0x0012, b"\0\1" + bytes(2) + address)
        code, _ = self.ask(self.signed(self.CREATE_PERMISSION, peer, b"alice", b"s3same-0pen"))
        assert code == 0, code
