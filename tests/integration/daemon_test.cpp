// Tests the start, the stop, and refusals to start.
#include "support/daemon.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "net/fd.hpp"
#include "net/tcp_socket.hpp"
#include "support/certificate.hpp"
#include "support/relay_client.hpp"
#include "support/relaying.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

struct DaemonOutcome {
  int exit_code;
  std::string output;
};

DaemonOutcome run(const std::string& config, std::vector<std::string> arguments) {
  const TemporaryFile file(config);
  std::vector<std::string> command{daemon_path(), "--config", file.path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Child child(command);
  const int exit_code = child.wait();
  return {exit_code, child.output()};
}

// Receives what a daemon tells systemd.
class ServiceManager {
 public:
  ServiceManager()
      : path_("/tmp/turnpike-notify-" + std::to_string(getpid())),
        socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval patience{10, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~ServiceManager() { unlink(path_.c_str()); }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  const std::string& path() const { return path_; }
  // Returns the next message, or an empty one when none arrives.
  std::string hear() const { return take(0); }
  // Whether the watchdog is fed so many times. On a busy machine a worker may answer too late for some beats.
  bool is_fed(int times) const {
    int fed = 0;
    for (int beat = 0; beat < 30 && fed < times; ++beat) fed += hear().ends_with("\nWATCHDOG=1") ? 1 : 0;
    return fed == times;
  }
  // Discards all messages that have arrived so far.
  void forget() const {
    while (!take(MSG_DONTWAIT).empty()) continue;
  }

 private:
  std::string take(int flags) const {
    std::array<char, 256> buffer;
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), flags);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }

  const std::string path_;
  const net::Fd socket_;
};

// A thread names itself when it runs for the first time, and the daemon may be ready before.
pid_t find_thread(pid_t process, const std::string& name) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::string its_name;
      std::getline(std::ifstream(task.path() / "comm"), its_name);
      if (its_name == name) return std::stoi(task.path().filename());
    }
    std::this_thread::sleep_for(10ms);
  }
  FAIL("there is no thread " << name);
  return 0;
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

TEST_CASE("as json each line is an object, and an allocation is the same one from its start to its end",
          "[integration]") {
  Daemon daemon({"log.format=json"});
  RelayClient client(daemon.listener());
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(client.allocate() == 0);
  REQUIRE(client.permit(Endpoint::parse("127.0.0.1:9").value()) == 0);
  CHECK(client.permit(Endpoint::parse("10.0.0.1:9").value()) == 403);
  REQUIRE(client.refresh(0s) == 0);
  REQUIRE(daemon.wait_for_log("allocation_deleted"));
  const auto lasted =
      std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - begun).count();
  RelayClient wrong(daemon.listener(), {.credentials = client::Credentials{"alice", "guess"}});
  CHECK(wrong.allocate() == 401);
  REQUIRE(daemon.wait_for_log("Allocate refused"));
  CHECK(daemon.stop() == 0);

  std::map<std::string, boost::json::object> events;
  std::istringstream lines(daemon.log());
  for (std::string line; std::getline(lines, line);) {
    const boost::json::object object = boost::json::parse(line).as_object();
    for (const char* name : {"time", "level", "message"}) CHECK(object.contains(name));
    if (!object.contains("event")) continue;
    const std::string about = object.contains("peer") ? "peer_" : "";
    events[about + std::string(object.at("event").as_string())] = object;
  }
  const boost::json::object& created = events.at("allocation_created");
  const boost::json::object& deleted = events.at("allocation_deleted");
  for (const char* name : {"id", "user", "client", "transport", "relayed"}) {
    CHECK(created.at(name).as_string() == deleted.at(name).as_string());
  }
  CHECK(deleted.at("reason").as_string() == "refresh");
  CHECK(deleted.at("peers").as_int64() == 1);
  for (const char* name : {"rx_bytes", "tx_bytes", "rx_packets", "tx_packets"}) {
    CHECK(deleted.at(name).as_int64() == 0);
  }
  CHECK(deleted.at("duration_s").as_int64() >= 0);
  CHECK(deleted.at("duration_s").as_int64() <= lasted);
  CHECK(events.at("peer_refused").at("code").as_int64() == 403);
  CHECK(events.at("peer_refused").at("peer").as_string() == "10.0.0.1:9");
  CHECK(events.at("refused").at("code").as_int64() == 401);
  CHECK(events.at("refused").at("method").as_string() == "Allocate");
}

TEST_CASE("--check says what is wrong, and starts nothing", "[integration]") {
  CHECK(run(kLoopbackConfig, {"--check"}).exit_code == 0);
  const DaemonOutcome unknown = run("realm: example.org\nrelais: {}\n", {"--check"});
  CHECK(unknown.exit_code == 1);
  CHECK_THAT(unknown.output, Catch::Contains(":2: relais: "));
  const DaemonOutcome absent = run("auth: {users: {\"a\\u00adb\": secret}}\n", {"--check"});
  CHECK(absent.exit_code == 1);
  CHECK_THAT(absent.output, Catch::Contains("OpaqueString") && !Catch::Contains("secret"));
  CHECK_THAT(absent.output, Catch::Contains(":1: auth.users: "));
}

TEST_CASE("a fault that only the use of a key shows has its file, line and key as well", "[integration]") {
  const Certificate pem = make_certificate();
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile other(make_certificate().private_key);
  const TemporaryFile config("listen: [\"tls://127.0.0.1:0\"]\ntls:\n  certificate: " + certificate.path() +
                             "\n  private_key: " + other.path() + "\n");
  const std::string fault =
      config.path() + ":4: tls.private_key: " + other.path() + ": key values mismatch\n";
  for (const bool checks : {true, false}) {
    std::vector<std::string> command{daemon_path(), "--config", config.path()};
    if (checks) command.emplace_back("--check");
    Child child(command);
    CHECK(child.wait() == 1);
    CHECK(child.output() == fault);
  }
}

// What the daemon says of a configuration that it refuses: to --check, and when it is to start.
std::vector<std::string> refusals_of(const TemporaryFile& config) {
  std::vector<std::string> said;
  for (const bool is_check : {true, false}) {
    std::vector<std::string> command{daemon_path(), "--config", config.path()};
    if (is_check) command.emplace_back("--check");
    Child child(command);
    CHECK(child.wait() == 1);
    said.push_back(child.output());
  }
  return said;
}

TEST_CASE("all faults of a file are said in one run, by line", "[integration]") {
  const Certificate pem = make_certificate();
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile other(make_certificate().private_key);
  const std::string of_use =
      "auth: {users: {\"a\\u00adb\": secret}}\ntls:\n  certificate: " + certificate.path() +
      "\n  private_key: " + other.path() + "\n";
  for (const std::string more : {"", "limits: {allocations: none}\n"}) {
    const TemporaryFile config(of_use + more);
    const std::string at = config.path() + ':';
    for (const std::string& said : refusals_of(config)) {
      CHECK_THAT(said, Catch::StartsWith(at + "1: auth.users: "));
      CHECK_THAT(said, Catch::Contains('\n' + at + "4: tls.private_key: " + other.path() +
                                       ": key values mismatch\n"));
      if (!more.empty()) CHECK_THAT(said, Catch::Contains("mismatch\n" + at + "5: limits.allocations: "));
      CHECK(std::ranges::count(said, '\n') == (more.empty() ? 2 : 3));
    }
  }
}

TEST_CASE("all files of tls that cannot be used are said in one run, by line", "[integration]") {
  const Certificate pem = make_certificate();
  const TemporaryFile certificate(pem.certificate);
  const TemporaryFile key(pem.private_key);
  const TemporaryFile other(make_certificate().private_key);
  const TemporaryFile nothing("nothing");
  const std::string of_use = "tls:\n  certificate: " + nothing.path() + "\n  private_key: " + key.path() +
                             "\n  certificates:\n    - {certificate: " + certificate.path() +
                             ", private_key: " + other.path() + "}\n    - certificate: " + nothing.path() +
                             "\n      private_key: " + nothing.path() + '\n';
  const std::string more =
      "    - none\n    - {certificate: /no/such, private_key: " + nothing.path() + "}\n  ciphers: ''\n";
  for (const bool has_more : {false, true}) {
    const TemporaryFile config(of_use + (has_more ? more : ""));
    const std::string at = config.path() + ':';
    const std::vector<std::string> faults{
        at + "2: tls.certificate: " + nothing.path() + ": has no certificate in PEM\n",
        at + "5: tls.certificates[0].private_key: " + other.path() + ": key values mismatch\n",
        at + "6: tls.certificates[1].certificate: " + nothing.path() + ": has no certificate in PEM\n",
        at + "7: tls.certificates[1].private_key: " + nothing.path() + ": has no private key in PEM\n",
        at + "9: tls.certificates[3].certificate: file /no/such cannot be read",
        at + "9: tls.certificates[3].private_key: " + nothing.path() + ": has no private key in PEM\n"};
    for (const std::string& said : refusals_of(config)) {
      const std::size_t count = has_more ? 6 : 4;
      for (std::size_t i = 0; i < count; ++i) CHECK_THAT(said, Catch::Contains(faults[i]));
      CHECK(std::ranges::count(said, '\n') == (has_more ? 8 : 4));
    }
  }
}

TEST_CASE("--check warns of what is allowed and should not be", "[integration]") {
  const DaemonOutcome weak = run("auth: {secrets: [short-one]}\n", {"--check"});
  CHECK(weak.exit_code == 0);
  CHECK_THAT(weak.output, Catch::Contains("warning: ") &&
                              Catch::Contains("auth.secrets[0]: this secret has fewer than 16 characters"));
  CHECK(run("auth: {secrets: [seven77]}\n", {"--check"}).exit_code == 1);
  CHECK(run("auth: {secrets: [long-enough-secret]}\n", {"--check"}).output.empty());
}

TEST_CASE("an address that is taken is said, and exit code 1", "[integration]") {
  const client::UdpSocket holder(loopback(Family::ipv4));
  const std::string at = holder.local().to_string();
  const DaemonOutcome outcome = run("listen:\n  - udp://127.0.0.1:0\n  - udp://" + at + "\n", {});
  CHECK(outcome.exit_code == 1);
  CHECK_THAT(outcome.output,
             Catch::Contains(":3: listen[1]: cannot listen on udp://" + at + ": Address already in use"));
}

TEST_CASE("an address of the page or of the admin listener that is taken is said with its key",
          "[integration]") {
  const net::Fd holder = net::open_tcp_listener({IpAddress::v4(0x7F000001), 0});
  const std::string at = "http://" + net::connection_endpoint(holder.get()).value().to_string();
  const std::string auth = "auth: {secrets: [a-long-enough-secret]}\n";
  const DaemonOutcome page = run(
      "listen: [\"udp://127.0.0.1:0\"]\n" + auth + "signaling:\n  access: open\n  listen: " + at + "\n", {});
  CHECK(page.exit_code == 1);
  CHECK_THAT(page.output, Catch::Contains(":5: signaling.listen: cannot listen on " + at));
  const DaemonOutcome admin =
      run("listen: [\"udp://127.0.0.1:0\"]\n" + auth + "admin:\n  listen: [\"" + at + "\"]\n", {});
  CHECK(admin.exit_code == 1);
  CHECK_THAT(admin.output, Catch::Contains(":4: admin.listen: cannot listen on " + at));
  const DaemonOutcome file = run("listen: [\"udp://127.0.0.1:0\"]\nadmin:\n  listen: [unix:/dev/null]\n", {});
  CHECK(file.exit_code == 1);
  CHECK_THAT(file.output, Catch::Contains(":3: admin.listen: cannot listen on unix:/dev/null: there is "
                                          "something else at this path"));
}

TEST_CASE("two daemons do not share a port", "[integration]") {
  Daemon first;
  const std::string at = first.listener().to_string();
  const DaemonOutcome second = run("listen: [\"udp://" + at + "\"]\n", {});
  CHECK(second.exit_code == 1);
  CHECK_THAT(second.output, Catch::Contains("Address already in use"));
}

TEST_CASE("a relay address that is not of this machine is said", "[integration]") {
  const DaemonOutcome outcome = run(kLoopbackConfig, {"--set", "relay.addresses=[192.0.2.77]"});
  CHECK(outcome.exit_code == 1);
  CHECK_THAT(outcome.output, Catch::Contains("192.0.2.77 is not an address of this machine"));
}

TEST_CASE("systemd is told READY=1, and then how much is going on", "[integration]") {
  const ServiceManager manager;
  Daemon daemon({}, kLoopbackConfig, {.environment = {{"NOTIFY_SOCKET", manager.path()}}});
  CHECK(manager.hear() == "READY=1");
  CHECK(manager.hear() == "STATUS=0 allocations, 0.0 Mbit/s");
}

TEST_CASE("systemd is told when a reload begins and ends, and nothing of one that fails", "[integration]") {
  const ServiceManager manager;
  Daemon daemon({}, kLoopbackConfig, {.environment = {{"NOTIFY_SOCKET", manager.path()}}});
  // What is going on comes once in a while, between the others.
  const auto hear = [&] {
    std::string heard = manager.hear();
    while (heard.starts_with("STATUS=")) heard = manager.hear();
    return heard;
  };
  REQUIRE(hear() == "READY=1");
  std::ofstream(daemon.config_file()) << "limts: {}\n";
  kill(daemon.pid(), SIGHUP);
  REQUIRE(daemon.wait_for_log("reload failed"));
  std::ofstream(daemon.config_file()) << kLoopbackConfig << "clients: {deny: [192.0.2.0/24]}\n";
  kill(daemon.pid(), SIGHUP);
  CHECK_THAT(hear(), Catch::Matches("RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*"));
  CHECK(hear() == "READY=1");
}

TEST_CASE("systemd's watchdog is fed only while every worker makes passes", "[integration]") {
  const ServiceManager manager;
  Daemon daemon({"workers=2"}, kLoopbackConfig,
                {.environment = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "150000"}}});
  CHECK(manager.hear() == "READY=1");
  CHECK(manager.is_fed(3));

  // Each beat reports the load, with and without WATCHDOG=1. The worker may have answered once more before it
  // was stopped.
  const pid_t worker = find_thread(daemon.pid(), "worker-1");
  REQUIRE(ptrace(PTRACE_SEIZE, worker, nullptr, nullptr) == 0);
  REQUIRE(ptrace(PTRACE_INTERRUPT, worker, nullptr, nullptr) == 0);
  REQUIRE(waitpid(worker, nullptr, __WALL) == worker);
  manager.forget();
  int fed = 0;
  for (int beat = 0; beat < 6; ++beat) fed += manager.hear().ends_with("WATCHDOG=1") ? 1 : 0;
  CHECK(fed <= 1);

  REQUIRE(ptrace(PTRACE_DETACH, worker, nullptr, nullptr) == 0);
  CHECK(manager.is_fed(1));
}

TEST_CASE("a watchdog that waits for another process is not fed", "[integration]") {
  const ServiceManager manager;
  Daemon daemon({}, kLoopbackConfig,
                {.environment = {
                     {"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "150000"}, {"WATCHDOG_PID", "1"}}});
  CHECK(manager.hear() == "READY=1");
  CHECK(manager.hear() == "STATUS=0 allocations, 0.0 Mbit/s");
}

// Otherwise the watchdog would end all calls of a server that only lacks descriptors.
TEST_CASE("systemd's watchdog is fed when descriptors have run out", "[integration]") {
  const ServiceManager manager;
  Daemon daemon({"workers=1", R"(listen=["tcp://127.0.0.1:0"])", "limits.connect_timeout=1h"},
                kLoopbackConfig,
                {.environment = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "150000"}},
                 .descriptor_limit = 100});
  REQUIRE(manager.hear() == "READY=1");
  std::vector<net::Fd> connections;
  while (connections.size() < 100) connections.push_back(connect_to(daemon.listener()));
  REQUIRE(daemon.wait_for_log("LimitNOFILE"));
  manager.forget();
  CHECK(manager.is_fed(2));
  CHECK(daemon.stop() == 0);
  std::string heard = manager.hear();
  while (heard.starts_with("STATUS=")) heard = manager.hear();
  CHECK(heard == "STOPPING=1");
}

TEST_CASE("the daemon ends though nobody reads its log", "[integration]") {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const net::Fd unread(ends[0]);
  const net::Fd full(ends[1]);
  const std::string block(4096, 'x');
  while (write(full.get(), block.data(), block.size()) > 0) continue;
  const ServiceManager manager;
  const TemporaryFile config(kLoopbackConfig);
  const std::string stderr_to = "2>/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(full.get());
  Child child({"sh", "-c", "exec \"$0\" --config \"$1\" " + stderr_to, daemon_path(), config.path()},
              {.environment = {{"NOTIFY_SOCKET", manager.path()}}});
  REQUIRE(manager.hear() == "READY=1");
  child.signal(SIGTERM);
  CHECK(child.wait() == 0);
}

namespace {

// A WebSocket that answers nothing, so that the daemon waits for it at its end.
net::Fd open_silent_web_socket(const Daemon& daemon) {
  const std::string log = daemon.log();
  const std::size_t at = log.find("http://") + 7;
  net::Fd fd = connect_to(Endpoint::parse(log.substr(at, log.find('\n', at) - at)).value());
  write_all(fd.get(),
            "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
  const auto is_whole = [](const std::string& all) { return all.find("\r\n\r\n") != std::string::npos; };
  REQUIRE_THAT(read_until(fd.get(), is_whole), Catch::StartsWith("HTTP/1.1 101"));
  return fd;
}

// A thread of another process that does nothing while this object lives.
class HeldThread {
 public:
  explicit HeldThread(pid_t thread) : thread_(thread) {
    REQUIRE(ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0);
    REQUIRE(ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0);
    REQUIRE(waitpid(thread, nullptr, __WALL) == thread);
  }
  ~HeldThread() {
    // Its process ends only when the end of the thread was noticed here.
    if (ptrace(PTRACE_DETACH, thread_, nullptr, nullptr) != 0) waitpid(thread_, nullptr, __WALL);
  }
  HeldThread(const HeldThread&) = delete;
  HeldThread& operator=(const HeldThread&) = delete;

 private:
  pid_t thread_;
};

}  // namespace

TEST_CASE("a second signal is heard while it stops, and ends it at once", "[integration]") {
  Daemon daemon({"signaling={listen: 'http://127.0.0.1:0', access: open}"});
  const net::Fd silent = open_silent_web_socket(daemon);
  kill(daemon.pid(), SIGTERM);
  REQUIRE(daemon.wait_for_log("stopping on SIGTERM"));
  kill(daemon.pid(), SIGTERM);
  CHECK(daemon.wait() == 0);
  CHECK_THAT(daemon.log(), Catch::Contains("stopping at once"));
  CHECK_THAT(daemon.log(), Catch::Contains("stopped: "));
}

TEST_CASE("the daemon ends without a thread that does not, and says so", "[integration]") {
  Daemon daemon;
  {
    const HeldThread held(find_thread(daemon.pid(), "worker-1"));
    kill(daemon.pid(), SIGTERM);
    REQUIRE(daemon.wait_for_log("stopping on SIGTERM"));
    kill(daemon.pid(), SIGTERM);
    CHECK(daemon.wait_for_log("stopping: a worker does not end"));
  }
  CHECK(daemon.wait() == 1);
}

// The worker finds all three at once: a datagram from before the reload, the new settings, and a datagram
// from after it.
TEST_CASE("what a reload has changed holds for every datagram that comes after it", "[integration]") {
  Daemon daemon({"workers=1"});
  client::UdpSocket client(loopback(Family::ipv4));
  Octets without_cookie = binding_request();  // as RFC 3489 has it
  store_u32(&without_cookie[4], 0);
  client.send_to(binding_request(), daemon.listener());
  REQUIRE(client.receive(10s));
  {
    const HeldThread held(find_thread(daemon.pid(), "worker-0"));
    client.send_to(binding_request(), daemon.listener());
    std::ofstream(daemon.config_file()) << kLoopbackConfig << "stun: {rfc3489: true}\n";
    kill(daemon.pid(), SIGHUP);
    REQUIRE(daemon.wait_for_log("reloaded"));
    client.send_to(without_cookie, daemon.listener());
  }
  CHECK(client.receive(10s));
  CHECK(client.receive(10s));
  CHECK(daemon.stop() == 0);
}

// A file that is written while it is read, so the daemon would wait for its end.
class SlowFile {
 public:
  SlowFile() {
    REQUIRE(mkfifo(path_.c_str(), 0600) == 0);
    signal(SIGPIPE, SIG_IGN);  // from a reader that has ended
  }
  ~SlowFile() { unlink(path_.c_str()); }
  SlowFile(const SlowFile&) = delete;
  SlowFile& operator=(const SlowFile&) = delete;

  const std::string& path() const { return path_; }
  // Returns when somebody opens it for reading.
  net::Fd open_to_write() const { return net::Fd(open(path_.c_str(), O_WRONLY | O_CLOEXEC)); }

 private:
  const std::string path_ = "/tmp/turnpike-fifo-" + std::to_string(getpid());
};

TEST_CASE("a signal that comes while it starts ends it with exit code 0 as well", "[integration]") {
  const SlowFile config;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    CAPTURE(signal);
    Child child({daemon_path(), "--config", config.path()});
    {
      const net::Fd writer = config.open_to_write();
      child.signal(signal);
      const std::string text = kLoopbackConfig;
      REQUIRE(write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    CHECK(child.wait() == 0);
  }
}

TEST_CASE("without users and secrets it is a STUN server and nothing else", "[integration]") {
  Daemon daemon({"auth={}"});
  RelayClient client(daemon.listener());
  CHECK(client.ask(client.turn().binding()) == 0);
  CHECK(client.mapped() == client.local());
  CHECK(client.allocate() == 403);
  CHECK_THAT(daemon.log(), Catch::Contains("STUN only"));
}

TEST_CASE("there is no line in the log for each Binding, whatever its level", "[integration]") {
  Daemon daemon({"log.level=debug"});
  client::UdpSocket client(loopback(Family::ipv4));
  for (int i = 0; i < 100; ++i) {
    client.send_to(binding_request(), daemon.listener());
    REQUIRE(client.receive(10s));
  }
  REQUIRE(daemon.stop() == 0);
  const std::string log = daemon.log();
  CHECK(std::ranges::count(log, '\n') < 50);
  CHECK_THAT(log, Catch::Contains(" requests=100 "));
}

TEST_CASE("the log says that the daemon is ready, whatever its level", "[integration]") {
  Daemon daemon({"log.level=error"});
  REQUIRE(daemon.stop() == 0);
  CHECK_THAT(daemon.log(), Catch::Matches("\\S+Z info ready\n"));
}

TEST_CASE("the log can be JSON, and the file can be overridden", "[integration]") {
  Daemon daemon({"log.format=json", "log.level=info"});
  CHECK_THAT(daemon.log(), Catch::Contains("\"level\":\"info\",\"message\":\"ready\"}"));
}
