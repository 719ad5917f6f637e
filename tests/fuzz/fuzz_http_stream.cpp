// Fuzzes a client's octets on one connection: requests, upgrades, and frames that arrive together with their
// upgrade. The server must understand the same, however the stream is cut. The input's first octet decides
// how it is cut.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "fuzz/expect.hpp"
#include "http/server.hpp"

namespace turnpike::fuzz {
namespace {

using namespace http;

constexpr std::size_t kMax = 16 << 10;  // of a stream: it has to fit into a socket

// Records what it hears.
class Listener : public WebSocketHandler {
 public:
  explicit Listener(std::vector<std::string>& heard) : heard_(heard) {}

  void on_open(std::uint64_t, std::shared_ptr<WebSocket> socket, const Request& request) override {
    socket_ = std::move(socket);
    heard_.push_back("opened " + request.target);
  }
  void on_message(std::uint64_t, std::string_view message, bool binary) override {
    heard_.push_back((binary ? "octets " : "text ") + std::string(message));
    socket_->send(std::make_shared<const std::string>(message), binary);
  }
  void on_closed(std::uint64_t, bool) override {
    heard_.emplace_back("closed");
    socket_.reset();
  }

 private:
  std::vector<std::string>& heard_;
  std::shared_ptr<WebSocket> socket_;
};

// One connection, whose other end this test holds.
class Conversation {
 public:
  Conversation() : listener_(heard_), server_(io_, params_, nullptr, router_) {
    router_.set_fallback([this](const Request& request) { return answer(request); });
    router_.add("POST", "/", [this](const Request& request) { return answer(request); });
    router_.add_web_socket("/ws", listener_);
    int ends[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "there are sockets");
    client_ = net::Fd(ends[0]);
    server_.adopt(net::Fd(ends[1]), {.peer = IpAddress::v4(0xC6336401)});
  }

  void send(Bytes octets) {
    // The server may have closed the connection.
    expect(::send(client_.get(), octets.data(), octets.size(), MSG_NOSIGNAL) != 0 || octets.empty(),
           "it is sent");
    io_.poll();
  }
  std::vector<std::string> end() {
    shutdown(client_.get(), SHUT_WR);
    io_.run_for(std::chrono::seconds(5));
    expect(io_.stopped(), "a connection ends with its client");
    expect(server_.counters().connections == 1, "there was one");
    return heard_;
  }

 private:
  Awaitable<Response> answer(const Request& request) {
    heard_.push_back(std::string(request.method) + ' ' + request.target + ' ' + std::string(request.body));
    co_return json_response("{}");
  }

  boost::asio::io_context io_;
  std::vector<std::string> heard_;
  Params params_;
  Router router_;
  Listener listener_;
  Server server_;
  net::Fd client_;
};

void check(std::uint8_t seed, Bytes stream) {
  Conversation whole;
  whole.send(stream);
  const std::vector<std::string> at_once = whole.end();

  Conversation cut;
  std::uint32_t cuts = seed;
  for (Bytes rest = stream; !rest.empty();) {
    cuts = cuts * 1664525 + 1013904223;
    const std::size_t size = std::min<std::size_t>(rest.size(), 1 + (cuts >> 24) % (seed + 1U));
    cut.send(rest.first(size));
    rest = rest.subspan(size);
  }
  expect(at_once == cut.end(), "the cuts change nothing");
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0 && size <= turnpike::fuzz::kMax) turnpike::fuzz::check(data[0], {data + 1, size - 1});
  return 0;
}
