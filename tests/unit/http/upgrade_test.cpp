// How a request becomes a WebSocket.
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "support/http_server.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class Service : public WebSocketHandler {
 public:
  bool was_checked() const { return was_checked_; }
  bool was_opened() const { return was_opened_; }

  std::optional<Response> check(const Request&) override {
    was_checked_ = true;
    return std::nullopt;
  }
  void on_open(std::uint64_t, std::shared_ptr<WebSocket>, const Request&) override { was_opened_ = true; }
  void on_message(std::uint64_t, std::string_view, bool) override {}
  void on_closed(std::uint64_t, bool) override {}

 private:
  bool was_checked_ = false;
  bool was_opened_ = false;
};

// Returns a client that asks for a WebSocket.
net::Fd ask(const test::HttpServer& server) {
  net::Fd client = server.connect();
  test::write_all(client.get(),
                  "GET /talk HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
  return client;
}

// Runs until the client has received this text. Returns all that it has received.
std::string receive_until(asio::io_context& io, const net::Fd& client, std::string_view text) {
  std::string received;
  while (received.find(text) == std::string::npos) {
    REQUIRE(io.run_one_for(10s) == 1);
    char octets[1024];
    const ssize_t got = recv(client.get(), octets, sizeof octets, MSG_DONTWAIT);
    if (got > 0) received.append(octets, static_cast<std::size_t>(got));
  }
  return received;
}

TEST_CASE("a WebSocket whose service ends during the handshake is closed", "[http]") {
  asio::io_context io;
  Service service;
  Router router;
  router.add_web_socket("/talk", service);
  router.serve_while("/talk", [&] { return !service.was_checked(); });
  test::HttpServer server(io, router);
  const net::Fd client = ask(server);
  const std::string received = receive_until(io, client, "no longer served");
  CHECK(received.starts_with("HTTP/1.1 101 "));
  CHECK(received.find("\x03\xe9no longer served") != std::string::npos);  // 1001
  CHECK_FALSE(service.was_opened());

  server.stop();
  while (io.run_one_for(10s) != 0) continue;
  CHECK(server.open_connections() == 0);
}

TEST_CASE("a WebSocket whose server stops during the handshake is told so, and served no more", "[http]") {
  asio::io_context io;
  Service service;
  Router router;
  router.add_web_socket("/talk", service);
  test::HttpServer server(io, router, 10s);
  {
    const net::Fd client = ask(server);
    while (!service.was_checked()) REQUIRE(io.run_one_for(10s) == 1);
    server.stop();
    const std::string received = receive_until(io, client, "restarting");
    CHECK(received.starts_with("HTTP/1.1 101 "));
    CHECK(received.find("\x03\xe9restarting") != std::string::npos);
    CHECK_FALSE(service.was_opened());
  }
  while (io.run_one_for(10s) != 0) continue;
  CHECK(server.open_connections() == 0);
}

}  // namespace
}  // namespace turnpike::http
