#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "describe.hpp"

namespace turnpike::config {
namespace {

using test::outcome;

const std::string kReadable = TURNPIKE_SOURCE_DIR "/README.md";

Config loaded(const std::string& text) {
  const Result<Config, Errors> config = parse(text, "t.yaml");
  INFO(outcome(config));
  REQUIRE(config.has_value());
  return *config;
}

TEST_CASE("signaling is off until one of its keys is set", "[config]") {
  CHECK_FALSE(loaded("").signaling.enabled);
  CHECK_FALSE(loaded("signaling:").signaling.enabled);
  CHECK_FALSE(loaded("signaling: {}").signaling.enabled);
  const Config config = loaded("signaling: {list_rooms: true}");
  CHECK(config.signaling.enabled);
  REQUIRE(config.signaling.listen.size() == 1);
  CHECK(config.signaling.listen[0].endpoint.to_string() == "127.0.0.1:8080");
  CHECK_FALSE(config.signaling.listen[0].secure);
}

TEST_CASE("everybody may come in on loopback, and elsewhere only by token or when that is written out",
          "[config]") {
  const auto access = [](const std::string& keys) {
    return loaded("signaling: {token_secrets: [0123456789abcdef], " + keys + "}")
        .signaling.effective_access();
  };
  CHECK(access("listen: http://127.0.0.1:80") == signaling::Access::open);
  CHECK(access("listen: 'http://[::1]:80'") == signaling::Access::open);
  CHECK(access("listen: [http://127.0.0.1:80, http://127.0.0.2:81]") == signaling::Access::open);
  CHECK(access("listen: http://0.0.0.0:80") == signaling::Access::token);
  CHECK(access("listen: [http://127.0.0.1:80, http://192.0.2.1:81]") == signaling::Access::token);
  CHECK(access("listen: http://0.0.0.0:80, access: open") == signaling::Access::open);
  CHECK(access("listen: http://127.0.0.1:80, access: token") == signaling::Access::token);
}

TEST_CASE("a proxy or a public host says that others can reach it, so a token is asked for", "[config]") {
  const auto access = [](const std::string& keys) {
    return loaded("signaling: {token_secrets: [0123456789abcdef], listen: http://127.0.0.1:80, " + keys + "}")
        .signaling.effective_access();
  };
  CHECK(access("trusted_proxies: [127.0.0.1]") == signaling::Access::token);
  CHECK(access("public_host: turn.example.org") == signaling::Access::token);
  CHECK(access("public_host: turn.example.org, access: open") == signaling::Access::open);
  CHECK(access("trusted_proxies: [127.0.0.1], access: open") == signaling::Access::open);
  CHECK(access("trusted_proxies: []") == signaling::Access::open);
  for (const std::string key : {"trusted_proxies: [127.0.0.1]", "public_host: turn.example.org"}) {
    CHECK(outcome("signaling: {" + key + "}").find("expected token_secrets") != std::string::npos);
  }
}

TEST_CASE("access that is open to others than this machine brings a warning", "[config]") {
  const auto warnings = [](const std::string& keys, const std::string& more = "") {
    return loaded(more + "signaling: {" + keys + "}").warnings;
  };
  const auto told = [](const std::string& where) {
    return std::vector<std::string>{
        where + ": signaling.access is open: everybody who can reach the page may use the relay"};
  };
  CHECK(warnings("access: open, listen: http://0.0.0.0:80") == told("t.yaml:1"));
  CHECK(warnings("access: open, public_host: turn.example.org") == told("t.yaml:1"));
  CHECK(warnings("access: open, trusted_proxies: [127.0.0.1]") == told("t.yaml:1"));
  CHECK(warnings("access: open, listen: []", "listen: [auto://0.0.0.0:443]\n") == told("t.yaml:2"));
  CHECK(warnings("access: open, listen: []",
                 "listen: [{url: auto://127.0.0.1:443, proxy_protocol: [127.0.0.1]}]\n") == told("t.yaml:2"));
  CHECK(warnings("access: open").empty());
  CHECK(warnings("listen: http://127.0.0.1:80").empty());
}

TEST_CASE("origins are taken as browsers write them", "[config]") {
  const Config c =
      loaded("signaling: {cors: [HTTPS://App.Example:443/, null, 'null', 'http://[0::1]:3000']}");
  CHECK(c.signaling.cors ==
        std::vector<std::string>{"https://app.example", "null", "null", "http://[::1]:3000"});
  for (const std::string origin :
       {"https://app.example/page", "'https://*.example'", "app.example", "'*'", "''", "{}"}) {
    CAPTURE(origin);
    CHECK(outcome("signaling: {cors: [" + origin + "]}").find("expected an origin") != std::string::npos);
  }
}

TEST_CASE("hosts are names, or all names below one", "[config]") {
  const Config c = loaded("signaling: {hosts: [tunnel.example, '*.loca.lt']}");
  CHECK(c.signaling.hosts == std::vector<std::string>{"tunnel.example", "*.loca.lt"});
  for (const std::string host :
       {"'*'", "'*.*.lt'", "a*.lt", "'http://x'", "x:80", "192.0.2.1", ".x", "''", "null"}) {
    CAPTURE(host);
    CHECK(outcome("signaling: {hosts: [" + host + "]}").find("expected a host name") != std::string::npos);
  }
}

TEST_CASE("secrets that can be guessed bring a warning or an error", "[config]") {
  CHECK(loaded("auth: {secrets: [0123456789abcdef]}").warnings.empty());
  const Config c = loaded("auth:\n  secrets:\n    - 0123456789abcdef\n    - eightlet\n    - fifteen-letters");
  CHECK(c.warnings ==
        std::vector<std::string>{
            "t.yaml:4: auth.secrets[1]: this secret has fewer than 16 characters, so it can be guessed",
            "t.yaml:5: auth.secrets[2]: this secret has fewer than 16 characters, so it can be guessed"});
  CHECK(outcome("auth: {secrets: [seven77]}").find("at least 8 characters") != std::string::npos);
}

// A file that is removed at the end of the test.
class File {
 public:
  File(const std::string& text, mode_t mode) {
    const int fd = mkstemp(path_.data());
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    REQUIRE(fchmod(fd, mode) == 0);
    close(fd);
  }
  ~File() { std::remove(path_.c_str()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/turnpike-config-XXXXXX";
};

TEST_CASE("files with secrets that everybody may read bring a warning", "[config]") {
  const auto warnings = [](const std::string& text, mode_t mode) {
    const File file(text, mode);
    const Result<Config, Errors> config = load(file.path());
    REQUIRE(config.has_value());
    std::string all;
    for (const std::string& warning : config->warnings) all += warning + '\n';
    const std::size_t at = all.find(file.path());
    return at == std::string::npos ? all : all.replace(at, file.path().size(), "FILE");
  };
  const std::string told =
      "FILE: this file has secrets, and everybody on this machine can read it: run chmod o-r\n";
  CHECK(warnings("auth: {users: {alice: secret}}", 0644) == told);
  CHECK(warnings("auth: {secrets: [0123456789abcdef]}", 0604) == told);
  CHECK(warnings("signaling: {token_secrets: [0123456789abcdef]}", 0644) == told);
  CHECK(warnings("auth: {users: {alice: secret}}", 0640).empty());
  CHECK(warnings("realm: example.org", 0644).empty());  // there is nothing to hide in it
  const File secret("0123456789abcdef", 0600);
  CHECK(warnings("auth: {secrets: [{file: " + secret.path() + "}]}", 0644).empty());  // nor in this one

  const File open("", 0644);
  const File closed("", 0600);
  const std::string key_told =
      open.path() + ": this file has secrets, and everybody on this machine can read it: run chmod o-r\n";
  const auto tls = [&](const std::string& key) {
    return "{certificate: " + open.path() + ", private_key: " + key + "}";
  };
  CHECK(warnings("tls: " + tls(open.path()), 0600) == key_told);
  CHECK(warnings("tls: " + tls(closed.path()), 0600).empty());
  CHECK(warnings("tls: {certificates: [" + tls(closed.path()) + ", " + tls(open.path()) + "]}", 0600) ==
        key_told);
}

TEST_CASE("every key of signaling is read", "[config]") {
  const Config c = loaded("tls: {certificate: " + kReadable + ", private_key: " + kReadable +
                          "}\n"
                          "signaling:\n"
                          "  listen: [http://127.0.0.1:8080, 'https://[::]:443']\n"
                          "  access: token\n"
                          "  token_secrets: [0123456789abcdef, fedcba9876543210]\n"
                          "  public_host: turn.example.org\n"
                          "  root: " TURNPIKE_SOURCE_DIR
                          "\n"
                          "  cors: [https://admin.example.org, 'http://localhost:3000']\n"
                          "  trusted_proxies: [127.0.0.1, 10.0.0.0/8]\n"
                          "  credential_lifetime: 24h\n"
                          "  connect_timeout: 1500ms\n"
                          "  max_payload: 1000000\n"
                          "  max_waiting: 5000000\n"
                          "  preset: echo\n"
                          "  list_rooms: true\n"
                          "  ping_interval: 300ms\n"
                          "  ping_timeout: 200ms\n"
                          "  recovery: 2m\n"
                          "  hosts: ['*.loca.lt']\n"
                          "  bytes_per_second_per_address: 8\n"
                          "  connections: 7\n"
                          "  connections_per_address: 6\n"
                          "  credentials_per_second: 5\n"
                          "  members_per_room: 4\n"
                          "  rooms_per_address: 3\n");
  CHECK(c.tls.certificate.name == kReadable);
  const SignalingParams& s = c.signaling;
  REQUIRE(s.listen.size() == 2);
  CHECK(s.listen[1].secure);
  CHECK(s.listen[1].endpoint.to_string() == "[::]:443");
  CHECK(s.token_secrets.size() == 2);
  CHECK(s.public_host == "turn.example.org");
  CHECK(s.root == TURNPIKE_SOURCE_DIR);
  CHECK(s.cors == std::vector<std::string>{"https://admin.example.org", "http://localhost:3000"});
  CHECK(s.trusted_proxies.size() == 2);
  CHECK(s.credential_lifetime == std::chrono::hours(24));
  CHECK(s.connect_timeout == std::chrono::milliseconds(1500));
  CHECK(s.http.message_bytes == 1'000'000);
  CHECK(s.http.waiting_bytes == 5'000'000);
  CHECK(s.preset == signaling::Preset::echo);
  CHECK(s.list_rooms);
  CHECK(s.ping_interval == std::chrono::milliseconds(300));
  CHECK(s.ping_timeout == std::chrono::milliseconds(200));
  CHECK(s.recovery == std::chrono::minutes(2));
  CHECK(s.http.connections == 7);
  CHECK(s.http.connections_per_address == 6);
  CHECK(s.credentials_per_second == 5);
  CHECK(s.limits.members_per_room == 4);
  CHECK(s.limits.rooms_per_address == 3);
}

TEST_CASE("the smallest and the greatest numbers of octets are accepted", "[config]") {
  const Config greatest = loaded("signaling: {max_payload: 16777216, max_waiting: 268435456}");
  CHECK(greatest.signaling.http.message_bytes == 16'777'216);
  CHECK(greatest.signaling.http.waiting_bytes == 268'435'456);
  const Config smallest = loaded("signaling: {max_payload: 1024, max_waiting: 1024}");
  CHECK(smallest.signaling.http.message_bytes == 1024);
  CHECK(smallest.signaling.http.waiting_bytes == 1024);
}

TEST_CASE("what signaling cannot honour is refused", "[config]") {
  const auto refused = [](const std::string& keys) { return outcome("signaling: {" + keys + "}"); };
  CHECK(refused("listen: ftp://127.0.0.1:1") ==
        "t.yaml:1: signaling.listen: expected http://ADDRESS:PORT or https://ADDRESS:PORT (got "
        "ftp://127.0.0.1:1)");
  CHECK(refused("listen: []") ==
        "t.yaml:1: signaling.listen: expected http://ADDRESS:PORT or https://ADDRESS:PORT, or an auto:// "
        "listener "
        "where it is empty (got a list)");
  CHECK(refused("listen: [http://127.0.0.1:1, http://0.0.0.0:1], access: open") ==
        "t.yaml:1: signaling.listen[1]: expected an address and port that no other entry takes (got "
        "http://0.0.0.0:1)");
  CHECK(refused("listen: https://127.0.0.1:1") ==
        "t.yaml:1: signaling.listen: https:// needs tls.certificate and tls.private_key");
  CHECK(refused("listen: http://0.0.0.0:1") ==
        "t.yaml:1: signaling: expected token_secrets, since access is token by default where others can "
        "reach it, by an address, a proxy or a public host; or access: open, for everybody");
  CHECK(refused("access: token") == "t.yaml:1: signaling: expected token_secrets, since access is token");
  CHECK(refused("access: yes") == "t.yaml:1: signaling.access: expected open or token (got yes)");
  CHECK(refused("token_secrets: [short]").find("short") == std::string::npos);
  CHECK(refused("public_host: 'http://x'").find("expected a host name") != std::string::npos);
  CHECK(refused("root: /nowhere").find("expected an existing folder") != std::string::npos);
  CHECK(refused("cors: ['*']").find("expected an origin") != std::string::npos);
  CHECK(refused("cors: ['https://x/y']").find("expected an origin") != std::string::npos);
  CHECK(refused("trusted_proxies: [10.1.2.3/8]").find("expected a prefix") != std::string::npos);
  CHECK(refused("connect_timeout: 45").find("a unit after the number") != std::string::npos);
  CHECK(refused("credential_lifetime: 25h").find("from 60s to 24h") != std::string::npos);
  CHECK(refused("preset: other") ==
        "t.yaml:1: signaling.preset: expected one of course, echo, none (got other)");
  CHECK(refused("list_rooms: yes") == "t.yaml:1: signaling.list_rooms: expected true or false (got yes)");
  CHECK(refused("recovery: 3m").find("from 0ms to 120s") != std::string::npos);
  for (const std::string number : {"1", "1023", "16777217"})
    CHECK(refused("max_payload: " + number).find("from 1024 to 16777216") != std::string::npos);
  CHECK(outcome("tls: {certificate: /nowhere/x}") ==
        "t.yaml:1: tls.certificate: file /nowhere/x cannot be read: No such file or directory\n"
        "t.yaml:1: tls: certificate needs private_key");
}

TEST_CASE("an auto:// listener lets people in to the page", "[config]") {
  const Config open = loaded("listen: [auto://127.0.0.1:1]\nsignaling: {listen: []}");
  CHECK(open.listen.at(0).auto_detect);
  CHECK(open.listen.at(0).transport == Transport::tcp);
  CHECK(open.signaling.listen.empty());
  CHECK(open.signaling.effective_access() == signaling::Access::open);
  // Clients of that listener need a token, although the signaling itself listens on loopback.
  const Config secured = loaded(
      "listen: [{url: auto://0.0.0.0:1, proxy_protocol: [10.0.0.0/8, 192.0.2.1]}]\n"
      "signaling: {token_secrets: [0123456789abcdef]}");
  CHECK(secured.listen.at(0).proxy_protocol.size() == 2);
  // Clients that come through a balancer on this machine need one too.
  const Config balanced = loaded(
      "listen: [{url: auto://127.0.0.1:1, proxy_protocol: [127.0.0.1]}]\n"
      "signaling: {listen: [], token_secrets: [0123456789abcdef]}");
  CHECK(balanced.signaling.effective_access() == signaling::Access::token);
  CHECK(secured.signaling.effective_access() == signaling::Access::token);
}

TEST_CASE("there may be several certificates", "[config]") {
  const std::string pair = "{certificate: " + kReadable + ", private_key: " + kReadable + "}";
  const Config c = loaded("listen: [tls://0.0.0.0:5349]\ntls: {certificates: [" + pair + ", " + pair + "]}");
  CHECK(c.tls.certificates.size() == 2);
  CHECK(c.tls.certificates[1].private_key.name == kReadable);
  CHECK(c.tls.complete());

  const auto refused = [&](const std::string& certificates) {
    return outcome("tls: {certificates: " + certificates + "}");
  };
  CHECK(refused("x") ==
        "t.yaml:1: tls.certificates: expected a list of maps with certificate and private_key (got x)");
  CHECK(refused("[x]") ==
        "t.yaml:1: tls.certificates[0]: expected a map with certificate and private_key (got x)");
  CHECK(refused("[{certificate: " + kReadable + "}]") ==
        "t.yaml:1: tls.certificates[0]: expected certificate and private_key (got a map)");
  CHECK(
      refused("[{certificate: /nowhere/x, private_key: " + kReadable + "}]") ==
      "t.yaml:1: tls.certificates[0].certificate: file /nowhere/x cannot be read: No such file or directory");
  CHECK(refused("[{certificate: " + kReadable + ", private_key: " + kReadable + ", name: x}]") ==
        "t.yaml:1: tls.certificates[0].name: unknown key, expected one of certificate, private_key");
  CHECK(outcome("tls: {certificate: " + kReadable + ", certificates: [" + pair + "]}") ==
        "t.yaml:1: tls: certificate needs private_key");
}

// Becomes somebody who has no rights, if the tests run as root.
class NoRights {
 public:
  NoRights() { change(was_root_ ? kNobody : geteuid()); }
  ~NoRights() { change(was_root_ ? 0 : geteuid()); }
  NoRights(const NoRights&) = delete;
  NoRights& operator=(const NoRights&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  static void change(uid_t user) { REQUIRE(seteuid(user) == 0); }
  const bool was_root_ = geteuid() == 0;
};

TEST_CASE("a folder for the page that cannot be entered is refused", "[config]") {
  std::string folder = "/tmp/turnpike-folder-XXXXXX";
  REQUIRE(mkdtemp(folder.data()));
  REQUIRE(chmod(folder.c_str(), 0600) == 0);
  std::string said;
  {
    const NoRights nobody;
    said = outcome("signaling: {root: " + folder + "}");
  }
  CHECK(rmdir(folder.c_str()) == 0);
  CHECK(said == "t.yaml:1: signaling.root: folder " + folder + " cannot be entered: Permission denied");
}

}  // namespace
}  // namespace turnpike::config
