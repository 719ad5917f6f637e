// Strangers who take every descriptor that the daemon will give them, in all the ways that there are. What
// operators need goes on: the admin listener answers, and a reload reads its files.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/json/array.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "net/tcp_socket.hpp"
#include "support/controlled.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::test {
namespace {

constexpr std::size_t kDescriptors = 128;

// Its watchdog, which nobody waits for, lets it write about its limits soon. By default that takes ten
// seconds.
struct FewDescriptors : Controlled {
  explicit FewDescriptors(const std::vector<std::string>& set = {})
      : Controlled(joined({"workers=1", R"(listen=["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])",
                           "limits.connect_timeout=1h", "limits.idle_connections_per_address=0"},
                          set),
                   kLoopbackConfig,
                   {.environment = {{"WATCHDOG_USEC", "150000"}}, .descriptor_limit = kDescriptors}) {}

  // The address that the log has behind these words.
  Endpoint address_after(const std::string& words) const {
    const std::string log = daemon.log();
    const std::size_t at = log.find(words) + words.size();
    return Endpoint::parse(log.substr(at, log.find('\n', at) - at)).value();
  }
  Endpoint admin() const { return address_after("admin: listening on http://"); }
  Endpoint page() const { return address_after("listening on http://"); }
};

std::string request_of(const std::string& path, const std::string& host = "localhost") {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
}

std::string ask_once(const net::Fd& fd, const std::string& path) {
  write_all(fd.get(), request_of(path) + "Connection: close\r\n\r\n");
  return read_all(fd.get());
}

net::Fd connect_to_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  net::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// Waits until the daemon has sent something to one of these clients, or has closed it.
bool wait_for_any(const std::vector<net::Fd>& clients) {
  std::vector<pollfd> waiting;
  for (const net::Fd& fd : clients) waiting.push_back({fd.get(), POLLIN, 0});
  return poll(waiting.data(), waiting.size(), 10'000) > 0;
}

// Opens more connections than there are descriptors, until one of them is refused.
std::vector<net::Fd> take_all(const Endpoint& at) {
  std::vector<net::Fd> clients;
  while (clients.size() < kDescriptors) clients.push_back(connect_to(at));
  CHECK(wait_for_any(clients));
  return clients;
}

void expect_operator_is_served(FewDescriptors& server) {
  for (const char* const path : {"/healthz", "/v1/status"})
    CHECK_THAT(ask_once(connect_to_unix(server.socket()), path), Catch::StartsWith("HTTP/1.1 200 "));
  for (const char* const path : {"/healthz", "/metrics"})
    CHECK_THAT(ask_once(connect_to(server.admin()), path), Catch::StartsWith("HTTP/1.1 200 "));
  CHECK(server.control({"status"}).code == 0);
  std::string config = kLoopbackConfig;
  config.replace(config.find("hunter2"), 7, "hunter3");
  server.write_config(config);
  const CommandOutcome reload = server.control({"reload"});
  CAPTURE(reload.text);
  REQUIRE(reload.code == 0);
  CHECK_FALSE(reload.json().at("changed").as_array().empty());
}

// The daemon may still be closing what strangers had.
bool gets_an_answer(const Endpoint& at, const std::string& path) {
  int tries = 0;
  while (tries < 100 && ask_once(connect_to(at), path).empty()) ++tries;
  return tries < 100;
}

bool gets_an_allocation(const Endpoint& at, Transport transport) {
  for (int tries = 0; tries < 100; ++tries) {
    try {
      if (RelayClient(at, transport).allocate() == 0) return true;
    } catch (const std::exception&) {
      continue;  // the connection was closed
    }
  }
  return false;
}

}  // namespace

TEST_CASE("when clients by TCP have taken all descriptors, the operator is served",
          "[integration][descriptors]") {
  FewDescriptors server;
  std::vector<net::Fd> strangers = take_all(server.daemon.listener(1));
  CHECK(server.daemon.wait_for_log("LimitNOFILE"));
  expect_operator_is_served(server);
  strangers.clear();
  CHECK(gets_an_allocation(server.daemon.listener(1), Transport::tcp));
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("when allocations have taken all descriptors, the operator is served",
          "[integration][descriptors]") {
  FewDescriptors server;
  std::vector<std::unique_ptr<RelayClient>> strangers;
  int code = 0;
  while (code == 0 && strangers.size() < kDescriptors)
    code = strangers.emplace_back(std::make_unique<RelayClient>(server.daemon.listener()))->allocate();
  CHECK(code == 508);
  CHECK(server.daemon.wait_for_log("LimitNOFILE"));
  expect_operator_is_served(server);
  CHECK(strangers.front()->refresh(std::chrono::seconds(0)) == 0);
  CHECK(RelayClient(server.daemon.listener()).allocate() == 0);
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("when clients of the signaling have taken all descriptors, the operator is served",
          "[integration][descriptors]") {
  FewDescriptors server({"signaling={listen: 'http://127.0.0.1:0', access: open}"});
  std::vector<net::Fd> strangers = take_all(server.page());
  expect_operator_is_served(server);
  strangers.clear();
  CHECK(gets_an_answer(server.page(), "/"));
  CHECK(server.daemon.stop() == 0);
}

// Each of them has a descriptor of its connection, and asks for a file that is too long to be sent at once.
TEST_CASE("when files of signaling.root have taken all descriptors, the operator is served",
          "[integration][descriptors]") {
  const TemporaryFolder root;
  std::filesystem::resize_file(root.write("long", ""), std::uintmax_t{64} << 20);
  FewDescriptors server(
      {"signaling={listen: 'http://127.0.0.1:0', access: open, root: " + root.path() + "}"});
  std::vector<net::Fd> strangers = take_all(server.page());
  for (const net::Fd& stranger : strangers) write_all(stranger.get(), request_of("/long") + "\r\n");
  CHECK(server.daemon.wait_for_log("signaling.root: "));
  expect_operator_is_served(server);
  strangers.clear();
  CHECK(gets_an_answer(server.page(), "/"));
  CHECK(server.daemon.stop() == 0);
}

// Each of them causes a second descriptor, for the connection to the web server. When there is none, the
// first one becomes free, and others take it.
TEST_CASE("when connections to a web server have taken all descriptors, the operator is served",
          "[integration][descriptors]") {
  net::Fd web = net::open_tcp_listener(Endpoint::parse("127.0.0.1:0").value());
  const CertificateFiles files;
  FewDescriptors server(files.with({"signaling={listen: [], access: open, public_host: relay.example.org}",
                                    R"(listen=["udp://127.0.0.1:0", {url: "auto://127.0.0.1:0", web: ")" +
                                        net::connection_endpoint(web.get()).value().to_string() + R"("}])"}));
  std::vector<net::Fd> strangers = take_all(server.daemon.listener(1));
  for (const net::Fd& stranger : strangers)
    write_all(stranger.get(), request_of("/", "www.example.org") + "\r\n");
  CHECK(server.daemon.wait_for_log("cannot be reached: Too many open files"));
  std::vector<net::Fd> others = take_all(server.daemon.listener(1));
  expect_operator_is_served(server);
  strangers.clear();
  others.clear();
  web = net::Fd();  // which resets the connections that it has
  CHECK(gets_an_allocation(server.daemon.listener(1), Transport::tcp));
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("with a very small limit no descriptors are kept, and the log says so",
          "[integration][descriptors]") {
  const std::string said = "so few descriptors are allowed that none are kept";
  Daemon small({"workers=1"}, kLoopbackConfig, {.descriptor_limit = 67});
  CHECK_THAT(small.log(), Catch::Contains(said));
  Daemon large({"workers=1"}, kLoopbackConfig, {.descriptor_limit = 68});
  CHECK_THAT(large.log(), !Catch::Contains(said));
}

}  // namespace turnpike::test
