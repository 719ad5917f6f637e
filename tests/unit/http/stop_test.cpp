// How connections of the HTTP server end when the server stops or a deadline is over.
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <optional>

#include "http/deadline.hpp"
#include "net/asio_types.hpp"
#include "support/http_server.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Error = boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr auto kLongEnough = 10s;  // for one step

// Two ends of a TCP connection.
struct ConnectedPair {
  explicit ConnectedPair(asio::io_context& io) : one(io.get_executor()), other(io.get_executor()) {
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    one.connect(acceptor.local_endpoint());
    acceptor.accept(other);
  }
  TcpSocket one;
  TcpSocket other;
};

// Reads an octet. Returns how that has ended, or nothing when it has not.
std::optional<Error> read_one(asio::io_context& io, TcpSocket& socket) {
  std::optional<Error> outcome;
  char octet = 0;
  socket.async_read_some(asio::buffer(&octet, 1), [&](const Error& error, std::size_t) { outcome = error; });
  while (!outcome && io.run_one_for(kLongEnough) != 0) continue;
  return outcome;
}

TEST_CASE("a deadline ends what begins after it as well, until another one is set", "[http]") {
  asio::io_context io;
  ConnectedPair pair(io);
  Deadline deadline(pair.one);
  deadline.set(1ms);
  while (!deadline.expired()) REQUIRE(io.run_one_for(kLongEnough) == 1);
  CHECK(read_one(io, pair.one) == Error(asio::error::operation_aborted));

  deadline.set(1h);
  CHECK_FALSE(deadline.expired());
  asio::write(pair.other, asio::buffer("x", 1));
  CHECK(read_one(io, pair.one) == Error());
}

// A handler that answers only when its client is gone.
class Patient {
 public:
  explicit Patient(asio::io_context& io) : timer_(io.get_executor(), net::Timer::time_point::max()) {}

  bool is_asked() const { return is_asked_; }
  Handler handler() {
    return [this](const Request& request) -> Awaitable<Response> {
      request.watch([this] { timer_.cancel(); });
      is_asked_ = true;
      co_await timer_.async_wait(net::kAsTuple);
      co_return Response();
    };
  }

 private:
  net::Timer timer_;
  bool is_asked_ = false;
};

TEST_CASE("a request that waits ends with the server, whatever its client has sent behind it", "[http]") {
  asio::io_context io;
  Patient patient(io);
  Router router;
  router.add("GET", "/wait", patient.handler());
  test::HttpServer server(io, router);
  const net::Fd client = server.connect();
  test::write_all(client.get(), "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (!patient.is_asked()) REQUIRE(io.run_one_for(kLongEnough) == 1);
  io.poll();
  test::write_all(client.get(), "GET");
  REQUIRE(io.run_one_for(kLongEnough) == 1);  // which the connection sees, and no longer watches

  server.stop();
  while (io.run_one_for(kLongEnough) != 0) continue;
  CHECK(io.stopped());
  CHECK(server.open_connections() == 0);
}

}  // namespace
}  // namespace turnpike::http
