// Engine.IO over this HTTP server: its polling requests, some of which wait for data, and its WebSockets.
// Belongs to the thread of the server.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "http/counters.hpp"
#include "http/origins.hpp"
#include "http/refused.hpp"
#include "http/router.hpp"
#include "http/web_socket_clients.hpp"
#include "turnpike/base/source_pace.hpp"
#include "turnpike/signaling/engine_io.hpp"

namespace turnpike::http {

class EngineIoEndpoint : private WebSocketHandler {
 public:
  struct Params {
    signaling::EngineIo& engine;
    const Origins& origins;
    std::function<TimePoint()> clock;
    // Called after each event, whose results are in output(). Returns the cost of all messages that were sent
    // because of it (see cost.hpp).
    std::function<std::uint64_t()> changed;
    SourcePace& pace;
    Counter& messages;  // messages received from clients
    OnRefused refused;
  };

  // All references must outlive this object.
  EngineIoEndpoint(boost::asio::io_context& io, Params params)
      : io_(io), params_(std::move(params)), clients_(params_.pace) {}

  // Adds the routes at `path`, which ends with a slash.
  void add_routes(Router& router, const std::string& path);

  signaling::EngineIo::Output& output() { return output_; }
  // From now on, WebSockets are closed with the code and the reason of a server that restarts.
  void stop() { stopping_ = true; }
  // Sends the contents of output() and clears it. Returns the cost (see cost.hpp).
  std::uint64_t flush();

 private:
  struct Waiting;
  class BegunPost;

  Response forbid_origin(const Request& request) override;
  std::optional<Response> check(const Request& request) override;
  std::uint32_t max_message(const Request& request) override;
  void on_open(std::uint64_t number, std::shared_ptr<WebSocket> socket, const Request& request) override;
  void on_message(std::uint64_t number, std::string_view message, bool binary) override;
  void on_control(std::uint64_t number, std::size_t size) override {
    clients_.charge_control(number, size, params_.clock().steady);
  }
  Duration rest_time(std::uint64_t number) override {
    return clients_.rest_time(number, params_.clock().steady);
  }
  void on_closed(std::uint64_t number, bool clean) override;

  void on_sent(std::uint64_t number);
  Arrival arrive(const Request& request);
  Awaitable<Response> serve(const Request& request);
  Awaitable<bool> wait_to_post(const Request& request);
  void report_crowded(const IpAddress& address) const;
  Response refuse_origin(const Request& request);
  std::optional<signaling::EngineIoError> find_fault(const Request& request,
                                                     std::string_view transport) const;
  Response answer(const Request& request, unsigned status, std::string body) const;

  boost::asio::io_context& io_;
  Params params_;
  signaling::EngineIo::Output output_;
  signaling::RequestId last_request_ = 0;
  bool stopping_ = false;
  std::unordered_map<signaling::RequestId, std::shared_ptr<Waiting>> waiting_;
  WebSocketClients clients_;
};

}  // namespace turnpike::http
