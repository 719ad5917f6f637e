#!/usr/bin/env python3
"""turnpikectl import coturn: a turnserver.conf becomes a configuration that turnpike takes and that says what is different,
and a user that coturn's own turnadmin has made is let in.

The programs are the environment's TURNPIKE and TURNPIKECTL, else those of build/release. turnadmin and turnutils_uclient are
those of Debian's package coturn.
"""

import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from daemon import ROOT, Daemon
from program import PATIENCE

TURNPIKECTL = os.environ.get("TURNPIKECTL", str(ROOT / "build/release/turnpikectl"))
EXAMPLES = ["/etc/turnserver.conf", "/usr/share/doc/coturn/examples/etc/turnserver.conf"]


def import_file(path, *options):
    return subprocess.run([TURNPIKECTL, *options, "import", "coturn", str(path)], capture_output=True, text=True,
                          timeout=PATIENCE)


def without(program):
    if shutil.which(program):
        return False
    if os.environ.get("CI") == "true":
        raise AssertionError(f"{program} is missing (Debian: coturn)")
    return True


class Configuration(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def convert(self, text, code=0):
        path = pathlib.Path(self.folder.name, "turnserver.conf")
        path.write_text(text)
        done = import_file(path)
        self.assertEqual(code, done.returncode, done.stderr)
        return done.stdout

    def keys(self, text, code=0):
        """What turnpike reads, without comments."""
        return [line for line in self.convert(text, code).splitlines() if line and not line.startswith("#")]

    def check(self, text):
        """Passes what was made to turnpikectl check."""
        path = pathlib.Path(self.folder.name, "turnpike.yaml")
        path.touch(0o600)
        path.write_text(text)
        done = subprocess.run([TURNPIKECTL, "check", str(path)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(0, done.returncode, done.stderr)

    def make_certificate(self):
        certificate, key = (pathlib.Path(self.folder.name, name) for name in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", "/CN=turn.example.org", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        key.chmod(0o600)
        return certificate, key

    def test_everything_that_has_a_counterpart(self):
        certificate, key = self.make_certificate()
        text = self.convert(f"""
# a comment
listening-ip=192.0.2.1
listening-ip=2001:db8::1
listening-port=3479
tls-listening-port 443
relay-ip=192.0.2.2
external-ip=198.51.100.7/192.0.2.2
min-port=50000
max-port=60000
realm="turn.example.org"
lt-cred-mech
user=alice:se:cret # it belongs to it
user=bob:0xbc807ee29df3c9ffa736523fb2c4e8ee
cert={certificate}
pkey={key}
cipher-list="ECDHE+AESGCM"
no-dtls=off
allowed-peer-ip=10.20.0.5
denied-peer-ip=10.20.0.0-10.20.3.255
denied-peer-ip=192.0.2.9-192.0.2.10
user-quota=12
total-quota=1200
max-bps=64000
bps-capacity=0
stale-nonce=300
max-allocate-lifetime=1800
mobility
alternate-server=203.0.113.5
allocation-default-address-family="keep"
""")
        expected = f"""\
realm: "turn.example.org"
listen:
  - "udp://192.0.2.1:3479"
  - "auto://192.0.2.1:3479"
  - "auto://192.0.2.1:443"
  - "udp://192.0.2.1:443"
  - "udp://[2001:db8::1]:3479"
  - "auto://[2001:db8::1]:3479"
  - "auto://[2001:db8::1]:443"
  - "udp://[2001:db8::1]:443"
tls:
  certificate: "{certificate}"
  private_key: "{key}"
  ciphers: "ECDHE+AESGCM"
relay:
  addresses: ["192.0.2.2"]
  advertise: {{"192.0.2.2": "198.51.100.7"}}
  ports: 50000-60000
  mobility: true
  default_family: client
  alternate_servers: ["udp://203.0.113.5:3478", "tcp://203.0.113.5:3478"]
  redirect: always
auth:
  users:
    "alice": "se:cret # it belongs to it"
    "bob": {{key_md5: "bc807ee29df3c9ffa736523fb2c4e8ee"}}
  nonce_lifetime: 300s
peers:
  allow: ["10.20.0.5/32"]
  deny: ["10.20.0.0/22", "192.0.2.9/32", "192.0.2.10/32"]
limits:
  allocations: 1200
  allocations_per_user: 12
  bytes_per_second: 0
  bytes_per_second_per_allocation: 64000
  allocation_lifetime: 1800s
admin:
  listen: ["unix:/run/turnpike/admin.sock"]"""
        self.assertEqual(expected.splitlines(),
                         [line for line in text.splitlines() if line and not line.startswith("#")])
        self.check(text)

    def test_defaults_are_those_of_coturn(self):
        self.assertEqual(["listen:", '  - "udp://0.0.0.0:3478"', '  - "tcp://0.0.0.0:3478"', '  - "udp://[::]:3478"',
                          '  - "tcp://[::]:3478"', "admin:", '  listen: ["unix:/run/turnpike/admin.sock"]'], self.keys(""))

    def listeners(self, text):
        return re.findall(r'^  - "(.*)"$', self.convert(text), re.MULTILINE)

    def test_each_port_takes_what_coturn_takes_there(self):
        """Nextcloud Talk, for one, has one address for turn: and turns:."""
        certificate, key = self.make_certificate()
        tls = f"listening-ip=192.0.2.1\ncert={certificate}\npkey={key}\n"
        for more, schemes in [
                ("", "udp:3478 auto:3478 auto:5349 udp:5349"),
                ("tls-listening-port=3478\n", "udp:3478 auto:3478"),
                ("no-tcp\n", "udp:3478 tls:5349 udp:5349"),
                ("no-udp\n", "auto:3478 auto:5349 dtls:5349"),
                ("no-tcp\nno-udp\nlistening-port=443\ntls-listening-port=443\n", "tls:443 dtls:443"),
                ("no-dtls\n", "udp:3478 auto:3478 auto:5349"),
                ("no-tls\n", "udp:3478 tcp:3478 udp:5349"),
                ("no-tls\nno-dtls\n", "udp:3478 tcp:3478"),
                ("aux-server=192.0.2.1:80\nno-dtls\n", "udp:3478 auto:3478 auto:5349 udp:80 auto:80")]:
            with self.subTest(more):
                self.assertEqual(schemes, " ".join(self.listeners(tls + more)).replace("://192.0.2.1", ""))
        self.check(self.convert(tls + "tls-listening-port=3478\n"))
        self.assertEqual(["udp://0.0.0.0:3478", "tcp://0.0.0.0:3478", "udp://[::]:3478", "tcp://[::]:3478"],
                         self.listeners("listening-ip=::\n"))

    def test_what_is_found_in_deployments_can_be_used(self):
        """Each has stood in the way of the whole file, or lost what it says."""
        certificate, key = self.make_certificate()
        tls = f"cert={certificate}\npkey={key}\n"
        for text, found, lost in [
                # The documentation of Synapse.
                ("denied-peer-ip=::ffff:0.0.0.0-::ffff:255.255.255.255\ndenied-peer-ip=2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff\n"
                 "user-quota=12 # 4 streams per video call\n",
                 ['  deny: ["2001::/23"]', "  allocations_per_user: 12"], []),
                # A public address on the interface.
                ("listening-ip=192.0.2.1\nexternal-ip=192.0.2.1\n", ['  addresses: ["192.0.2.1"]'], ["advertise"]),
                ("relay-ip=192.0.2.1\nexternal-ip=192.0.2.1/192.0.2.1\n", ['  addresses: ["192.0.2.1"]'], ["advertise"]),
                ("external-ip=192.0.2.1\nexternal-ip=192.0.2.2\n", ['  advertise: "192.0.2.1"'], []),
                ("relay-ip=0.0.0.0\nexternal-ip=192.0.2.1\n", ['  advertise: "192.0.2.1"'], ["addresses"]),
                ("listening-ip=127.0.0.1\nlistening-ip=10.0.0.5\nexternal-ip=192.0.2.1\n",
                 ['  addresses: ["10.0.0.5"]', '  advertise: "192.0.2.1"'], []),
                # bbb-install and others.
                (tls + 'cipher-list="ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-SHA384"\n', [], ["  ciphers"]),
                (tls + "cipher-list=HIGH\n", [], ["  ciphers"]),
                ("user=ann:old\nuser=ann:new\n", ['    "ann": "new"'], ["old"]),
                ("--user=ann:secret\n--min-port=50000\n", ['    "ann": "secret"', "  ports: 50000-65535"], []),
                ("mobility=off\n", [], ["mobility"]),
                ("allowed-peer-ip=224.0.0.1\nallowed-peer-ip=10.1.0.0/16\n", ['  allow: ["10.1.0.0/16"]'], [])]:
            with self.subTest(text):
                made = self.convert(text)
                keys = [line for line in made.splitlines() if not line.startswith("#")]
                for line in found:
                    self.assertIn(line, keys)
                for word in lost:
                    self.assertNotIn(word, "\n".join(keys))
                self.check(made)

    def test_clients_of_rfc_3489_are_answered_when_the_file_says_so(self):
        self.assertIn("  rfc3489: true", self.keys("rfc3489-compatibility\n"))
        for text, said in (("", True), ("no-stun-backward-compatibility\n", False), ("rfc3489-compatibility=no\n", True)):
            made = self.convert(text)
            self.assertNotIn("  rfc3489: true", made.splitlines())
            self.assertEqual(said, "stun: {rfc3489: true}" in made, text)

    def test_an_own_address_among_the_allowed_peers_is_pointed_out(self):
        for own in ("listening-ip=10.0.0.1", "external-ip=192.0.2.1/10.0.0.1"):
            self.assertRegex(self.convert(f"{own}\nallowed-peer-ip=10.0.0.1\n"), r"(?m)^# line 2: .*opens all ports")
        self.assertNotIn("opens all ports", self.convert("listening-ip=10.0.0.1\nallowed-peer-ip=10.0.0.2\n"))

    def test_options_of_other_versions_are_known(self):
        for option in ("no-loopback-peers", "software-attribute", "prometheus-address=127.0.0.1", "prometheus-path=/m",
                       "raw-public-keys", "respond-http-unsupported", "rfc5780", "stun-backward-compatibility", "cli", "cpus=2",
                       "sock-buf-size=1000", "drop-invalid-packets", "drop-invalid-packets-log", "tlsv1", "tlsv1_1",
                       "secret-ts-exp-time=60"):
            self.assertRegex(self.convert(option + "\n"), rf"(?m)^# line 1: {option}: (?!turnpike does not know)")
        self.assertIn("relay: {tcp: true}", self.convert(""))
        self.assertIn("relay: {tcp: true}", self.convert("no-tcp-relay=0\n"))

    def test_nothing_is_dropped_without_a_word(self):
        """Each option that `turnserver --help` names has its line."""
        if without("turnserver"):
            self.skipTest("turnserver is not installed")
        answer = subprocess.run(["turnserver", "--help"], capture_output=True, text=True, timeout=PATIENCE)
        found = re.findall(r"^ .*?--([A-Za-z][\w-]*)", answer.stdout + answer.stderr, re.MULTILINE)
        options = sorted(set(found) - {"help", "version"})
        self.assertGreater(len(options), 80)
        for option in options:
            text = self.convert(f"\n{option}=zzz-value\n", code=0)
            said = [line for line in text.splitlines() if "line 2: " in line]
            said += [line for line in text.splitlines() if "zzz-value" in line and line not in said]
            flags = {"mobility": "mobility: true", "no-udp": "tcp://", "no-tcp": "udp://", "Verbose": "level: debug",
                     "keep-address-family": "client", "no-tls": "tls:", "no-dtls": "tls:"}
            if option in flags:
                said += [line for line in text.splitlines() if flags[option] in line]
            with self.subTest(option):
                self.assertNotIn("does not know this option", text)
                self.assertTrue(said)

    def test_what_is_dangerous_is_left_out_and_said(self):
        text = self.convert("no-auth\nallow-loopback-peers\nserver-relay\nallowed-peer-ip=0.0.0.0-255.255.255.255\n")
        for line in range(1, 5):
            self.assertRegex(text, rf"(?m)^# line {line}: .*DANGEROUS")
        self.assertNotRegex(text, r"(?m)^(auth|peers):")

    def test_passwords_are_in_no_comment(self):
        text = self.convert("use-auth-secret\nstatic-auth-secret=short\nuser=alice:hunter2\ncli-password=hunter3\n"
                            "psql-userdb=\"host=db password=hunter4\"\npkey-pwd=hunter5\nhunter6\nuser=hunter7\n")
        for secret in ("hunter2", "hunter3", "hunter4", "hunter5", "hunter7", "=short"):
            self.assertNotIn(secret, text)
        self.assertIn("line 7: hunter6: turnpike does not know this option", text)
        self.assertIn("line 3: user: coturn accepts no users together with use-auth-secret", text)

    def test_what_turnpike_cannot_take_is_said(self):
        text = self.convert("stale-nonce=5\nmax-allocate-lifetime=60\nlistening-ip=eth0\nexternal-ip=here\n"
                            "denied-peer-ip=10.0.0.9-10.0.0.1\nlistening-port=99999\nalternate-server=turn.example.org\n")
        for line in range(1, 8):
            self.assertRegex(text, rf"(?m)^# line {line}: ")
        # A certificate that does not exist is an error, as it is for turnpike.
        self.assertIn("tls:", self.keys("cert=/nowhere/cert.pem\npkey=/nowhere/key.pem\n", code=1))

    def test_names_and_values_stay_what_they_are(self):
        text = self.convert('user=a"b\\c:x: y\nuser=null:~\nrealm=#1\nno-such\x1boption=1\n')
        for line in ('    "a\\"b\\\\c": "x: y"', '    "null": "~"', 'realm: "#1"'):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("\x1b", text)
        self.check(text)

    def test_debians_own_files(self):
        for path in EXAMPLES:
            if not pathlib.Path(path).exists():
                self.skipTest(f"{path} is not there")
            done = import_file(path)
            self.assertEqual(0, done.returncode, done.stderr)
            self.check(done.stdout)

    def test_json(self):
        path = pathlib.Path(self.folder.name, "turnserver.conf")
        for text, code in [("realm=example.org\nuser=ann:secret\n", 0), ("cert=/nowhere/cert.pem\npkey=/nowhere/key.pem\n", 1)]:
            path.write_text(text)
            done, plain = import_file(path, "--json"), import_file(path)
            answer = json.loads(done.stdout)
            self.assertEqual(done.returncode, plain.returncode)
            self.assertEqual(answer["yaml"], plain.stdout)
            self.assertEqual(not answer["errors"], done.returncode == 0)
            self.assertEqual(done.returncode, code, done.stdout)

    def test_a_file_that_is_not_there(self):
        for path in ("/nowhere/turnserver.conf", "/tmp"):
            done = import_file(path)
            self.assertEqual(1, done.returncode)
            self.assertIn(path, done.stderr)


CONFIG = """
realm: example.org
workers: 1
listen: ["udp://127.0.0.1:0"]
relay: {addresses: ["127.0.0.1"]}
peers: {allow: [127.0.0.0/8]}
auth: {users: {filed: secret}, database: "sqlite:%(admin)s.db"}
admin: {listen: ["unix:%(admin)s"]}
limits: {unauthenticated_per_second: 0}
"""


@unittest.skipIf(without("turnadmin"), "turnadmin is not installed (Debian: coturn)")
class Users(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(CONFIG)
        self.addCleanup(self.daemon.stop)
        self.database = pathlib.Path(self.daemon.folder.name, "turndb")
        connection = sqlite3.connect(self.database)
        connection.executescript(pathlib.Path("/usr/share/coturn/schema.sql").read_text())
        connection.close()

    def admin(self, *words):
        subprocess.run(["turnadmin", "-b", str(self.database), *words], check=True, capture_output=True, timeout=PATIENCE)

    def execute(self, command, values=()):
        connection = sqlite3.connect(self.database)
        with connection:
            connection.executemany(command, values)
        connection.close()

    def imported(self, code=0):
        done = import_file(self.database, "--socket", self.daemon.admin, "--json")
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def lets_in(self, name, password):
        """Whether turnutils_uclient, which coturn's people made, can relay."""
        done = subprocess.run(["turnutils_uclient", "-y", "-c", "-n", "2", "-u", name, "-w", password, "-p",
                               str(self.daemon.port), "127.0.0.1"], capture_output=True, text=True, timeout=2 * PATIENCE)
        return done.returncode == 0 and "Total lost packets 0 (0.000000%)" in done.stdout

    def test_a_user_of_turnadmin_is_let_in(self):
        self.admin("-a", "-u", "ann", "-r", "example.org", "-p", "open-sesame")
        self.admin("-a", "-u", "eve", "-r", "other.org", "-p", "x")
        self.admin("-s", "a-secret-of-some-length", "-r", "example.org")
        self.assertFalse(self.lets_in("ann", "open-sesame"))
        said = self.imported()
        self.assertEqual(["ann"], said["imported"])
        self.assertEqual({"other.org": 1}, said["other_realms"])
        self.assertEqual(1, said["other_tables"]["turn_secret"])
        self.assertNotIn("a-secret", json.dumps(said))
        self.assertTrue(self.lets_in("ann", "open-sesame"))
        self.assertFalse(self.lets_in("ann", "open-sesamE"))

    def test_what_cannot_be_imported_is_said_and_the_rest_is_there(self):
        key = "bc807ee29df3c9ffa736523fb2c4e8ee"
        names = [f"user{number:04}" for number in range(250)]
        self.execute("INSERT INTO turnusers_lt VALUES ('example.org', ?, ?)",
                     [*((name, key) for name in names), ("filed", key), ("short", "abc"), ("empty", ""), ("bad\nname", key),
                      ("x" * 509, key)])
        said = self.imported(code=1)
        self.assertEqual(names, said["imported"])
        self.assertEqual({"filed", "short", "empty", "bad\nname", "x" * 509}, {each["name"] for each in said["refused"]})
        # The second import finds all users already there.
        said = self.imported(code=1)
        self.assertEqual([], said["imported"])
        self.assertEqual(255, len(said["refused"]))
        self.assertEqual(250, json.loads(self.daemon.ask("GET", "/v1/users?limit=1"))["count"])


unittest.main()
