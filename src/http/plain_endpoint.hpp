// The plain protocol (signaling::PlainProtocol) over WebSockets. Belongs to the thread of the server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "http/router.hpp"
#include "http/web_socket.hpp"
#include "http/web_socket_clients.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/source_pace.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/plain_protocol.hpp"

namespace turnpike::http {

class PlainEndpoint : private WebSocketHandler {
 public:
  struct Params {
    signaling::PlainProtocol& plain;
    std::function<TimePoint()> clock;
    // Called after each event, whose results are in output(). Returns the cost of all messages that were sent
    // because of it (see cost.hpp).
    std::function<std::uint64_t()> changed;
    SourcePace& pace;
    Counter& messages;  // messages received from clients
  };

  // All references must outlive this object.
  explicit PlainEndpoint(Params params) : params_(std::move(params)), clients_(params_.pace) {}

  // Adds the routes at `path`. This object must outlive the router.
  void add_routes(Router& router, const std::string& path);

  signaling::PlainProtocol::Output& output() { return output_; }
  // Sends what output() has for clients of this protocol, and clears it. Returns the cost (see cost.hpp).
  std::uint64_t flush();
  // Closes all WebSockets with the code and the reason of a server that restarts.
  void stop() const;

 private:
  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) override;
  void on_message(std::uint64_t number, std::string_view message, bool binary) override;
  void on_control(std::uint64_t number, std::size_t size) override {
    clients_.charge_control(number, size, params_.clock().steady);
  }
  Duration rest_time(std::uint64_t number) override {
    return clients_.rest_time(number, params_.clock().steady);
  }
  void on_closed(std::uint64_t number, bool clean) override;

  Params params_;
  signaling::PlainProtocol::Output output_;
  WebSocketClients clients_;
};

}  // namespace turnpike::http
