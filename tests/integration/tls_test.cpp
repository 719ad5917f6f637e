// Tests certificates, sessions and hostile clients of TLS against the real daemon.
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/relay_client.hpp"
#include "support/temporary_folder.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kNames = "IP:127.0.0.1,DNS:localhost";

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A daemon with TURN by TLS and the call page by https, with the same certificate.
struct HttpsServer : TlsDaemon {
  explicit HttpsServer(const std::vector<std::string>& set = {})
      : TlsDaemon(joined({R"(listen=["tls://127.0.0.1:0"])", "signaling.listen=https://127.0.0.1:0"}, set),
                  make_certificate(kNames, "old")) {
    const std::string log = daemon.log();
    const std::size_t at = log.find("https://") + 8;
    https = Endpoint::parse(log.substr(at, log.find('\n', at) - at)).value();
  }

  void install(const Certificate& made) const {
    write(files.certificate.path(), made.certificate);
    write(files.private_key.path(), made.private_key);
  }
  // Sends SIGHUP and waits for this line in the log.
  void reload(const std::string& said) {
    const std::size_t before = daemon.log().size();
    kill(daemon.pid(), SIGHUP);
    REQUIRE(daemon.wait_for_log(said, before));
  }
  Endpoint turn() const { return daemon.listener(0); }

  Endpoint https;
};

}  // namespace

TEST_CASE("a new certificate is shown to new connections, and 200 others notice nothing", "[integration]") {
  HttpsServer server({"limits.idle_connections_per_address=0"});
  client::UdpSocket peer(loopback(Family::ipv4));
  std::vector<std::unique_ptr<RelayClient>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<RelayClient>(server.turn(), Transport::tls));
    REQUIRE(clients.back()->allocate() == 0);
    REQUIRE(clients.back()->bind(0x4000, peer.local()) == 0);
  }
  TlsProbe page(server.https);
  REQUIRE(page.is_open());
  CHECK(TlsProbe(server.turn()).shown() == "old");

  // Each of them is in the middle of a message while the certificate changes.
  const auto send = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) clients[i]->send_on_channel(0x4000, octets(std::to_string(i)));
  };
  send(0, 100);
  server.install(make_certificate(kNames, "new"));
  server.reload("reloaded");
  send(100, clients.size());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto datagram = peer.receive(10s);
    REQUIRE(datagram);
    peer.send_to(datagram->bytes, datagram->from);
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto arrival = clients[i]->receive();
    REQUIRE(arrival);
    CHECK(arrival->text() == std::to_string(i));
  }
  CHECK(TlsProbe(server.turn()).shown() == "new");
  CHECK(TlsProbe(server.https).shown() == "new");
  REQUIRE(page.write("GET /ice-servers HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  CHECK_THAT(page.read(), Catch::StartsWith("HTTP/1.1 200"));
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("an address may begin so many handshakes in a second for the page too, unless it is exempt",
          "[integration]") {
  signal(SIGPIPE, SIG_IGN);  // from connections that are closed at once
  constexpr int kTries = 30;
  HttpsServer server({"limits.unauthenticated_per_second=1"});
  const auto count_open = [&] {
    int open = 0;
    for (int i = 0; i < kTries; ++i) open += TlsProbe(server.https).is_open() ? 1 : 0;
    return open;
  };
  const int open = count_open();
  CHECK(open >= 2);
  CHECK(open < kTries);
  CHECK(server.daemon.wait_for_log(
      "signaling refused handshake from 127.0.0.1 (limits.unauthenticated_per_second)"));
  write(server.daemon.config_file(), std::string(kLoopbackConfig) + "clients: {exempt: [127.0.0.0/8]}\n");
  server.reload("reloaded");
  CHECK(count_open() == kTries);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(),
             Catch::Contains("signaling refused: handshake=" + std::to_string(kTries - open)));
}

TEST_CASE("files that cannot be used change nothing, and the log says why", "[integration]") {
  HttpsServer server;
  const Certificate good = make_certificate(kNames, "new");
  const auto still_old = [&] {
    CHECK(TlsProbe(server.turn()).shown() == "old");
    CHECK(TlsProbe(server.https).shown() == "old");
  };
  write(server.files.certificate.path(), good.certificate);  // and not yet the key
  server.reload("reload: tls.private_key: " + server.files.private_key.path() + ": key values mismatch");
  still_old();
  write(server.files.private_key.path(),
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
  server.reload("reload: tls.private_key: " + server.files.private_key.path());
  still_old();
  CHECK_THAT(server.daemon.log(), !Catch::Contains("c2VjcmV0"));
  write(server.files.certificate.path(), "");
  server.reload("reload: tls.certificate: " + server.files.certificate.path());
  still_old();
  server.install(good);
  server.reload("reloaded");
  CHECK(TlsProbe(server.turn()).shown() == "new");
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("a certificate that is renewed is shown without a reload", "[integration]") {
  HttpsServer server;
  server.install(make_certificate(kNames, "new"));
  REQUIRE(server.daemon.wait_for_log("the certificate files have changed and were read again"));
  CHECK(TlsProbe(server.turn()).shown() == "new");
  CHECK(TlsProbe(server.https).shown() == "new");
}

// Mounts a secret as Kubernetes does: the files are links through ..data, which is moved from version to
// version.
class SecretMount {
 public:
  explicit SecretMount(const Certificate& made) {
    put(made);
    for (const char* name : {"tls.crt", "tls.key"}) {
      std::filesystem::create_symlink(std::filesystem::path("..data") / name, folder_ / name);
    }
  }

  void put(const Certificate& made) {
    const std::string version = ".." + std::to_string(++versions_);
    std::filesystem::create_directory(folder_ / version);
    folder_.write(version + "/tls.crt", made.certificate);
    folder_.write(version + "/tls.key", made.private_key);
    lead_to(version);
  }
  void put_link_again() { lead_to(".." + std::to_string(versions_)); }
  std::string file(const char* name) const { return folder_ / name; }

 private:
  void lead_to(const std::string& version) {
    std::filesystem::create_symlink(version, folder_ / "..data_tmp");
    std::filesystem::rename(folder_ / "..data_tmp", folder_ / "..data");
  }

  TemporaryFolder folder_;
  int versions_ = 0;
};

TEST_CASE("a secret of Kubernetes that is renewed is shown, and what is wrong with one is said once",
          "[integration]") {
  SecretMount secret(make_certificate(kNames, "old"));
  Daemon daemon({R"(listen=["tls://127.0.0.1:0"])", "tls.certificate=" + secret.file("tls.crt"),
                 "tls.private_key=" + secret.file("tls.key")});
  CHECK(TlsProbe(daemon.listener()).shown() == "old");
  const std::string wrong = "the certificate files have changed, and the certificates stay as they were";
  secret.put({"no certificate", "no key"});
  REQUIRE(daemon.wait_for_log(wrong));
  secret.put_link_again();          // the same files once more
  std::this_thread::sleep_for(1s);  // nothing may come of it
  const std::size_t before = daemon.log().size();
  secret.put(make_certificate(kNames, "new"));
  REQUIRE(daemon.wait_for_log("the certificate files have changed and were read again", before));
  CHECK(TlsProbe(daemon.listener()).shown() == "new");
  const std::string log = daemon.log();
  CHECK(log.find(wrong) == log.rfind(wrong));
}

TEST_CASE("certificates that are not valid today bring a warning", "[integration]") {
  constexpr long kHour = 60 * 60;
  const Certificate expired = make_certificate("DNS:turn.example.org", "a", {-2 * kHour, -kHour});
  TlsDaemon server({R"(listen=["tls://127.0.0.1:0"])"}, expired);
  const std::string which = "tls.certificate: " + server.files.certificate.path() + " for turn.example.org: ";
  CHECK_THAT(server.daemon.log(), Catch::Contains(which + "has expired at 20"));
  Child check(joined({daemon_path(), "--check", "--config", server.daemon.config_file()},
                     {"--set", "tls.certificate=" + server.files.certificate.path(), "--set",
                      "tls.private_key=" + server.files.private_key.path()}));
  CHECK(check.wait() == 0);
  CHECK_THAT(check.output(), Catch::Contains("warning: " + which + "has expired at 20"));

  const Certificate early = make_certificate("DNS:turn.example.org", "b", {kHour, 2 * kHour});
  write(server.files.private_key.path(), early.private_key);
  write(server.files.certificate.path(), early.certificate);
  CHECK(server.daemon.wait_for_log(which + "is not valid before 20"));
}

// This is how systemctl reload works, which has to fail when the reload fails.
TEST_CASE("the sender of a reload request learns whether it succeeded", "[integration]") {
  HttpsServer server;
  const auto ask = [](const std::string& pid) {
    Child child({test::daemon_path(), "--reload", pid});
    const int exit_code = child.wait();
    return std::pair(exit_code, child.output());
  };
  const std::string pid = std::to_string(server.daemon.pid());
  CHECK(ask(pid) == std::pair(0, std::string()));
  CHECK(server.daemon.wait_for_log("reloaded"));
  std::ofstream(server.files.private_key.path()) << "nonsense";
  const auto [exit_code, said] = ask(pid);
  CHECK(exit_code == 1);
  CHECK(said.find("process " + pid + " could not reload and has changed nothing") != std::string::npos);
  CHECK(server.daemon.wait_for_log("the reload failed, and nothing was changed"));
  CHECK(ask("2147483647").first == 1);  // nobody has that id
  CHECK(ask("x").first == 1);
}

TEST_CASE("a process that is no turnpike survives somebody who asks it for a reload", "[integration]") {
  Child other({"/bin/sleep", "60"});
  const std::string pid = std::to_string(other.pid());
  Child asker({daemon_path(), "--reload", pid});
  CHECK(asker.wait() == 1);
  CHECK(asker.output() == "turnpike: process " + pid + " is not a turnpike but sleep\n");
  other.signal(SIGTERM);
  CHECK(other.wait() == 128 + SIGTERM);  // and of nothing before that
}

TEST_CASE("a reload takes its configuration from the daemon alone", "[integration]") {
  Daemon daemon;
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--check"},
                                               {"--set", "realm=example.org"},
                                               {"--config", daemon.config_file()}}) {
    CAPTURE(more);
    Child asker(joined({daemon_path(), "--reload", std::to_string(daemon.pid())}, more));
    CHECK(asker.wait() == 1);
    CHECK_THAT(asker.output(), Catch::Contains("excludes") && Catch::Contains(more.front()));
  }
  CHECK(daemon.stop() == 0);
  CHECK(count(daemon.log(), "reloaded") == 0);
}

// Waits until a `turnpike --reload` has asked and waits for the answer.
void wait_until_asked(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (long call = -1; call != SYS_rt_sigtimedwait;) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(5ms);
    if (!(std::ifstream("/proc/" + std::to_string(pid) + "/syscall") >> call)) call = -1;
  }
}

// The daemon must not merge a signal with earlier ones that it has not read yet.
TEST_CASE("everybody who asks for a reload is answered, beside others and beside SIGHUP", "[integration]") {
  Daemon daemon;
  kill(daemon.pid(), SIGSTOP);
  kill(daemon.pid(), SIGHUP);
  std::vector<std::unique_ptr<Child>> askers;
  for (int i = 0; i < 6; ++i) {
    askers.push_back(std::make_unique<Child>(
        std::vector<std::string>{test::daemon_path(), "--reload", std::to_string(daemon.pid())}));
  }
  for (const auto& asker : askers) wait_until_asked(asker->pid());
  kill(daemon.pid(), SIGCONT);
  for (const auto& asker : askers) {
    CHECK(asker->wait() == 0);
    CHECK(asker->output() == "");
  }
  CHECK(daemon.stop() == 0);  // the log is whole then
  CHECK(count(daemon.log(), "reloaded") == 7);
}

// coturn reads its certificates again at this signal, so hooks of certbot send it.
TEST_CASE("SIGUSR2 reloads like SIGHUP", "[integration]") {
  Daemon daemon;
  kill(daemon.pid(), SIGUSR2);
  REQUIRE(daemon.wait_for_log("reloaded"));
  CHECK(daemon.stop() == 0);
}

TEST_CASE("a daemon without certificates survives SIGHUP", "[integration]") {
  Daemon daemon;
  kill(daemon.pid(), SIGHUP);
  REQUIRE(daemon.wait_for_log("reloaded"));
  CHECK(daemon.stop() == 0);
}

TEST_CASE("each name has its certificate, and so has the page", "[integration]") {
  const Certificate pem = make_certificate("DNS:other.example", "other");
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile key(pem.private_key);
  HttpsServer server(
      {"tls.certificates=[{certificate: " + certificate.path() + ", private_key: " + key.path() + "}]"});
  for (const Endpoint& at : {server.turn(), server.https}) {
    CHECK(TlsProbe(at).shown() == "old");
    CHECK(TlsProbe(at, {.server_name = "other.example"}).shown() == "other");
    CHECK(TlsProbe(at, {.server_name = "third.example"}).shown() == "old");
  }
}

TEST_CASE("a session is resumed at every worker, and after a reload", "[integration]") {
  HttpsServer server({"workers=4", "limits.idle_connections_per_address=0"});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    // A TURN client has its ticket only after it has read something.
    TlsProbe first(server.turn(), {.version = version});
    REQUIRE(first.write(std::string("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20)));
    REQUIRE_FALSE(first.read().empty());
    for (int i = 0; i < 16; ++i) {  // by chance one worker alone: 4^-15
      CHECK(TlsProbe(server.turn(), {.version = version, .session = first.session()}).resumed());
    }
    server.install(make_certificate(kNames, "new"));
    server.reload("reloaded");
    CHECK(TlsProbe(server.turn(), {.version = version, .session = first.session()}).resumed());
  }
}
