#!/usr/bin/env python3
"""What conf/ has for those who watch a turnpike, against the daemon itself.

A real Prometheus scrapes the daemon and evaluates conf/prometheus-rules.yml, while clients make allocations, relay data
and try wrong passwords. Every query of conf/grafana-dashboard.json then has to give data, and every alert has to see what
it is for. fail2ban reads what the daemon has logged with the filter of conf/fail2ban.

The programs are those of the environment's TURNPIKE and STUNCLIENT, else of build/release; prometheus, promtool,
fail2ban-regex and fail2ban-client are Debian's. Everything is on loopback. Nothing sleeps to be sure of something: the
test asks until what it waits for is there, or its patience ends.
"""

import collections
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from loopback import has_ipv6
from program import PATIENCE, Program
from turn_client import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
RULES = CONF / "prometheus-rules.yml"
RULES_TEST = pathlib.Path(__file__).with_name("prometheus_rules_test.yml")
DASHBOARD = CONF / "grafana-dashboard.json"
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build/release/turnpike"))
STUNCLIENT = os.environ.get("STUNCLIENT", str(ROOT / "build/release/stunclient"))
STRICT = os.environ.get("CI") == "true"
RETRY = 0.05

# These are more than nine tenths of the limit, and more than eight tenths of the ports.
ALLOCATIONS, LIMIT, PORTS = 860, 900, "20000-21023"
CONFIG = """
realm: example.org
workers: 1
listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0", "dtls://127.0.0.1:0"]
tls: {certificate: %(folder)s/certificate.pem, private_key: %(folder)s/key.pem}
relay: {addresses: [%(relay)s], ports: %(ports)s, tcp: true}
auth: {users: {alice: s3same-0pen}, secrets: [a-secret-of-thirty-two-characters]}
peers: {allow: [127.0.0.0/8]}
limits: {allocations: %(limit)d, unauthenticated_per_second: 0}
signaling: {listen: "http://127.0.0.1:0", access: token, token_secrets: [a-secret-for-tokens], connections_per_address: 2}
admin: {listen: "http://127.0.0.1:0"}
log: {format: %(format)s}
"""
PROMETHEUS = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}
rule_files: [%(rules)s]
scrape_configs:
  - job_name: any-name
    static_configs: [{targets: ["%(target)s"]}]
"""


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def until(what, ask):
    """Asks until there is an answer, and gives it back."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(RETRY)


class Daemon(Program):
    def __init__(self, folder, log_format="text", redis=None):
        # The certificate is valid for two days, which is less than its alert allows.
        make = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=turn.example.org"
        make += " -addext subjectAltName=DNS:turn.example.org"
        subprocess.run([*make.split(), "-keyout", "key.pem", "-out", "certificate.pem"], cwd=folder, check=True,
                       capture_output=True)
        # This loopback address is the test's own, and nobody else uses its ports, so this test may run twice
        # at once.
        self.relay = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        text = CONFIG % {"folder": folder, "relay": self.relay, "ports": PORTS, "limit": LIMIT, "format": log_format}
        if redis:
            text += f'cluster: {{redis: "unix:{redis}", secret: a-secret-of-all-nodes, node: turn.example.org}}\n'
        if has_ipv6():
            text = text.replace('listen: ["udp', 'listen: ["udp://[::1]:0", "udp', 1)
        self.file = pathlib.Path(folder, "turnpike.yaml")
        self.file.write_text(text)
        self.file.chmod(0o600)
        super().__init__([TURNPIKE, "--config", str(self.file)], r'(\bready$|"ready"\})')
        listeners = re.findall(r"listening on (\w+)://(\S+):(\d+)", self.log())
        self.ports = {scheme: int(port) for scheme, host, port in listeners if "[" not in host and "admin" not in scheme}
        self.ports["udp6"] = next((int(port) for _, host, port in listeners if "[" in host), None)
        self.admin = self.found(r"admin: listening on http://([\d.:]+)")[1]
        self.ports["http"] = int(self.found(r'(?<!admin: )listening on http://127\.0\.0\.1:(\d+)')[1])

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metric(self, series):
        return next(float(line.split()[-1]) for line in self.metrics().splitlines() if line.startswith(series + " "))


@unittest.skipUnless(find("prometheus") and find("promtool"), "there is no prometheus (Debian: prometheus)")
class Monitoring(unittest.TestCase):
    """The tests run in the order of their names: the last ones drain the daemon and stop it."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        # Each allocation needs a descriptor here and one in the daemon.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 4096:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if hard > 0 else 4096, hard))
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        folder = pathlib.Path(cls.temporary.name)
        # A cluster of one node has the series of a cluster.
        redis = folder / "redis.sock"
        cls.redis = Program(["sh", "-c", f"exec redis-server --port 0 --unixsocket {redis} --save '' --dir {folder} >&2"],
                            "(?i)ready to accept connections")
        cls.addClassCleanup(cls.redis.stop)
        cls.daemon = Daemon(folder, redis=redis)
        cls.addClassCleanup(cls.daemon.stop)
        config = folder / "prometheus.yml"
        config.write_text(PROMETHEUS % {"rules": RULES, "target": cls.daemon.admin})
        cls.prometheus = Program(
            [find("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
             "--web.listen-address=127.0.0.1:0", "--log.level=info"],
            "Server is ready to receive web requests")
        cls.addClassCleanup(cls.prometheus.stop)
        cls.api = f'http://{cls.prometheus.found(r"Listening on. address=(127.0.0.1:[0-9]+)")[1]}/api/v1'
        # Rates begin with the first scrape, so everything that is counted has to come after it.
        until("the first scrape", lambda: cls.query("turnpike_build_info"))
        cls.dashboard = json.loads(DASHBOARD.read_text())
        cls.held = []
        cls.addClassCleanup(lambda: [client.close() for client in cls.held])
        cls.make_traffic()
        cls.wait_for_scrape()

    @classmethod
    def ask(cls, path, **parameters):
        try:
            with urllib.request.urlopen(f"{cls.api}/{path}?{urllib.parse.urlencode(parameters)}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error).get('error')}") from error

    @classmethod
    def query(cls, expression):
        return cls.ask("query", query=expression)["result"]

    @classmethod
    def wait_for_scrape(cls):
        """Until Prometheus has seen a state of the daemon that is no older than now."""
        asked = time.time()
        until("a scrape", lambda: any(float(one["value"][1]) > asked for one in cls.query("timestamp(turnpike_build_info)")))

    @classmethod
    def make_traffic(cls):
        daemon = cls.daemon
        alice = {**os.environ, "STUNCLIENT_PASSWORD": "s3same-0pen"}
        for protocol in ["udp", "tcp", "tls", "dtls"]:
            command = [STUNCLIENT, "--turn", "--user", "alice", "--protocol", protocol, "127.0.0.1"]
            subprocess.run([*command, str(daemon.ports[protocol])], env=alice, check=True, capture_output=True, timeout=PATIENCE)
        with socket.create_connection(("127.0.0.1", daemon.ports["tls"]), PATIENCE) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            until("a failed handshake", lambda: daemon.metric('turnpike_tls_handshakes_total{protocol="tls",result="failed"}'))
        for protocol in ["tls", "dtls"]:
            for result in ["begun", "established"]:
                assert daemon.metric(f'turnpike_tls_handshakes_total{{protocol="{protocol}",result="{result}"}}') > 0, (protocol, result)
        with socket.create_connection(("127.0.0.1", daemon.ports["http"]), PATIENCE) as visitor:
            visitor.sendall(b"GET /ice-servers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b"token-required" in visitor.makefile("rb").read()
        daemon.process.send_signal(signal.SIGHUP)
        until("a reload", lambda: daemon.metric('turnpike_reloads_total{result="ok"}'))

        # Ten of these in a second are answered. The alert wants more than one in each second of five minutes.
        guesser = Client(daemon.ports["udp"])
        guesser.learn_nonce()
        unanswered = 'turnpike_refused_total{reason="failures_per_second"}'

        def guess():
            for _ in range(50):
                guesser.socket.send(guesser.signed(Client.ALLOCATE, Client.UDP, b"alice", b"wrong"))
            return daemon.metric(unanswered) > 1000

        until("a thousand wrong passwords", guess)
        guesser.close()

        cls.fill_slow_client()
        for _ in range(ALLOCATIONS):
            cls.held.append(Client(daemon.ports["udp"]))
            code, _ = cls.held[-1].allocate()
            assert code == 0, code

    @classmethod
    def fill_slow_client(cls):
        """A client by TCP that does not read, and a peer that goes on sending: what finds no room is dropped."""
        client = Client(cls.daemon.ports["tcp"], kind=socket.SOCK_STREAM, receive_buffer=4096)
        code, relayed = client.allocate()
        assert code == 0, code
        client.permit_loopback()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))

            def send():
                for _ in range(500):
                    peer.sendto(bytes(1200), (cls.daemon.relay, relayed))
                return cls.daemon.metric('turnpike_dropped_total{reason="client_too_slow"}') > 5000

            until("datagrams that are too many for a client", send)
        client.close()

    def run_tool(self, *command, **more):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_1_the_daemon_writes_metrics_as_prometheus_wants_them(self):
        said = self.run_tool(find("promtool"), "check", "metrics", input=self.daemon.metrics())
        self.assertEqual(said.strip(), "")

    def test_1_rules_do_what_their_tests_say(self):
        self.run_tool(find("promtool"), "check", "rules", str(RULES))
        self.run_tool(find("promtool"), "test", "rules", str(RULES_TEST))

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def test_2_each_rule_has_a_test(self):
        # In the file, each case is on lines of its own, and an empty list is on the line of its alert.
        text = RULES_TEST.read_text()
        for rule in self.rules():
            with self.subTest(rule=rule["name"]):
                if rule["type"] == "recording":
                    self.assertTrue(f"expr: {rule['name']}," in text, "no case")
                    continue
                quiet, fires = "alertname: {}, exp_alerts: \\[\\]", "alertname: {}\n +exp_alerts:\n +- exp_labels:"
                for what, pattern in {"no case in which it is quiet": quiet, "no case in which it fires": fires}.items():
                    self.assertTrue(re.search(pattern.format(rule["name"]), text), what)

    def test_2_rules_have_no_errors(self):
        until("that each rule was evaluated", lambda: all(rule["health"] != "unknown" for rule in self.rules()))
        self.assertEqual([rule for rule in self.rules() if rule["health"] != "ok"], [])

    def test_3_recording_rules_give_data(self):
        for rule in self.rules():
            if rule["type"] == "recording":
                with self.subTest(rule=rule["name"]):
                    until(f"data of {rule['query']}", lambda: self.query(rule["query"]))
                    until(f"data of {rule['name']}", lambda: self.query(rule["name"]))

    def panels(self):
        found = [panel for row in self.dashboard["panels"] for panel in [row, *row.get("panels", [])]]
        self.assertTrue(found)
        return found

    def test_3_the_dashboard_is_one_that_grafana_9_to_11_can_show(self):
        # This is the version of Grafana 9.0. Later versions update it when they read it, and earlier versions
        # know no later one.
        self.assertEqual(self.dashboard["schemaVersion"], 36)
        panels = self.panels()
        self.assertEqual([p["title"] for p in panels if p["type"] == "row"],
                         ["Is it healthy?", "Is it full?", "Who is knocking?"])
        ids = [panel["id"] for panel in panels]
        self.assertEqual(len(set(ids)), len(ids))
        taken = {}
        for panel in panels:
            with self.subTest(panel=panel["title"]):
                self.assertIn(panel["type"], {"row", "stat", "timeseries", "bargauge", "table"})
                at = panel["gridPos"]
                self.assertLessEqual(at["x"] + at["w"], 24)
                for x in range(at["x"], at["x"] + at["w"]):
                    for y in range(at["y"], at["y"] + at["h"]):
                        self.assertIsNone(taken.get((x, y)), "it lies on another panel")
                        taken[x, y] = panel["title"]
                if panel["type"] == "row":
                    continue
                self.assertTrue(panel["description"].endswith("."), "a sentence says what it shows")
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                for part in [panel, *panel["targets"]]:
                    self.assertEqual(part["datasource"], {"type": "prometheus", "uid": "${datasource}"})

    def variables(self):
        return {one["name"]: one for one in self.dashboard["templating"]["list"] if one["type"] == "query"}

    def values_of(self, name):
        """What Grafana offers for a variable: the values of the label in the series that its query selects."""
        query = self.variables()[name]["query"]["query"]
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
        return self.ask(f"label/{label}/values", **{"match[]": self.substituted(selector)})

    def substituted(self, expression, **values):
        """With the values that Grafana would put in when all is chosen."""
        known = {"__rate_interval": "5m", "__range": "5m", **values}

        def value(found):
            name = found[1] or found[2]
            return known[name] if name in known else "(" + "|".join(map(re.escape, self.values_of(name))) + ")"

        # Prometheus reads \\ in a string as one \, as Grafana knows.
        return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda found: value(found).replace("\\", "\\\\"), expression)

    def test_3_the_variables_find_the_daemon(self):
        self.assertEqual(self.values_of("job"), ["any-name"])
        self.assertEqual(self.values_of("instance"), [self.daemon.admin])
        self.assertIn("relay_ports", self.values_of("limit"))

    def queries(self):
        """(panel, target, expression) of everything that the dashboard asks, once for each value of what a panel repeats."""
        for panel in self.panels():
            repeat = panel.get("repeat")
            for value in self.values_of(repeat) if repeat else [None]:
                for target in panel.get("targets", []):
                    yield panel, target, self.substituted(target["expr"], **({repeat: value} if repeat else {}))

    # These stay at zero while everything works and nobody uses what they count.
    QUIET = {"Draining", "Restarts", "Connections that the server closed", "Rooms and members", "Sent to another server",
             "Connections with peers made", "Signaling messages"}

    def test_3_each_query_of_the_dashboard_gives_data(self):
        families = set(re.findall(r"(?m)^# TYPE (\S+)", self.daemon.metrics()))
        moved, asked = collections.Counter(), 0
        for panel, target, expression in self.queries():
            with self.subTest(panel=panel["title"], query=expression):
                names = set(re.findall(r"\b(?:turnpike|process)_\w+", expression))
                self.assertLessEqual(names, families, "metrics that the daemon does not have")
                # A scrape that took too long leaves a gap.
                result = until(f"data of {expression}", lambda: self.query(expression))
                asked += 1
                for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                    self.assertTrue(all(label in one["metric"] for one in result), f"no label {label} for the legend")
                moved[panel["title"]] += any(float(one["value"][1]) > 0 for one in result)
        self.assertGreater(asked, 40)
        still = {title for title, count in moved.items() if count == 0}
        self.assertEqual(moved["Restarts"], 0, "nothing was restarted")
        self.assertEqual(still - self.QUIET, set(), "these show nothing but zeros, whatever clients do")

    def test_3_each_label_that_is_asked_for_exists(self):
        """A reason or a side that the daemon has no more would leave its rule or its panel silent for ever."""
        expressions = [rule["query"] for rule in self.rules()]
        expressions += [target["expr"] for panel in self.panels() for target in panel.get("targets", [])]
        checked = set()
        for expression in expressions:
            for family, labels in re.findall(r"(\w+)\{([^}]*)\}", expression):
                for label, operator, values in re.findall(r'(\w+)(=~|!=|=)"([^"$]+)"', labels):
                    for value in values.split("|") if operator == "=~" else [values]:
                        with self.subTest(expression=expression, label=label, value=value):
                            checked.add((family, label, value))
                            series = f'{family}{{{label}="{value}"}}'
                            until(f"data of {series}", lambda: self.query(series))
        self.assertIn(("turnpike_dropped_total", "reason", "mailbox_full"), checked)

    def wait_for_alert(self, alert, **labels):
        """Until Prometheus has the alert. It is pending at first where its rule wants the condition to last."""
        selector = ",".join(f'{label}="{value}"' for label, value in {"alertname": alert, **labels}.items())
        until(f"the alert {selector}", lambda: self.query(f"ALERTS{{{selector}}}"))

    def expect_no_alert(self, alerts):
        """None of them stays. A scrape that takes too long on a busy machine counts as one that failed, until the next."""
        until(f"no alert {alerts}", lambda: not self.query(f'ALERTS{{alertname=~"{alerts}"}}'))

    # Each alert is provoked. prometheus_rules_test.yml tests how long the condition has to last.
    PROVOKED = {"TurnpikeLimitAlmostReached", "TurnpikeRelayPortsAlmostGone", "TurnpikeCertificateExpires",
                "TurnpikeManyAuthenticationFailures", "TurnpikeDropsMedia", "TurnpikeDraining", "TurnpikeDown",
                "TurnpikeClusterAway"}

    def test_4_alerts_are_raised_by_what_they_are_for(self):
        self.assertEqual({rule["name"] for rule in self.rules() if rule["type"] == "alerting"}, self.PROVOKED)
        self.wait_for_alert("TurnpikeLimitAlmostReached", name="allocations")
        self.wait_for_alert("TurnpikeRelayPortsAlmostGone", name="relay_ports")
        # This alert does not wait for some time.
        self.wait_for_alert("TurnpikeCertificateExpires", name="turn.example.org", alertstate="firing")
        self.wait_for_alert("TurnpikeManyAuthenticationFailures", reason="wrong")
        self.wait_for_alert("TurnpikeDropsMedia", instance=self.daemon.admin)
        self.expect_no_alert("TurnpikeDraining|TurnpikeDown|TurnpikeClusterAway")
        self.assertEqual(self.query('ALERTS{name="idle_connections"}'), [])

    def test_4_b_redis_that_is_gone_raises_its_alert(self):
        self.redis.process.kill()
        self.wait_for_alert("TurnpikeClusterAway", instance=self.daemon.admin)

    def test_5_a_drain_raises_its_alert(self):
        self.daemon.process.send_signal(signal.SIGUSR1)
        self.wait_for_alert("TurnpikeDraining", instance=self.daemon.admin)
        self.expect_no_alert("TurnpikeDown")

    def test_6_a_daemon_that_is_gone_raises_its_alert(self):
        self.daemon.process.kill()
        self.wait_for_alert("TurnpikeDown", instance=self.daemon.admin)
        result = self.query('up{job="any-name"}')
        self.assertEqual([one["value"][1] for one in result], ["0"])


@unittest.skipUnless(find("fail2ban-regex") and find("fail2ban-client"), "there is no fail2ban-regex (Debian: fail2ban)")
class Fail2ban(unittest.TestCase):
    """Each client has a loopback address of its own, so that the log says who did what. Nobody is 1.2.3.4."""

    FILTER = CONF / "fail2ban/turnpike.conf"
    HOSTILE = "127.0.66.{}"
    FORGED = 'Allocate refused client=1.2.3.4:5 user="x" error=401 Unauthenticated'
    NAMES = [
        b"client=1.2.3.4",
        b"x client=1.2.3.4:5 user=",
        f"x\n2026-11-28T12:00:00.000Z info {FORGED}".encode(),
        f"2026-11-28T12:00:00.000Z info {FORGED}".encode(),
        f'x" error=401 Unauthenticated\r\n{FORGED}'.encode(),
        f'x"}}\n{{"time":"2026-11-28T12:00:00.000Z","level":"info","message":"{FORGED}"}}'.encode(),
        b'x","client":"1.2.3.4","x":"',
        b'\\" client=1.2.3.4:5 user=\\"',
        b"\\",
        b'"',
        b"\x00client=1.2.3.4\xff\xfe",
        "x\u2028client=1.2.3.4\u0085\u202e".encode(),
        b"x from 1.2.3.4 (signaling.token_secrets)",
        b"A" * 63 + b'" client=1.2.3.4:5 user="x',
    ]

    def http(self, daemon, source, head, wait=True):
        connection = socket.create_connection(("127.0.0.1", daemon.ports["http"]), PATIENCE, source_address=(source, 0))
        self.addCleanup(connection.close)
        connection.sendall(head.replace("\n", "\r\n").encode())
        if wait:
            connection.recv(1)
        return connection

    def lines_of_daemon(self, log_format):
        """What the daemon has logged, and whom the filter has to find in it, how often."""
        with tempfile.TemporaryDirectory() as folder:
            daemon = Daemon(folder, log_format)
            try:

                def client(source, port="udp"):
                    made = Client(daemon.ports[port], source)
                    self.addCleanup(made.close)
                    return made

                # These clients do no harm.
                self.assertEqual(client("127.0.0.10").allocate()[0], 0)
                client("127.0.0.11").learn_nonce()
                stale = client("127.0.0.12")
                stale.realm, stale.nonce = b"example.org", b"a nonce of somebody else"
                self.assertEqual(stale.allocate(password=b"wrong")[0], 438)
                # And these do.
                expected = collections.Counter()
                for number, name in enumerate(self.NAMES, 1):
                    hostile = self.HOSTILE.format(number)
                    self.assertEqual(client(hostile).allocate(name, b"wrong")[0], 401)
                    expected[hostile] += 1
                self.assertEqual(client("127.0.0.13").allocate(password=b"wrong")[0], 401)
                expected["127.0.0.13"] += 1
                if daemon.ports["udp6"]:
                    self.assertEqual(client("::1", "udp6").allocate(password=b"wrong")[0], 401)
                    expected["::1"] += 1
                # There are more requests than the daemon answers, and than it logs. The number of lines is
                # not tested, but the last one is this client's.
                flood = client("127.0.0.14")
                flood.learn_nonce()
                for _ in range(100):
                    flood.socket.send(flood.signed(Client.ALLOCATE, Client.UDP, self.FORGED.encode(), b"wrong"))
                until("refusals without an answer", lambda: daemon.metric('turnpike_refused_total{reason="failures_per_second"}'))
                # This is the signaling endpoint.
                page = "GET /ice-servers HTTP/1.1\nHost: %s\nX-Forwarded-For: 1.2.3.4\nConnection: close\n%s\n"
                self.http(daemon, "127.0.0.20", page % ("localhost", "Authorization: Bearer 1.2.3\n"))
                expected["127.0.0.20"] += 1
                self.http(daemon, "127.0.0.21", page % ("localhost", 'Origin: http://x" from 1.2.3.4 (signaling.token_secrets)\n'))
                self.http(daemon, "127.0.0.22", page % ("from.1.2.3.4", "Origin: http://1.2.3.4\n"))
                open_ones = [self.http(daemon, "127.0.0.23", "", wait=False) for _ in range(3)]
                self.assertRegex(open_ones[2].recv(100), b"^HTTP/1.1 [45]", "two connections are what an address may have")
            finally:
                daemon.stop()
            self.assertRegex(daemon.log(), r"client=127\.0\.0\.14:.* count=\d+ not_answered=\d+")
            flood_lines = len(re.findall(r"refused.*client=127\.0\.0\.14:", daemon.log()))
            self.assertGreater(flood_lines, 1)
            expected["127.0.0.14"] = flood_lines
            return daemon.lines, expected

    def matched(self, lines, mode="normal"):
        with tempfile.NamedTemporaryFile("w", suffix=".log", errors="surrogateescape") as file:
            file.writelines(lines)
            file.flush()
            done = subprocess.run(
                [find("fail2ban-regex"), "--raw", "--out", "<ip> <time>", file.name, f"{self.FILTER}[mode={mode}]"],
                capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "America/New_York"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = [line.split() for line in done.stdout.splitlines() if line.strip()]
        return collections.Counter(ip for ip, _ in found), [float(at) for _, at in found]

    def check(self, log_format):
        began = time.time()
        lines, expected = self.lines_of_daemon(log_format)
        # Each line comes twice: as it is in a file, and with the beginning that the journal or a syslog
        # daemon writes.
        host = [f"{time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime())} some-host turnpike[12]: {line}" for line in lines]
        found, times = self.matched(lines + host)
        self.assertEqual(found, expected + expected, "".join(lines))
        self.assertTrue(all(began - 2 < at < time.time() + 2 for at in times), "the times are not those of the lines")
        expected["127.0.0.23"] = 1
        self.assertEqual(self.matched(lines + host, "aggressive")[0], expected + expected)

    def test_text(self):
        self.check("text")

    def test_json(self):
        self.check("json")

    def test_the_jail(self):
        """fail2ban takes the jail, and closes both transports."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for part in ["fail2ban.conf", "jail.conf", "action.d", "paths-common.conf", "paths-debian.conf"]:
                (folder / part).symlink_to(f"/etc/fail2ban/{part}")
            for part, source in {"filter.d": self.FILTER, "jail.d": CONF / "fail2ban/jail.conf"}.items():
                (folder / part).mkdir()
                (folder / part / "turnpike.conf").symlink_to(source)
            done = subprocess.run([find("fail2ban-client"), "-c", name, "-d"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("['add', 'turnpike', 'systemd']", done.stdout)
        self.assertIn("_SYSTEMD_UNIT=turnpike.service", done.stdout)
        self.assertRegex(done.stdout, r"\['port', '3478,5349,443'\]")
        self.assertRegex(done.stdout, r"\['protocol', 'tcp,udp'\]")


if __name__ == "__main__":
    program = unittest.main(exit=False)
    missing = {reason for _, reason in program.result.skipped}
    for reason in missing:
        print(f"monitoring: skipped: {reason}")
    if not program.result.wasSuccessful() or (missing and STRICT):
        sys.exit(1)
    # Without Prometheus, most of it was not tested.
    sys.exit(77 if any("prometheus" in reason for reason in missing) else 0)
