"""The daemon, for Python tests that need its metrics, its admin socket and what it takes of the machine."""

import collections
import http.client
import json
import os
import pathlib
import random
import socket
import tempfile
import threading
import time

from program import PATIENCE, Program

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build/release/turnpike"))


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon(Program):
    """Listens by UDP at a free port of 127.0.0.1. The configuration is a text in which %(relay)s stands for the relayed
    address and %(admin)s for the path of the admin socket."""

    def __init__(self, config):
        self.changed = threading.Condition()
        self.last_words = collections.Counter()
        self.has_ended = False
        self.folder = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.folder.name, "turnpike.yaml")
        self.admin = str(self.file.with_name("admin.sock"))
        # This loopback address is the test's own, and nobody else uses its ports, so a test may run twice at
        # once.
        self.relay = ".".join(["127", *(str(random.randrange(1, 255)) for _ in range(3))])
        self.write(config)
        super().__init__([TURNPIKE, "--config", str(self.file)], r"\bready$")
        self.port = int(self.found(r"listening on udp://127\.0\.0\.1:(\d+)")[1])

    def write(self, config):
        """Replaces the configuration as a whole. The daemon does not read it by itself."""
        new = self.file.with_suffix(".new")
        new.touch(0o600)
        new.write_text(config % {"relay": self.relay, "admin": self.admin})
        new.replace(self.file)

    def read(self, ready):
        super().read(ready)
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    def note(self, line, ready):
        with self.changed:
            super().note(line, ready)
            self.last_words[line.split()[-1] if line.strip() else ""] += 1
            self.changed.notify_all()

    def wait_for(self, word, number):
        """Until so many lines of the log have this word at their end."""
        with self.changed:
            self.changed.wait_for(lambda: self.last_words[word] >= number or self.has_ended, PATIENCE)
            assert self.last_words[word] >= number, "".join(self.lines[-20:])

    def ask(self, method, path, body=None):
        """The answer of the admin socket, as text."""
        connection = UnixConnection(self.admin)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            answer = connection.getresponse()
            said = answer.read().decode()
            assert answer.status < 300, (answer.status, said)
            return said
        finally:
            connection.close()

    def reload(self):
        """What the daemon says of a reload that has been done."""
        return json.loads(self.ask("POST", "/v1/reload", {}))

    def metric(self, series):
        lines = self.ask("GET", "/metrics").splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(series + " "))

    def resident(self):
        """KiB of memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_for_descriptors(self, number):
        """Until there are so many. The daemon may close a connection a little after its client has."""
        deadline = time.monotonic() + PATIENCE
        while (now := self.descriptors()) != number:
            assert time.monotonic() < deadline, f"{now} descriptors, not {number}"
            time.sleep(0.01)

    def is_sanitized(self):
        """Whether its memory says nothing: AddressSanitizer keeps what was freed."""
        return "libasan" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def stop(self):
        super().stop()
        self.folder.cleanup()
