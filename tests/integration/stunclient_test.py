#!/usr/bin/env python3
"""stunclient against the daemon, against nobody, and against a server that refuses everything.

The programs are those of the environment's TURNPIKE and STUNCLIENT, else of build/release. Nothing sleeps:
the daemon says when it is ready, and where nobody answers stunclient is given a short --timeout.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from loopback import has_ipv6

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build/release/turnpike"))
STUNCLIENT = os.environ.get("STUNCLIENT", str(ROOT / "build/release/stunclient"))

COTURN = shutil.which("turnserver")
if not COTURN and os.environ.get("CI") == "true":
    raise SystemExit("there is no turnserver (Debian: coturn)")

ALICE = ["--turn", "--user", "alice", "--password", "s3same-0pen"]
SECRETS = ["s3same-0pen", "wr0ng-pass", "n0rth-star"]
TIME = r"\(\d+\.\d+ ms\)"

CONFIG = """
realm: example.org
workers: 1
listen: [%(listen)s]
relay: {addresses: [%(addresses)s]}
auth: {users: {alice: s3same-0pen}, secrets: [n0rth-star]}
"""
TLS = 'tls: {certificate: %(certificate)s, private_key: %(key)s}\n'
OPEN = CONFIG + TLS + 'peers: {allow: [127.0.0.0/8, "::1/128"]}\n'
ONE_EACH = OPEN + "limits: {allocations_per_user: 1}\n"


def make_certificate(certificate, key):
    command = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=test"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)


class Daemon:
    """A turnpike of its own on free ports; ports["4"] and, where there is IPv6, ports["6"]; ports["tcp"], ["tls"], ["dtls"]."""

    def __init__(self, config):
        listen, addresses = ['"udp://127.0.0.1:0"', '"tcp://127.0.0.1:0"'], ["127.0.0.1"]
        if has_ipv6():
            listen.append('"udp://[::1]:0"')
            addresses.append('"::1"')
        self.folder = tempfile.TemporaryDirectory()
        files = {name: f"{self.folder.name}/{name}.pem" for name in ["certificate", "key"]}
        if "tls:" in config:
            listen += ['"tls://127.0.0.1:0"', '"dtls://127.0.0.1:0"']
            make_certificate(**files)
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.file.write(config % {"listen": ", ".join(listen), "addresses": ", ".join(addresses), **files})
        self.file.flush()
        self.process = subprocess.Popen(
            [TURNPIKE, "--config", self.file.name], stderr=subprocess.PIPE, text=True
        )
        self.ports = self.read_ports()
        # The rest of the log must not fill the pipe.
        self.drain = threading.Thread(target=self.process.stderr.read, daemon=True)
        self.drain.start()

    def read_ports(self):
        ports, log = {}, ""
        for line in self.process.stderr:
            log += line
            if found := re.search(r"listening on (\w+)://(\S+):(\d+)", line):
                family = "6" if "[" in found[2] else "4"
                ports[family if found[1] == "udp" else found[1]] = found[3]
            if line.rstrip().endswith("ready"):
                return ports
        raise RuntimeError(f"{TURNPIKE} did not become ready:\n{log}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.drain.join(timeout=10)
        self.process.stderr.close()
        self.file.close()
        self.folder.cleanup()


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


class Refuser:
    """Answers each request with one error, as a server of RFC 8489 without credentials would."""

    def __init__(self, code, attributes=b"", reason=b""):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = str(self.socket.getsockname()[1])
        self.error = attribute(0x0009, struct.pack("!HBB", 0, code // 100, code % 100) + reason) + attributes
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            request, sender = self.socket.recvfrom(2048)
            if not request:
                return
            kind = struct.unpack("!H", request[:2])[0] | 0x0110
            self.socket.sendto(struct.pack("!HH", kind, len(self.error)) + request[4:20] + self.error, sender)

    def stop(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(timeout=10)
        self.socket.close()


def free_ports(addresses, count):
    """Ports that are free on all of these addresses, by UDP and TCP. They are below ip_local_port_range, whose ports Linux
    gives to all sockets that ask for none: one of those would often be another test's a moment later."""
    ports = []
    while len(ports) < count:
        port = random.randrange(16384, 32768)
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    for kind in [socket.SOCK_DGRAM, socket.SOCK_STREAM]:
                        stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((address, port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class NatSimulation:
    """An RFC 5780 server at 127.0.0.1 and 127.0.0.2 that answers as if a NAT stood before the client.

    mapping and filtering are "independent", "address" or "port"; bugs is a set of what the server does wrong.
    """

    COOKIE = 0x2112A442

    def __init__(self, mapping="independent", filtering="independent", bugs=()):
        self.mapping, self.filtering, self.bugs = mapping, filtering, bugs
        self.addresses = ["127.0.0.1", "127.0.0.2"]
        self.ports = free_ports(self.addresses, 2)
        self.port = str(self.ports[0])
        self.sockets, self.listeners = {}, []
        for at in [(address, port) for address in self.addresses for port in self.ports]:
            self.sockets[at] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sockets[at].bind(at)
            threading.Thread(target=self.serve_datagrams, args=[at], daemon=True).start()
            listener = socket.create_server(at)
            self.listeners.append(listener)
            threading.Thread(target=self.serve_streams, args=[at, listener], daemon=True).start()

    def stop(self):
        for endpoint in [*self.sockets.values(), *self.listeners]:
            # This wakes a thread that waits in there.
            with contextlib.suppress(OSError):
                endpoint.shutdown(socket.SHUT_RDWR)
            endpoint.close()

    def serve_datagrams(self, at):
        with contextlib.suppress(OSError):
            while True:
                request, sender = self.sockets[at].recvfrom(2048)
                if not request:
                    return
                source = self.source(at, request)
                if source:
                    self.sockets[source].sendto(self.answer(at, source, request, sender), sender)

    def serve_streams(self, at, listener):
        with contextlib.suppress(OSError), contextlib.ExitStack() as open_connections:
            while True:
                connection, sender = listener.accept()
                open_connections.enter_context(connection)
                connection.sendall(self.answer(at, at, connection.recv(2048), sender))

    def other(self, at):
        address, port = at
        return (self.addresses[address == self.addresses[0]], self.ports[port == self.ports[0]])

    def source(self, at, request):
        """Where the answer comes from; None where the NAT keeps it out."""
        flags = struct.unpack("!I", request[24:28])[0] if request[20:22] == b"\0\3" else 0
        if flags and "same address" in self.bugs:
            return at
        other = self.other(at)
        source = (other[0] if flags & 4 else at[0], other[1] if flags & 2 else at[1])
        if self.filtering == "port" and source != at:
            return None
        if self.filtering == "address" and source[0] != at[0]:
            return None
        return source

    def mapped(self, at, sender):
        port = (sender[1] + 1000) % 65536
        if self.mapping != "independent" and at[0] == self.addresses[1]:
            port += 1
        if self.mapping == "port" and at[1] == self.ports[1]:
            port += 2
        return ("203.0.113.5", port % 65536)

    def answer(self, at, source, request, sender):
        address, port = self.mapped(at, sender)
        number = struct.unpack("!I", socket.inet_aton(address))[0]
        masked = struct.pack("!HHBBHI", 0x0020, 8, 0, 1, port ^ (self.COOKIE >> 16), number ^ self.COOKIE)
        seen = ("203.0.113.6", port) if "alg" in self.bugs else (address, port)
        attributes = masked + self.address(0x0001, seen) + self.address(0x802B, source)
        if "no other" not in self.bugs:
            other = (at[0], self.other(at)[1]) if "half an other" in self.bugs else self.other(at)
            attributes += self.address(0x802C, other)
        return struct.pack("!HH", 0x0101, len(attributes)) + request[4:20] + attributes

    @staticmethod
    def address(kind, endpoint):
        return struct.pack("!HHBBH4s", kind, 8, 0, 1, endpoint[1], socket.inet_aton(endpoint[0]))


class StunclientTest(unittest.TestCase):
    def stunclient(self, *arguments, env=None):
        done = subprocess.run(
            [STUNCLIENT, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **(env or {})},
        )
        said = done.stdout + done.stderr
        for secret in SECRETS:
            self.assertNotIn(secret, said)
        return done

    def expect_success(self, *arguments, **keywords):
        done = self.stunclient(*arguments, **keywords)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def expect_failure(self, code, message, *arguments):
        done = self.stunclient(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertRegex(done.stderr, message)
        return done.stdout


class OpenServer(StunclientTest):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(OPEN)
        cls.port = cls.daemon.ports["4"]

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def assert_relayed(self, text, address):
        for name in ["Allocation", "Permission", "Channel", "Relay", "Release"]:
            self.assertRegex(text, rf"(?m)^{name} test: success {TIME}$")
        self.assertRegex(text, rf"(?m)^Relayed address: {re.escape(address)}:\d+$")

    def test_binding_prints_three_lines(self):
        lines = self.expect_success("127.0.0.1", self.port).splitlines()
        self.assertEqual(lines[0], "Binding test: success")
        self.assertRegex(lines[1], r"^Local address: 127\.0\.0\.1:\d+$")
        self.assertEqual(lines[2], lines[1].replace("Local", "Mapped"))
        self.assertEqual(len(lines), 3)

    def test_binding_from_a_chosen_address_and_port(self):
        port = str(free_ports(["127.0.0.2"], 1)[0])
        text = self.expect_success("--localaddr", "127.0.0.2", "--localport", port, "127.0.0.1", self.port)
        self.assertIn(f"Mapped address: 127.0.0.2:{port}\n", text)

    def test_names_and_uris(self):
        self.expect_success("--family", "4", "localhost", self.port)
        self.expect_success(f"stun:127.0.0.1:{self.port}")
        self.expect_success(f"TURN:127.0.0.1:{self.port}?transport=udp")
        self.expect_success(f"127.0.0.1:{self.port}")

    def test_turn(self):
        text = self.expect_success(*ALICE, "127.0.0.1", self.port)
        self.assertTrue(text.startswith("Binding test: success\n"))
        self.assert_relayed(text, "127.0.0.1")
        self.assertIn("Path: relay to relay\n", text)

    @unittest.skipUnless(has_ipv6(), "no IPv6 here")
    def test_turn_over_ipv6(self):
        text = self.expect_success(*ALICE, f"turn:[::1]:{self.daemon.ports['6']}")
        self.assertRegex(text, r"(?m)^Local address: \[::1\]:\d+$")
        self.assert_relayed(text, "[::1]")
        self.expect_success("--family", "6", "::1", self.daemon.ports["6"])

    def test_binding_over_streams(self):
        for protocol in ["tcp", "tls"]:
            port = self.daemon.ports[protocol]
            lines = self.expect_success("--protocol", protocol, "127.0.0.1", port).splitlines()
            self.assertEqual(lines[0], "Binding test: success")
            self.assertEqual(lines[2], lines[1].replace("Local", "Mapped"))
        self.expect_success(f"stuns:127.0.0.1:{port}")

    def test_turn_over_streams(self):
        tcp, tls = self.daemon.ports["tcp"], self.daemon.ports["tls"]
        secure = f"turns:127.0.0.1:{tls}"
        for uri in [f"turn:127.0.0.1:{tcp}?transport=tcp", f"{secure}?transport=tcp", secure]:
            with self.subTest(uri=uri):
                text = self.expect_success(*ALICE, uri)
                self.assert_relayed(text, "127.0.0.1")
        report = json.loads(self.expect_success(*ALICE, "--json", "--protocol", "tls", "127.0.0.1", tls))
        self.assertEqual(report["protocol"], "tls")
        self.assertRegex(report["notes"][0], "certificate does not verify: self-signed")

    def test_dtls(self):
        port = self.daemon.ports["dtls"]
        lines = self.expect_success("--protocol", "dtls", "127.0.0.1", port).splitlines()
        self.assertEqual(lines[0], "Binding test: success")
        self.assertEqual(lines[2], lines[1].replace("Local", "Mapped"))
        self.assert_relayed(self.expect_success(*ALICE, f"turns:127.0.0.1:{port}?transport=udp"), "127.0.0.1")
        report = json.loads(self.expect_success(*ALICE, "--json", "--protocol", "dtls", "127.0.0.1", port))
        self.assertEqual(report["protocol"], "dtls")
        self.assertRegex(report["notes"][0], "certificate does not verify: self-signed")

    def test_dtls_at_a_udp_listener(self):
        self.expect_success("--protocol", "dtls", "127.0.0.1", self.port)

    def test_no_dtls_there(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            self.expect_failure(1, "no DTLS with", "--timeout", "0.6", "--protocol", "dtls", "127.0.0.1",
                                str(silent.getsockname()[1]))  # fmt: skip

    def test_the_wrong_protocol(self):
        tcp, tls = self.daemon.ports["tcp"], self.daemon.ports["tls"]
        self.expect_failure(1, "closed the connection", "--protocol", "tcp", "127.0.0.1", tls)
        self.expect_failure(1, "no TLS with", "--protocol", "tls", "127.0.0.1", tcp)

    def test_rest_secret(self):
        self.expect_success("--turn", "--secret", "n0rth-star", "--user", "bob", "127.0.0.1", self.port)
        self.expect_success("--turn", "--secret", "n0rth-star", "127.0.0.1", self.port)

    def test_secrets_from_the_environment(self):
        env = {"STUNCLIENT_PASSWORD": "s3same-0pen"}
        self.expect_success("--turn", "--user", "alice", "127.0.0.1", self.port, env=env)

    def test_wrong_password(self):
        user = ["--turn", "--user", "alice", "--password", "wr0ng-pass"]
        message = r'401 .*wrong .*password.* realm "example\.org"'
        text = self.expect_failure(1, message, *user, "127.0.0.1", self.port)
        self.assertIn("Binding test: success\n", text)
        self.assertIn("Allocation test: fail\n", text)

    def test_no_credentials(self):
        self.expect_failure(1, "401 .*wants credentials.*--user", "--turn", "127.0.0.1", self.port)

    def test_json(self):
        report = json.loads(self.expect_success(*ALICE, "--json", "127.0.0.1", self.port))
        self.assertIs(report["success"], True)
        self.assertEqual(report["server"], f"127.0.0.1:{self.port}")
        self.assertEqual(report["binding"]["local_address"], report["binding"]["mapped_address"])
        turn = report["turn"]
        self.assertEqual(turn["realm"], "example.org")
        self.assertGreater(turn["lifetime_s"], 0)
        for step in ["allocation", "permission", "channel", "relay", "release"]:
            self.assertIs(turn[step]["success"], True)
            self.assertGreater(turn[step]["time_ms"], 0)

    def test_json_of_a_failure(self):
        done = self.stunclient("--turn", "--user", "x", "--password", "y", "--json", "127.0.0.1", self.port)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "")
        report = json.loads(done.stdout)
        self.assertIs(report["success"], False)
        self.assertIs(report["binding"]["success"], True)
        self.assertEqual(report["turn"]["allocation"]["error"]["code"], 401)

    def test_verbosity_tells_of_messages(self):
        done = self.stunclient(*ALICE, "--verbosity", "2", "127.0.0.1", self.port)
        self.assertIn("Allocate request", done.stderr)
        self.assertIn("a challenge", done.stderr)
        self.assertNotIn("Allocate request", done.stdout)


class OtherServers(StunclientTest):
    def with_daemon(self, config):
        daemon = Daemon(config)
        self.addCleanup(daemon.stop)
        return daemon.ports["4"]

    def test_policy_denies_loopback(self):
        port = self.with_daemon(CONFIG)
        message = r"403 .*127\.0\.0\.1, a loopback address.*peers\.allow"
        text = self.expect_failure(1, message, *ALICE, "127.0.0.1", port)
        self.assertIn("Permission test: fail\n", text)
        self.assertRegex(text, "Release test: success")

    def test_quota_of_one_leaves_the_own_address_as_the_peer(self):
        done = self.stunclient(*ALICE, "127.0.0.1", self.with_daemon(ONE_EACH))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Path: relay to host\n", done.stdout)
        self.assertRegex(done.stderr, "note: .*486")

    def test_errors_are_explained(self):
        alternate = struct.pack("!HHBBHBBBB", 0x8023, 8, 0, 1, 3479, 198, 51, 100, 9)
        unknown = struct.pack("!HHHH", 0x000A, 4, 0x0003, 0x7FFF)
        cases = [
            (300, alternate, r"elsewhere: 198\.51\.100\.9:3479"),
            (400, b"", "malformed"),
            (403, b"", "policy"),
            (420, unknown, "0x0003 0x7FFF"),
            (437, b"", "--localport"),
            (486, b"", "as many allocations"),
            (508, b"", "no relayed address or port left"),
        ]
        for code, attributes, message in cases:
            with self.subTest(code=code):
                server = Refuser(code, attributes)
                self.addCleanup(server.stop)
                message = f"Allocation: {code}.*{message}"
                text = self.expect_failure(1, message, "--turn", "127.0.0.1", server.port)
                self.assertTrue(text.startswith("Binding test: fail\n"))


    def test_texts_of_a_server_do_nothing_to_the_terminal(self):
        hostile = b"\x1b[2J\n\xc2\x9b\x9b\xe2\x80\xae\xe2\x80\xa8" + "\u738b".encode()
        shown = r"\u{1b}[2J\u{a}\u{9b}\x9b\u{202e}\u{2028}" + "\u738b"
        server = Refuser(401, attribute(0x0014, hostile), hostile)
        self.addCleanup(server.stop)
        for options in [["--turn"], ["--verbosity", "2"], ["--turn", "--json"]]:
            with self.subTest(options=options):
                done = self.stunclient(*options, "127.0.0.1", server.port)
                self.assertEqual(done.returncode, 1)
                said = done.stdout + done.stderr
                self.assertNotRegex(said, "[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]")
                if "--json" in options:
                    said = json.loads(done.stdout)["binding"]["error"]["message"]
                self.assertIn(f"401 {shown}", said)
                self.assertIn(f'for realm "{shown}"', said)


class NatDiscovery(StunclientTest):
    NAMES = {"independent": "Endpoint-Independent", "address": "Address-Dependent", "port": "Address and Port-Dependent"}

    def simulate(self, **what):
        simulation = NatSimulation(**what)
        self.addCleanup(simulation.stop)
        return simulation

    def test_the_daemon_without_a_nat(self):
        daemon = Daemon(OPEN + 'nat_discovery: {alternate: "127.0.0.2:0"}\n')
        self.addCleanup(daemon.stop)
        arguments = ["--mode", "full", "127.0.0.1", daemon.ports["4"]]
        lines = self.expect_success(*arguments).splitlines()
        self.assertEqual(lines[0], "Binding test: success")
        self.assertEqual(lines[2], lines[1].replace("Local", "Mapped"))
        self.assertEqual(
            lines[3:],
            [
                "Behavior test: success",
                "Nat behavior: Direct Mapping",
                "Filtering test: success",
                "Nat filtering: Endpoint-Independent Filtering",
            ],
        )
        report = json.loads(self.expect_success("--json", *arguments))
        self.assertIs(report["success"], True)
        self.assertEqual(report["nat"]["mapping"]["behavior"], "Direct Mapping")
        self.assertEqual(report["nat"]["filtering"]["behavior"], "Endpoint-Independent Filtering")
        self.assertRegex(report["binding"]["other_address"], r"^127\.0\.0\.2:\d+$")
        tcp = self.stunclient("--mode", "full", "--protocol", "tcp", "127.0.0.1", daemon.ports["tcp"])
        self.assertEqual(tcp.returncode, 0, tcp.stderr)
        self.assertIn("Nat behavior: Direct Mapping\n", tcp.stdout)
        # This run asks for everything.
        text = self.expect_success(*ALICE, *arguments)
        self.assertIn("Nat filtering: Endpoint-Independent Filtering\n", text)
        self.assertRegex(text, "(?m)^Relay test: success")

    def test_each_mapping(self):
        for mapping, name in self.NAMES.items():
            with self.subTest(mapping=mapping):
                server = self.simulate(mapping=mapping)
                text = self.expect_success("--mode", "full", "127.0.0.1", server.port)
                self.assertIn(f"Behavior test: success\nNat behavior: {name} Mapping\n", text)
                self.assertIn("Nat filtering: Endpoint-Independent Filtering\n", text)

    def test_each_filtering(self):
        for filtering, name in self.NAMES.items():
            with self.subTest(filtering=filtering):
                server = self.simulate(filtering=filtering)
                # For answers that are filtered, the program waits as long as this.
                text = self.expect_success("--timeout", "1", "--mode", "full", "127.0.0.1", server.port)
                self.assertIn(f"Filtering test: success\nNat filtering: {name} Filtering\n", text)
                self.assertIn("Nat behavior: Endpoint-Independent Mapping\n", text)

    def test_tcp_has_a_mapping_and_no_filtering(self):
        for mapping, name in self.NAMES.items():
            with self.subTest(mapping=mapping):
                server = self.simulate(mapping=mapping)
                done = self.stunclient("--mode", "full", "--protocol", "tcp", "127.0.0.1", server.port)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(f"Nat behavior: {name} Mapping\n", done.stdout)
                self.assertNotIn("iltering", done.stdout)
                self.assertIn("filtering was not tested", done.stderr)

    def test_a_server_without_a_second_address(self):
        daemon = Daemon(OPEN)
        self.addCleanup(daemon.stop)
        text = self.expect_failure(1, "no OTHER-ADDRESS", "--mode", "full", "127.0.0.1", daemon.ports["4"])
        self.assertTrue(text.startswith("Binding test: success\n"))
        self.assertTrue(text.endswith("Behavior test: fail\nFiltering test: fail\n"))

    def test_servers_that_would_make_each_nat_look_harmless(self):
        full = ["--mode", "full", "127.0.0.1"]
        server = self.simulate(bugs={"half an other"})
        text = self.expect_failure(1, "does not have both a second address and a second port", *full, server.port)
        self.assertNotIn("Nat ", text)
        server = self.simulate(bugs={"same address"})
        text = self.expect_failure(1, "asked to answer from another address and port and answers from", *full, server.port)
        self.assertIn("Nat behavior: Endpoint-Independent Mapping\nFiltering test: fail\n", text)

    def test_what_rewrites_addresses_in_packets(self):
        done = self.stunclient("127.0.0.1", self.simulate(bugs={"alg"}).port)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"note: .*ALG.*203\.0\.113\.6")

    def test_an_alternate_address_that_does_not_answer(self):
        server = self.simulate(mapping="address")
        server.sockets[(server.addresses[1], server.ports[0])].close()
        full = ["--timeout", "0.3", "--mode", "full", "127.0.0.1", server.port]
        text = self.expect_failure(1, r"Behavior: (no answer from|127\.0\.0\.2:\d+ refused)", *full)
        self.assertIn("Behavior test: fail\nFiltering test: success\n", text)


@unittest.skipUnless(COTURN, "there is no turnserver (Debian: coturn)")
class CoturnServer(StunclientTest):
    """Another maker's server."""

    def test_full(self):
        first, second = free_ports(["127.0.0.1", "127.0.0.2"], 2)
        with tempfile.TemporaryDirectory() as folder:
            command = f"{COTURN} -n --no-cli --no-tls --no-dtls --simple-log --log-file=stdout -L 127.0.0.1 -L 127.0.0.2"
            command += f" -p {first} --alt-listening-port={second} --pidfile={folder}/pid --userdb={folder}/db"
            process = subprocess.Popen(command.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                log = ""
                for line in process.stdout:
                    log += line
                    if "Total auth threads" in line or "Total General servers" in line:
                        break
                else:
                    self.fail(f"turnserver has ended:\n{log}")
                drain = threading.Thread(target=process.stdout.read, daemon=True)
                drain.start()
                self.addCleanup(process.stdout.close)
                self.addCleanup(drain.join, timeout=10)
                text = self.expect_success("--mode", "full", "127.0.0.1", str(first))
                self.assertIn("Nat behavior: Direct Mapping\n", text)
                self.assertIn("Nat filtering: Endpoint-Independent Filtering\n", text)
                text = self.expect_success("--mode", "full", "--protocol", "tcp", "127.0.0.1", str(first))
                self.assertIn("Nat behavior: Direct Mapping\n", text)
            finally:
                process.kill()
                process.wait(timeout=10)


class NoServer(StunclientTest):
    def test_refused(self):
        port = str(free_ports(["127.0.0.1"], 1)[0])
        for protocol in ["tcp", "tls"]:
            self.expect_failure(1, "refused.*TCP port", "--protocol", protocol, "127.0.0.1", port)
        text = self.expect_failure(1, "refused", "127.0.0.1", port)
        self.assertEqual(text, "Binding test: fail\n")

    def test_silence(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            port = str(silent.getsockname()[1])
            arguments = ["--timeout", "0.2", "127.0.0.1", port]
            text = self.expect_failure(1, r"no answer .* within 0\.2 s", *arguments)
            self.assertEqual(text, "Binding test: fail\n")
            report = json.loads(self.stunclient("--json", *arguments).stdout)
            self.assertEqual(report["binding"]["error"]["kind"], "no_answer")

    def test_a_request_is_sent_again(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.settimeout(5)
            self.stunclient("--timeout", "2", "127.0.0.1", str(silent.getsockname()[1]))
            self.assertEqual(silent.recv(2048), silent.recv(2048))

    def test_an_address_that_is_not_here(self):
        self.expect_failure(1, "bind to 203.0.113.9", "--localaddr", "203.0.113.9", "127.0.0.1")

    def test_a_host_without_an_address(self):
        # A numeric host of the wrong family: no resolver needed.
        self.expect_failure(1, "cannot resolve", "--family", "6", "127.0.0.1")


class CommandLine(StunclientTest):
    def test_what_contradicts_itself(self):
        self.expect_failure(2, "3478.*3479", "stun:127.0.0.1:3478", "3479")
        self.expect_failure(2, "--protocol", "--protocol", "tcp", "turn:127.0.0.1?transport=udp")
        self.expect_failure(2, "--family", "--family", "6", "--localaddr", "127.0.0.1", "127.0.0.1")

    def test_what_is_no_command_line(self):
        self.expect_failure(2, "HOST")
        self.expect_failure(2, "--turn", "--user", "alice", "--password", "s3same-0pen", "127.0.0.1")
        self.expect_failure(2, "without --password", "--turn", "--user", "alice", "127.0.0.1")
        self.expect_failure(2, "port", "stun:127.0.0.1:99999")
        self.expect_failure(2, "use --user", "turn://alice:s3same-0pen@127.0.0.1")
        self.expect_failure(2, "not expected: --mod", "--mod")

    def test_help_and_version(self):
        self.assertIn("--turn", self.expect_success("--help"))
        self.assertRegex(self.expect_success("--version"), r"^stunclient \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
