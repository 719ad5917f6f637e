#!/usr/bin/env python3
"""stunclient against a domain: NAPTR, SRV and addresses, from a name server of the test's own.

It runs in network and mount namespaces of its own, where 127.0.0.1 is the only name server there is: nothing is asked
of the real network. The programs are those of the environment's TURNPIKE and STUNCLIENT, else of build/release.
"""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build/release/turnpike"))
STUNCLIENT = os.environ.get("STUNCLIENT", str(ROOT / "build/release/stunclient"))
SKIPPED = 77

ALICE = ["--turn", "--user", "alice", "--password", "s3same-0pen"]
# Ports 7001 and 7002 are open by UDP, 7003 by TCP and 7004 by TLS. Nobody listens on 7009.
DAEMON = """
realm: example.org
workers: 1
listen: ["udp://127.0.0.1:3478", "udp://127.0.0.1:7001", "udp://127.0.0.1:7002", "tcp://127.0.0.1:7003",
         "tls://127.0.0.1:7004"]
nat_discovery: {alternate: "127.0.0.2:3479"}
tls: {certificate: %(certificate)s, private_key: %(key)s}
relay: {addresses: [127.0.0.1]}
auth: {users: {alice: s3same-0pen}}
peers: {allow: [127.0.0.0/8]}
"""
RECORDS = """
address=/host.test/127.0.0.1
address=/plain.test/127.0.0.1

srv-host=_stun._udp.stun.test,host.test,7001
srv-host=_stun._udp.fall.test,host.test,7002,20
srv-host=_stun._udp.fall.test,gone.test,7001,15
srv-host=_stun._udp.fall.test,host.test,7009,10
srv-host=_stun._udp.none.test
address=/none.test/127.0.0.1
srv-host=_stun._udp.even.test,host.test,7001,1,50
srv-host=_stun._udp.even.test,host.test,7002,1,50
srv-host=_stun._udp.heavy.test,host.test,7001,1,0
srv-host=_stun._udp.heavy.test,host.test,7002,1,65535
srv-host=_stuns._tcp.secure.test,host.test,7004
srv-host=_stun-behavior._udp.nat.test,host.test,3478
srv-host=_stun._udp.nat.test,host.test,7001

srv-host=_turn._udp.srv.test,host.test,7001
srv-host=_turn._tcp.srv.test,host.test,7003
srv-host=_turns._tcp.srv.test,host.test,7004
srv-host=_turn._tcp.tcp.test,host.test,7003

naptr-record=naptr.test,20,10,s,RELAY:turn.udp,,_turn._udp.srv.test
naptr-record=naptr.test,10,20,s,RELAY:turn.tls,,_turns._tcp.srv.test
naptr-record=naptr.test,10,30,s,relay:TURN.TCP,,_turn._tcp.srv.test
naptr-record=naptr.test,10,10,s,SIP+D2U,,_sip._udp.srv.test
naptr-record=naptr.test,5,10,u,RELAY:turn.udp,!^.*$!turn:x!
naptr-record=direct.test,10,10,a,RELAY:turn.tcp:turn.udp,,host.test
naptr-record=far.test,10,10,,RELAY:turn.tcp:turn.udp,,naptr.test
naptr-record=loop.test,10,10,,RELAY:turn.udp,,loop.test
address=/loop.test/127.0.0.1
"""


def reenter():
    """This program again, in namespaces of its own."""
    world = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        world.append("--map-root-user")
    missing = [program for program in ["unshare", "ip", "dnsmasq"] if not shutil.which(program, path=search_path())]
    why = f"there is no {missing[0]}" if missing else ""
    if not missing and subprocess.run([*world, "true"], capture_output=True).returncode != 0:
        why = "no namespaces can be made"
    if why:
        print(f"dns: skipped: {why}")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)
    environment = {**os.environ, "PATH": search_path()}
    os.execvpe("setpriv", ["setpriv", "--pdeathsig", "KILL", *world, sys.executable, __file__, "--inside"], environment)


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def prepare(folder):
    """Loopback alone, and files of ours in place of those that name servers and hosts."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, text in {"resolv.conf": "nameserver 127.0.0.1\n", "hosts": "127.0.0.1 hosts.test\n"}.items():
        file = folder / name
        file.write_text(text)
        subprocess.run(["mount", "--bind", file, f"/etc/{name}"], check=True)
    switch = folder / "nsswitch.conf"
    switch.write_text("hosts: files dns\n")
    if pathlib.Path("/etc/nsswitch.conf").exists():
        subprocess.run(["mount", "--bind", switch, "/etc/nsswitch.conf"], check=True)


def start(command, ready):
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = ""
    for line in process.stderr:
        log += line
        if ready in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process
    raise RuntimeError(f"{command[0]} did not become ready:\n{log}")


class Garbage:
    """A name server at 127.0.0.8 that gives the same record data to each question for SRV or for NAPTR."""

    SRV, NAPTR = 33, 35

    def __init__(self, kind, data, length=None):
        self.kind = struct.pack("!HH", kind, 1)
        self.data = struct.pack("!H", len(data) if length is None else length) + data
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.8", 53))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(2048)
            if not question:
                return
            end = question.index(b"\0", 12) + 5
            asked = question[12:end]
            record = b"\xc0\x0c" + asked[-4:] + struct.pack("!I", 1) + self.data if asked[-4:] == self.kind else b""
            counts = struct.pack("!HHHH", 1, 1 if record else 0, 0, 0)
            self.socket.sendto(question[:2] + b"\x81\x80" + counts + asked + record, sender)

    def stop(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(timeout=10)
        self.socket.close()


class DnsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        prepare(cls.folder)
        names = {name: str(cls.folder / f"{name}.pem") for name in ["certificate", "key"]}
        make = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=test"
        subprocess.run(
            [*make.split(), "-keyout", names["key"], "-out", names["certificate"]], check=True, capture_output=True
        )
        (cls.folder / "turnpike.yaml").write_text(DAEMON % names)
        (cls.folder / "dnsmasq.conf").write_text(RECORDS)
        cls.daemon = start([TURNPIKE, "--config", cls.folder / "turnpike.yaml"], "ready")
        dnsmasq = "dnsmasq --no-daemon --no-resolv --no-hosts --local=/test/ --user=root --group=root"
        dnsmasq += f" --listen-address=127.0.0.1 --bind-interfaces --conf-file={cls.folder}/dnsmasq.conf"
        cls.dnsmasq = start(dnsmasq.split(), "started")

    @classmethod
    def tearDownClass(cls):
        for process in [cls.daemon, cls.dnsmasq]:
            process.terminate()
            process.wait(timeout=10)
            process.stderr.close()
        for name in ["resolv.conf", "hosts"]:
            subprocess.run(["umount", f"/etc/{name}"], check=True)
        subprocess.run(["umount", "/etc/nsswitch.conf"], check=False, capture_output=True)
        cls.temporary.cleanup()

    def ask(self, *arguments, code=0):
        command = [STUNCLIENT, "--timeout", "5", "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def expect_server(self, server, *arguments, protocol="udp"):
        report = self.ask(*arguments)
        self.assertEqual((report["server"], report["protocol"]), (server, protocol))
        return report

    def use_name_server(self, address):
        (self.folder / "resolv.conf").write_text(f"nameserver {address}\n")
        self.addCleanup((self.folder / "resolv.conf").write_text, "nameserver 127.0.0.1\n")

    def test_srv(self):
        self.expect_server("127.0.0.1:7001", "stun:stun.test")
        self.expect_server("127.0.0.1:7001", "stun.test")
        self.expect_server("127.0.0.1:7004", "stuns:secure.test", protocol="tls")
        self.expect_server("127.0.0.1:7004", "--protocol", "tls", "secure.test", protocol="tls")

    def test_a_domain_without_records_is_a_host(self):
        self.expect_server("127.0.0.1:3478", "stun:plain.test")
        self.expect_server("127.0.0.1:3478", "plain.test")
        self.expect_server("127.0.0.1:3478", *ALICE, "turn:plain.test")
        self.expect_server("127.0.0.1:3478", "hosts.test")

    def test_a_port_means_that_host(self):
        self.expect_server("127.0.0.1:7002", "stun:host.test:7002")
        self.expect_server("127.0.0.1:7002", "host.test", "7002")
        report = self.ask("stun:stun.test:7001", code=1)  # has an SRV record and no address
        self.assertEqual(report["binding"]["error"]["kind"], "unresolved")

    def test_the_next_target_is_tried(self):
        report = self.expect_server("127.0.0.1:7002", "stun:fall.test")
        self.assertRegex(report["notes"][0], "127.0.0.1:7009 refused")
        self.assertRegex(report["notes"][1], "cannot resolve gone.test")
        self.assertEqual(len(report["notes"]), 2)

    def test_a_domain_that_has_no_such_service(self):
        report = self.ask("stun:none.test", code=1)
        self.assertRegex(report["binding"]["error"]["message"], "none.test has no such service")

    def test_weights(self):
        for _ in range(8):  # the other one has a chance of one in 65,536
            self.expect_server("127.0.0.1:7002", "stun:heavy.test")
        seen = set()
        for _ in range(40):
            seen.add(self.ask("stun:even.test")["server"])
            if len(seen) == 2:
                break
        self.assertEqual(seen, {"127.0.0.1:7001", "127.0.0.1:7002"})

    def test_turn_by_srv(self):
        self.expect_server("127.0.0.1:7001", *ALICE, "turn:srv.test")
        self.expect_server("127.0.0.1:7001", *ALICE, "srv.test")
        self.expect_server("127.0.0.1:7001", *ALICE, "turn:srv.test?transport=udp")
        self.expect_server("127.0.0.1:7003", *ALICE, "turn:srv.test?transport=tcp", protocol="tcp")
        self.expect_server("127.0.0.1:7003", *ALICE, "turn:tcp.test", protocol="tcp")
        self.expect_server("127.0.0.1:7004", *ALICE, "turns:srv.test", protocol="tls")

    def test_turn_by_naptr(self):
        # turn: does not ask for TLS. Of the other two transports, this domain prefers TCP.
        self.expect_server("127.0.0.1:7003", *ALICE, "turn:naptr.test", protocol="tcp")
        self.expect_server("127.0.0.1:7003", *ALICE, "turn:far.test", protocol="tcp")
        self.expect_server("127.0.0.1:3478", *ALICE, "turn:direct.test")
        # A URI with a transport asks for its SRV record, which this domain does not have.
        self.ask(*ALICE, "turn:naptr.test?transport=udp", code=1)

    def test_records_that_lead_in_a_circle(self):
        self.expect_server("127.0.0.1:3478", *ALICE, "turn:loop.test")

    def test_nat_discovery_has_a_service_of_its_own(self):
        report = self.expect_server("127.0.0.1:3478", "--mode", "full", "nat.test")
        self.assertEqual(report["nat"]["mapping"]["behavior"], "Direct Mapping")
        self.expect_server("127.0.0.1:7001", "nat.test")

    def test_a_name_server_that_is_not_there(self):
        self.use_name_server("127.0.0.9")
        report = self.expect_server("127.0.0.1:3478", "hosts.test")
        self.assertRegex(report["notes"][0], "no name server answers for _stun._udp.hosts.test")
        report = self.ask("stun.test", code=1)
        self.assertEqual(report["binding"]["error"]["kind"], "unresolved")

    def test_answers_that_are_broken(self):
        self.use_name_server("127.0.0.8")
        srv, naptr = b"\0\1\0\1\x1b\x59", b"\0\1\0\1\1s\x0eRELAY:turn.udp\0"
        name = b"\4host\4test\0"
        broken = [
            (Garbage.SRV, b""),
            (Garbage.SRV, b"\0\1\0\1"),
            (Garbage.SRV, srv),
            (Garbage.SRV, srv + b"\xc0\xff"),
            (Garbage.SRV, srv + b"\x3fhost"),
            (Garbage.SRV, srv + name, 4000),
            (Garbage.NAPTR, b""),
            (Garbage.NAPTR, b"\0\1\0\1\xff"),
            (Garbage.NAPTR, b"\0\1\0\1\1s\xffRELAY"),
            (Garbage.NAPTR, naptr),
            (Garbage.NAPTR, naptr + b"\xc0\xff"),
            (Garbage.NAPTR, naptr + name, 4000),
        ]
        for record in broken:
            with self.subTest(record=record):
                server = Garbage(*record)
                try:
                    self.expect_server("127.0.0.1:3478", "hosts.test")
                    self.expect_server("127.0.0.1:3478", "turn:hosts.test")
                finally:
                    server.stop()


if __name__ == "__main__":
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        unittest.main()
    reenter()
