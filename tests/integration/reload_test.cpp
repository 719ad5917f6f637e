// Compares what a reload reports with what it has done: for parts that exist from the start of the daemon,
// and for secrets that the daemon has made up.
#include <sys/stat.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "support/controlled.hpp"
#include "support/relay_client.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::test {
namespace {

namespace json = boost::json;

const std::string kStart =
    "realm: example.org\nlisten: [\"auto://127.0.0.1:0\"]\nauth: {users: {alice: secret}}\n";

json::array changed_by(const json::object& report) { return report.at("changed").as_array(); }
json::array due_after(const json::object& report) { return report.at("needs_restart").as_array(); }

bool has_text(const json::array& list, const std::string& text) {
  return std::ranges::find(list, json::value(text)) != list.end();
}

// Returns this daemon's answer to a request for credentials that follows `before`.
std::string ask_for_credentials(const Endpoint& at, const std::string& before = "") {
  const net::Fd fd = connect_to(at);
  write_all(fd.get(), before + "GET /ice-servers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return read_all(fd.get());
}

// Returns the listener of the page, which the log contains.
Endpoint page_of(const Daemon& daemon) {
  const std::string log = daemon.log();
  const std::size_t at = log.find("listening on http://") + 20;
  return Endpoint::parse(log.substr(at, log.find('\n', at) - at)).value();
}

}  // namespace

TEST_CASE("a first certificate needs a restart, and is tried out by the reload", "[integration][control]") {
  Controlled server({}, kStart);
  const CertificateFiles files;
  const TemporaryFile other(make_certificate().private_key);
  const auto name = [&](const std::string& key) {
    server.write_config(kStart + "tls: {certificate: " + files.certificate.path() + ", private_key: " + key +
                        "}\n");
  };
  name(other.path());
  for (const std::vector<std::string>& how : {std::vector<std::string>{"reload", "--dry-run"}, {"reload"}}) {
    const CommandOutcome refused = server.control(how);
    CHECK(refused.code == 1);
    CHECK_THAT(refused.text, Catch::Contains("key values mismatch"));
  }
  name(files.private_key.path());
  for (int i = 0; i < 2; ++i) {  // a restart that is due is not forgotten
    const CommandOutcome done = server.control({"reload"});
    REQUIRE(done.code == 0);
    CHECK(changed_by(done.json()).empty());
    REQUIRE(due_after(done.json()).size() == 2);
    CHECK(due_after(done.json())[0] == json::value("tls.certificate:  -> " + files.certificate.path()));
  }
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("a reload says all faults of its file, and changes nothing", "[integration][control]") {
  Controlled server({}, kStart);
  const CertificateFiles files;
  const TemporaryFile other(make_certificate().private_key);
  const std::string at = server.daemon.config_file() + ':';
  const std::string of_use =
      "realm: example.org\nlisten: [\"auto://127.0.0.1:0\"]\nauth: {users: {alice: secret, "
      "\"a\\u00adb\": secret}}\ntls: {certificate: " +
      files.certificate.path() + ", private_key: " + other.path() + "}\n";
  for (const std::string more : {"", "workers: none\ncluster: {secret: {file: /no/such}}\n"}) {
    server.write_config(of_use + more);
    const CommandOutcome refused = server.control({"reload"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.text,
               Catch::Contains(at + "3: auth.users: ") && Catch::Contains(at + "4: tls.private_key: "));
    CHECK(server.daemon.wait_for_log("reload: " + at + "4: tls.private_key: "));
    if (!more.empty()) CHECK_THAT(refused.text, Catch::Contains(at + "5: workers: "));
  }
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("a reload says all files of tls that cannot be used", "[integration][control]") {
  const CertificateFiles files;
  const TemporaryFile nothing("nothing");
  for (const bool has_tls : {true, false}) {
    Controlled server(has_tls ? files.with({}) : std::vector<std::string>(), kStart);
    const std::string at = server.daemon.config_file() + ':';
    server.write_config(kStart + "tls:\n  certificates:\n    - {certificate: " + nothing.path() +
                        ", private_key: " + files.private_key.path() + "}\n    - certificate: " +
                        files.certificate.path() + "\n      private_key: " + nothing.path() + '\n');
    const CommandOutcome refused = server.control({"reload"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.text, Catch::Contains(at + "6: tls.certificates[0].certificate: " + nothing.path()));
    CHECK_THAT(refused.text, Catch::Contains(at + "8: tls.certificates[1].private_key: " + nothing.path()));
    CHECK(server.daemon.stop() == 0);
  }
}

TEST_CASE("a reload does not begin to signal, and says that this needs a restart", "[integration][control]") {
  Controlled server({}, kStart);
  server.write_config(kStart + "signaling: {access: open}\n");
  for (int i = 0; i < 2; ++i) {
    const json::object done = server.control({"reload"}).json();
    CHECK(changed_by(done).empty());
    CHECK(has_text(due_after(done), "signaling: off -> on"));
    CHECK(has_text(due_after(done), "signaling.access:  -> open"));
  }
  server.write_config(kStart + "signaling: {listen: 'http://127.0.0.1:8080'}\n");  // the default, written out
  CHECK(has_text(due_after(server.control({"reload"}).json()), "signaling: off -> on"));
  CHECK_THAT(ask_for_credentials(server.daemon.listener()), Catch::StartsWith("HTTP/1.1 404"));
  server.write_config(kStart);
  CHECK(due_after(server.control({"reload"}).json()).empty());
}

// The listener of the signaling stays, but the section that said who may use it is no longer there.
TEST_CASE("a reload without the section leaves signaling as it was, closed to strangers",
          "[integration][control]") {
  const std::string section =
      "signaling: {listen: 'http://127.0.0.1:0', trusted_proxies: [127.0.0.1], public_host: "
      "turn.example.org, "
      "access: token, token_secrets: [0123456789abcdef0123456789abcdef]}\n";
  Controlled server({}, kStart + section);
  const Endpoint page = page_of(server.daemon);
  REQUIRE_THAT(ask_for_credentials(page), Catch::StartsWith("HTTP/1.1 401"));
  server.write_config(kStart);
  for (int i = 0; i < 2; ++i) {
    const json::object done = server.control({"reload"}).json();
    CHECK(changed_by(done).empty());
    CHECK(has_text(due_after(done), "signaling: on -> off"));
    CHECK(has_text(due_after(done), "signaling.access: token -> "));
    CHECK_THAT(ask_for_credentials(page), Catch::StartsWith("HTTP/1.1 401"));
  }
  server.write_config(kStart + section);
  CHECK(due_after(server.control({"reload"}).json()).empty());
}

TEST_CASE("behind a balancer that is there until a restart, signaling stays closed",
          "[integration][control]") {
  const std::string start = "realm: example.org\nauth: {users: {alice: secret}}\n";
  const std::string balanced = "listen: [{url: 'auto://127.0.0.1:0', proxy_protocol: [127.0.0.1]}]\n";
  const std::string direct = "listen: ['auto://127.0.0.1:0']\n";
  const std::string page = "signaling: {listen: []";
  const std::string closed = page + ", token_secrets: [0123456789abcdef0123456789abcdef]}\n";
  Controlled server({}, start + balanced + closed);
  const auto ask = [&] {
    return ask_for_credentials(server.daemon.listener(), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  };
  REQUIRE_THAT(ask(), Catch::StartsWith("HTTP/1.1 401"));
  server.write_config(start + direct + closed);
  REQUIRE(server.control({"reload"}).code == 0);
  CHECK_THAT(ask(), Catch::StartsWith("HTTP/1.1 401"));
  server.write_config(start + direct + page + ", list_rooms: true}\n");
  const CommandOutcome refused = server.control({"reload"});
  CHECK(refused.code == 1);
  CHECK_THAT(
      refused.text,
      Catch::Contains(
          "expected token_secrets, because other machines can reach the present listeners until a restart"));
  CHECK_THAT(ask(), Catch::StartsWith("HTTP/1.1 401"));
}

// Otherwise the reload would wait for the writer, and the watchdog would end all calls.
TEST_CASE("a reload waits for no file that is written while it is read", "[integration][control]") {
  Controlled server({}, kStart);
  std::filesystem::remove(server.daemon.config_file());
  REQUIRE(mkfifo(server.daemon.config_file().c_str(), 0600) == 0);
  const CommandOutcome refused = server.control({"reload"});
  CHECK(refused.code == 1);
  CHECK_THAT(refused.text, Catch::Contains("is not a regular file"));
}

TEST_CASE("the secret that was made up for a run outlives its reloads", "[integration][control]") {
  const std::string config =
      "realm: example.org\nlisten: ['udp://127.0.0.1:0']\nrelay: {addresses: [127.0.0.1]}\n"
      "signaling: {listen: 'http://127.0.0.1:0', access: open}\n";
  const std::string secrets = GENERATE(as<std::string>(), "", "auth: {secrets: []}\n");
  Controlled server({}, config + secrets);
  const std::string answer = ask_for_credentials(page_of(server.daemon));
  const json::value told = json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  const json::object& relay = told.at("iceServers").as_array().back().as_object();
  const std::string user(relay.at("username").as_string());
  const std::string password(relay.at("credential").as_string());
  server.write_config(config + "auth: {secrets: []}\n");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(server.control({"reload"}).code == 0);
    CHECK(server.client(user, password).allocate() == 0);
  }
  // A configured secret is no longer valid when the file does not contain it any more.
  server.write_config(config + "auth: {secrets: [north-star-secret]}\n");
  REQUIRE(server.control({"reload"}).code == 0);
  CHECK(server.client(user, password).allocate() == 401);
}

}  // namespace turnpike::test
