// Tests a web server that shares its port with us: which connections it gets, that they reach it unchanged,
// and what happens when it is away or has too many of them. The test itself is the web server. nginx and
// HAProxy are web servers in proxies_test.mjs, and a browser reaches nginx in one_port_test.mjs.
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "net/proxy_header.hpp"
#include "net/tcp_socket.hpp"
#include "support/quiet_port.hpp"
#include "support/relay_client.hpp"
#include "support/tls_daemon.hpp"
#include "support/tls_probe.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

// Connections wait until the test accepts them.
struct WebServer {
  WebServer() : listener(net::open_tcp_listener({IpAddress::v4(0x7F000001), 0, 0})) {
    at = net::connection_endpoint(listener.get()).value();
  }

  // Returns the next connection, or an invalid descriptor when none arrives.
  net::Fd accept(int milliseconds = 10'000) const {
    pollfd waiting{listener.get(), POLLIN, 0};
    if (poll(&waiting, 1, milliseconds) != 1) return {};
    net::Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval patience{10, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
  }
  // Returns whether no connection has arrived so far.
  bool is_idle() const { return !accept(0); }

  net::Fd listener;
  Endpoint at;
};

std::string exactly(int fd, std::size_t size) {
  return read_until(fd, [&](const std::string& all) { return all.size() >= size; });
}

constexpr const char* kNamedPage = "signaling={listen: [], access: open, public_host: relay.example.org}";

struct WebPassingServer : TlsDaemon {
  explicit WebPassingServer(const WebServer& web, const std::vector<std::string>& set = {kNamedPage},
                            const std::string& more = "", const Child::Options& options = {})
      : TlsDaemon(joined(set, {R"(listen=[{url: "auto://127.0.0.1:0", web: ")" + web.at.to_string() + '"' +
                               more + "}]"}),
                  make_certificate("IP:127.0.0.1,DNS:localhost,DNS:*.wild.example"), options) {}

  Endpoint at() const { return daemon.listener(); }
  net::Fd connect_and_say(std::string_view bytes, std::size_t part = 0) const {
    net::Fd fd = connect_to(at());
    say(fd, bytes, part);
    return fd;
  }
  static void say(const net::Fd& fd, std::string_view bytes, std::size_t part = 0) {
    const int now = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    for (std::size_t i = 0; i < bytes.size(); i += part == 0 ? bytes.size() : part) {
      write_all(fd.get(), bytes.substr(i, part == 0 ? bytes.npos : part));
    }
  }
};

std::string get(const std::string& host) {
  return "GET /x HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
}

// The octets reach the web server unchanged, and so does an answer. Then each side ends, one after the other.
void expect_passed(const WebServer& web, const net::Fd& client, const std::string& said) {
  const net::Fd passed = web.accept();
  REQUIRE(passed);
  CHECK(exactly(passed.get(), said.size()) == said);
  write_all(passed.get(), "answer");
  CHECK(exactly(client.get(), 6) == "answer");
  shutdown(client.get(), SHUT_WR);
  CHECK(read_all(passed.get()).empty());  // the client's end
  write_all(passed.get(), "more");        // which is not ours
  shutdown(passed.get(), SHUT_WR);
  CHECK(read_all(client.get()) == "more");
}

// Returns the hello, which has one record, in several records.
std::string in_records(const std::string& hello, std::size_t size) {
  const std::string message = hello.substr(5);
  std::string out;
  for (std::size_t i = 0; i < message.size(); i += size) {
    const std::string part = message.substr(i, size);
    out += "\x16\3\1"s + static_cast<char>(part.size() >> 8) + static_cast<char>(part.size()) + part;
  }
  return out;
}

bool is_closed(const net::Fd& fd) { return read_all(fd.get()).empty(); }

}  // namespace

TEST_CASE("TLS for another name goes to the web server as it is, however it is cut", "[integration][web]") {
  const WebServer web;
  WebPassingServer server(web);
  const std::string hello = client_hello("www.example.org");
  for (const std::string& said : {hello, in_records(hello, 1), in_records(hello, 100), hello + "what follows",
                                  client_hello("b.a.wild.example")}) {
    for (const std::size_t part : {0, 1, 50}) {
      CAPTURE(said.size(), part);
      expect_passed(web, server.connect_and_say(said, part), said);
    }
  }
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("web: passed=15 refused=0 unreachable=0"));
}

TEST_CASE("connections for our names, and those without a name, stay", "[integration][web]") {
  const WebServer web;
  WebPassingServer server(web);
  RelayClient plain(server.at(), Transport::tcp);
  CHECK(plain.allocate() == 0);
  RelayClient secure(server.at(), Transport::tls);
  CHECK(secure.allocate() == 0);
  for (const char* name :
       {"", "localhost", "LOCALHOST", "a.wild.example", "relay.example.org", "127.0.0.1"}) {
    CAPTURE(name);
    TlsProbe turn(server.at(), {.server_name = name});
    REQUIRE(turn.is_open());
    REQUIRE(turn.write(kBinding));
    CHECK(turn.read().starts_with("\1\1"s));
    TlsProbe page(server.at(), {.server_name = name, .protocols = "\x08http/1.1"});
    REQUIRE(page.write(get("localhost")));
    CHECK_THAT(page.read_all(), Catch::StartsWith("HTTP/1.1 "));
  }
  // OpenSSL answers what is not a ClientHello.
  const net::Fd broken = server.connect_and_say("\x16\3\1\0\5\1\0\0\1x"s);
  CHECK(read_all(broken.get()).starts_with("\x15"));
  // When the hello comes in parts, the server waits for all of it.
  const std::string own = client_hello("localhost");
  const net::Fd slow = server.connect_and_say(in_records(own, 10), 1);
  CHECK(exactly(slow.get(), 1).starts_with("\x16"));
  CHECK(plain.refresh(600s) == 0);
  CHECK(secure.refresh(600s) == 0);
  CHECK(web.is_idle());
}

TEST_CASE("plain HTTP is distinguished by its Host", "[integration][web]") {
  const WebServer web;
  WebPassingServer server(web);
  for (const std::size_t part : {0, 1}) {
    for (const std::string& host :
         {"localhost"s, "relay.example.org:80"s, "a.wild.example"s, "127.0.0.1:1"s}) {
      CAPTURE(host);
      CHECK_THAT(read_all(server.connect_and_say(get(host), part).get()), Catch::StartsWith("HTTP/1.1 308"));
    }
    for (const std::string& said :
         {get("www.example.org"), get("www.example.org:80"), get(""), "GET / HTTP/1.0\r\n\r\n"s,
          "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: www.example.org\r\n\r\n"s,
          "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: relay.example.org\r\n\r\n"s,
          "GET /" + std::string(8192, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 5\r\n\r\nhello"s}) {
      CAPTURE(said);
      expect_passed(web, server.connect_and_say(said, part), said);
    }
  }
  CHECK(web.is_idle());
}

TEST_CASE("the web server is told whose a connection is, where it asks for that", "[integration][web]") {
  const WebServer web;
  const std::string hello = client_hello("www.example.org");
  const auto header_of = [&](const net::Fd& passed) {
    const std::string all =
        read_until(passed.get(), [&](const std::string& so_far) { return so_far.ends_with(hello); });
    const net::ProxyHeader header = net::parse_proxy_header(as_bytes(all));
    REQUIRE(header.kind == net::ProxyHeader::Kind::proxied);
    CHECK(all.substr(header.size) == hello);
    return header.client.to_string();
  };
  {
    WebPassingServer server(web, {kNamedPage}, ", web_proxy_protocol: true");
    const net::Fd client = server.connect_and_say(hello);
    const net::Fd passed = web.accept();
    CHECK(header_of(passed) == net::connection_endpoint(client.get())->to_string());
  }
  {
    WebPassingServer server(web, {kNamedPage}, ", web_proxy_protocol: true, proxy_protocol: [127.0.0.1]");
    for (const auto& [first, client] :
         {std::pair{"PROXY TCP4 198.51.100.7 203.0.113.9 55555 443\r\n"s, "198.51.100.7:55555"},
          {"PROXY TCP6 2001:db8::7 2001:db8::9 55555 443\r\n"s, "[2001:db8::7]:55555"}}) {
      for (const std::size_t part : {0, 1}) {
        const net::Fd fd = server.connect_and_say(first + hello, part);
        CHECK(header_of(web.accept()) == client);
      }
    }
  }
  {
    // The balancer's header is only for us and is not forwarded.
    WebPassingServer server(web, {kNamedPage}, ", proxy_protocol: [127.0.0.1]");
    const net::Fd fd = server.connect_and_say("PROXY TCP4 198.51.100.7 203.0.113.9 55555 443\r\n" + hello);
    expect_passed(web, fd, hello);
  }
}

TEST_CASE("much goes through, and a side that does not read holds the other up", "[integration][web]") {
  const WebServer web;
  WebPassingServer server(web);
  constexpr std::size_t kMuch = 32 << 20;
  const std::string hello = client_hello("www.example.org");
  const net::Fd client = server.connect_and_say(hello);
  const net::Fd passed = web.accept();
  REQUIRE(exactly(passed.get(), hello.size()) == hello);
  std::string much(kMuch, 'x');
  for (std::size_t i = 0; i < much.size(); i += 997) much[i] = static_cast<char>(i);
  // Nobody reads. What fits into the kernel's buffers goes out, and then nothing more, although there is
  // more.
  std::size_t sent = 0;
  for (pollfd ready{client.get(), POLLOUT, 0}; sent < much.size() && poll(&ready, 1, 500) == 1;) {
    const ssize_t took =
        send(client.get(), much.data() + sent, much.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (took > 0) sent += static_cast<std::size_t>(took);
  }
  CHECK(sent < much.size());
  std::thread echo([&] {
    std::string chunk(1 << 16, 0);
    for (ssize_t got = 0; (got = recv(passed.get(), chunk.data(), chunk.size(), 0)) > 0;) {
      write_all(passed.get(), std::string_view(chunk).substr(0, static_cast<std::size_t>(got)));
    }
    shutdown(passed.get(), SHUT_WR);
  });
  std::thread rest([&] {
    write_all(client.get(), std::string_view(much).substr(sent));
    shutdown(client.get(), SHUT_WR);
  });
  const std::string back = read_all(client.get());
  echo.join();
  rest.join();
  CHECK((back == much));
}

TEST_CASE("where the web server is away, its clients are closed at once, and ours are served",
          "[integration][web]") {
  WebServer web;
  const Endpoint nobody = quiet_endpoint(web.at.address);
  web.at = nobody;
  WebPassingServer server(web);
  RelayClient caller(server.at(), Transport::tls);
  REQUIRE(caller.allocate() == 0);
  for (int i = 0; i < 3; ++i) {
    CHECK(is_closed(server.connect_and_say(client_hello("www.example.org"))));
    CHECK(is_closed(server.connect_and_say(get("www.example.org"))));
  }
  CHECK(caller.refresh(600s) == 0);
  CHECK(server.daemon.stop() == 0);
  const std::string log = server.daemon.log();
  CHECK_THAT(log, Catch::Contains("the web server at " + nobody.to_string() + " cannot be reached"));
  CHECK_THAT(log, Catch::Contains("web: passed=0 refused=0 unreachable=6"));
  CHECK(log.find("cannot be reached") == log.rfind("cannot be reached"));
}

// The watchdog, which nobody waits for, lets the daemon write about its limits soon.
TEST_CASE("the first connection for the web server may come when there are no descriptors",
          "[integration][web]") {
  constexpr std::size_t kDescriptors = 60;
  const WebServer web;
  WebPassingServer server(web, {kNamedPage, "workers=1"}, "",
                          {.environment = {{"WATCHDOG_USEC", "150000"}}, .descriptor_limit = kDescriptors});
  std::vector<net::Fd> clients;
  while (clients.size() < kDescriptors) clients.push_back(connect_to(server.at()));
  REQUIRE(server.daemon.wait_for_log("no descriptors left"));
  WebPassingServer::say(clients.front(), get("www.example.org"));
  CHECK(read_all(clients.front().get()).empty());
  CHECK(server.daemon.wait_for_log("cannot be reached: Too many open files"));
  CHECK(server.daemon.stop() == 0);
}

TEST_CASE("the connections to the web server are limited, in total and for one address",
          "[integration][web]") {
  const WebServer web;
  const auto [key, set] =
      GENERATE(std::pair{"web_connections"s, "limits.web_connections=2"s},
               std::pair{"web_connections_per_address"s, "limits.web_connections_per_address=2"s});
  WebPassingServer server(web, {kNamedPage, set});
  const std::string hello = client_hello("www.example.org");
  std::vector<net::Fd> open;
  for (int i = 0; i < 2; ++i) {
    open.push_back(server.connect_and_say(hello));
    open.push_back(web.accept());
    REQUIRE(open.back());
    // The kernel accepts the connection before the daemon has counted it. The octets come only after that.
    REQUIRE(exactly(open.back().get(), hello.size()) == hello);
  }
  CHECK(is_closed(server.connect_and_say(hello)));
  CHECK(is_closed(server.connect_and_say(get("www.example.org"))));
  CHECK(server.daemon.wait_for_log("web refused connection from 127.0.0.1 (limits." + key + ")"));
  CHECK(web.is_idle());
  // Our own clients do not count.
  RelayClient caller(server.at(), Transport::tls);
  CHECK(caller.allocate() == 0);
  // A place becomes free when both sides have ended.
  open.erase(open.begin(), open.begin() + 2);
  net::Fd next;
  for (int i = 0; i < 1000 && !next; ++i) {
    open.push_back(server.connect_and_say(hello));
    // Either the connection is closed or it comes to the web server.
    pollfd either[] = {{open.back().get(), POLLIN, 0}, {web.listener.get(), POLLIN, 0}};
    REQUIRE(poll(either, std::size(either), 10'000) > 0);
    next = web.accept(0);
  }
  REQUIRE(next);
  CHECK(exactly(next.get(), hello.size()) == hello);
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(), Catch::Contains("web: passed=3 "));
}

TEST_CASE("a connection that sends no name or an incomplete one is closed", "[integration][web]") {
  const WebServer web;
  WebPassingServer server(
      web, {kNamedPage, "limits.connect_timeout=2s", "limits.web_idle_timeout=2s", "workers=1"});
  const std::string hello = client_hello("www.example.org");
  const net::Fd by_tls = server.connect_and_say(hello.substr(0, hello.size() - 1));
  const net::Fd by_http = server.connect_and_say("GET / HTTP/1.1\r\nHo");
  CHECK(is_closed(by_tls));
  CHECK(is_closed(by_http));
  for (const std::string& begun : {hello.substr(0, 40), "GET / HTTP/1.1\r\nHo"s}) {
    const net::Fd fd = server.connect_and_say(begun);
    shutdown(fd.get(), SHUT_WR);
    CHECK(is_closed(fd));
  }
  CHECK(web.is_idle());
  const net::Fd client = server.connect_and_say(hello);
  const net::Fd passed = web.accept();
  CHECK(read_all(passed.get()) == hello);
  CHECK(is_closed(client));
  CHECK(server.daemon.stop() == 0);
  CHECK_THAT(server.daemon.log(),
             Catch::Contains("timed_out=2") && Catch::Contains("unreachable=0 timed_out=1"));
}

TEST_CASE("a reload changes which names are ours, and what passes ends with the daemon",
          "[integration][web]") {
  const WebServer web;
  const auto config = [](const std::string& name) {
    return std::string(kLoopbackConfig) + "signaling: {listen: [], access: open, public_host: " + name +
           "}\n";
  };
  Daemon daemon({R"(listen=[{url: "auto://127.0.0.1:0", web: ")" + web.at.to_string() + "\"}]"},
                config("turn.example.org"));
  const auto ask = [&] {
    net::Fd fd = connect_to(daemon.listener());
    write_all(fd.get(), get("turn.example.org"));
    return fd;
  };
  CHECK_THAT(read_all(ask().get()), Catch::StartsWith("HTTP/1.1 404"));
  std::ofstream(daemon.config_file()) << config("other.example.org");
  kill(daemon.pid(), SIGHUP);
  REQUIRE(daemon.wait_for_log("reloaded"));
  const net::Fd client = ask();
  const net::Fd passed = web.accept();
  REQUIRE(passed);
  // The connection to the web server is open before the first data for it.
  CHECK(exactly(passed.get(), get("turn.example.org").size()) == get("turn.example.org"));
  CHECK(daemon.stop() == 0);
  CHECK(is_closed(passed));
  CHECK(is_closed(client));
}

TEST_CASE("a web server that is turnpike itself is refused at the start", "[integration][web]") {
  // The file alone does not show which addresses a wildcard listener has.
  const net::Fd fd = net::open_tcp_listener({IpAddress::v4(0x7F000001), 0, 0});
  const std::uint16_t port = net::connection_endpoint(fd.get())->port;
  CHECK_THROWS_WITH(Daemon({"listen=[{url: \"auto://0.0.0.0:" + std::to_string(port) +
                            "\", web: \"127.0.0.1:" + std::to_string(port) + "\"}]"}),
                    Catch::Contains("expected a web server elsewhere than at listen[0]"));
}
