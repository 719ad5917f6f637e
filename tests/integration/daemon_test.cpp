// Starting, stopping and refusing to start.
#include "support/daemon.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "support/relay_client.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

struct Outcome {
  int exit_code;
  std::string output;
};

Outcome run(const std::string& config, std::vector<std::string> arguments) {
  const TemporaryFile file(config);
  std::vector<std::string> command{daemon_path(), "--config", file.path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Child child(command);
  const int exit_code = child.wait();
  return {exit_code, child.output()};
}

}  // namespace

TEST_CASE("SIGTERM and SIGINT end it with exit code 0", "[integration]") {
  for (const int signal : {SIGTERM, SIGINT}) {
    const TemporaryFile config(kLoopbackConfig);
    Child child({daemon_path(), "--config", config.path()});
    REQUIRE(child.wait_for(" ready"));
    child.signal(signal);
    CHECK(child.wait() == 0);
  }
}

TEST_CASE("--check says what is wrong, and starts nothing", "[integration]") {
  CHECK(run(kLoopbackConfig, {"--check"}).exit_code == 0);
  const Outcome unknown = run("realm: example.org\nrelais: {}\n", {"--check"});
  CHECK(unknown.exit_code == 1);
  CHECK_THAT(unknown.output, Catch::Contains(":2: relais: "));
  const Outcome absent = run("auth: {users: {\"a\\u00adb\": secret}}\n", {"--check"});
  CHECK(absent.exit_code == 1);
  CHECK_THAT(absent.output, Catch::Contains("OpaqueString") && !Catch::Contains("secret"));
}

TEST_CASE("--check warns of what is allowed and should not be", "[integration]") {
  const Outcome weak = run("auth: {secrets: [short-one]}\n", {"--check"});
  CHECK(weak.exit_code == 0);
  CHECK_THAT(weak.output,
             Catch::Contains("warning: ") && Catch::Contains("auth.secrets[0]: shorter than 16"));
  CHECK(run("auth: {secrets: [seven77]}\n", {"--check"}).exit_code == 1);
  CHECK(run("auth: {secrets: [long-enough-secret]}\n", {"--check"}).output.empty());
}

TEST_CASE("an address that is taken is said, and exit code 1", "[integration]") {
  const client::UdpSocket holder(loopback(Family::ipv4));
  const std::string at = holder.local().to_string();
  const Outcome outcome = run("listen: [\"udp://" + at + "\"]\n", {});
  CHECK(outcome.exit_code == 1);
  CHECK_THAT(outcome.output, Catch::Contains("cannot listen on udp://" + at + ": Address already in use"));
}

TEST_CASE("two daemons do not share a port", "[integration]") {
  Daemon first;
  const std::string at = first.listener().to_string();
  const Outcome second = run("listen: [\"udp://" + at + "\"]\n", {});
  CHECK(second.exit_code == 1);
  CHECK_THAT(second.output, Catch::Contains("Address already in use"));
}

TEST_CASE("a relay address that is not of this machine is said", "[integration]") {
  const Outcome outcome = run(kLoopbackConfig, {"--set", "relay.addresses=[192.0.2.77]"});
  CHECK(outcome.exit_code == 1);
  CHECK_THAT(outcome.output, Catch::Contains("192.0.2.77 is not an address of this machine"));
}

TEST_CASE("systemd is told READY=1", "[integration]") {
  const std::string path = "/tmp/turnpike-notify-" + std::to_string(getpid());
  const int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(receiver, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const timeval patience{10, 0};
  setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

  Daemon daemon({}, kLoopbackConfig, {.environment = {{"NOTIFY_SOCKET", path}}});
  std::array<char, 64> buffer;
  const ssize_t got = recv(receiver, buffer.data(), buffer.size(), 0);
  REQUIRE(got > 0);
  CHECK(std::string(buffer.data(), static_cast<std::size_t>(got)) == "READY=1");
  close(receiver);
  unlink(path.c_str());
}

TEST_CASE("without users and secrets it is a STUN server and nothing else", "[integration]") {
  Daemon daemon({"auth={}"});
  RelayClient client(daemon.listener());
  CHECK(client.ask(client.turn().binding()) == 0);
  CHECK(client.mapped() == client.local());
  CHECK(client.allocate() == 403);
  CHECK_THAT(daemon.log(), Catch::Contains("STUN only"));
}

TEST_CASE("the log can be JSON, and the file can be overridden", "[integration]") {
  Daemon daemon({"log.format=json", "log.level=info"});
  CHECK_THAT(daemon.log(), Catch::Contains("\"level\":\"info\",\"message\":\"ready\"}"));
}
