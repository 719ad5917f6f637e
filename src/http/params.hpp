// What the operator says about HTTP. Plain data, filled by config/.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "http/refused.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::http {

struct Listener {
  bool secure = false;
  Endpoint endpoint;
};

// 0 means no limit.
struct Limits {
  std::uint32_t connections = 20'000;
  std::uint32_t connections_per_address = 200;  // an IPv6 /64 counts as one
  std::uint32_t message_bytes = 64 << 10;       // of a WebSocket message or a request's body
  std::uint32_t waiting_bytes = 1 << 20;        // for a client that reads too slowly, before it is dropped
  // What one address may have read and written through WebSockets and Socket.IO, and so many seconds of it at
  // once.
  std::uint32_t bytes_per_second_per_address = 4 << 20;
};

struct Deadlines {
  Duration handshake = std::chrono::seconds(10);  // of TLS
  Duration headers = std::chrono::seconds(10);    // from the first byte, or from the connection's start
  Duration body = std::chrono::seconds(20);
  Duration answer = std::chrono::seconds(30);   // until the client has taken it
  Duration idle = std::chrono::seconds(30);     // between two requests
  Duration silence = std::chrono::seconds(15);  // of a WebSocket; it is pinged at half of that
  Duration closing = std::chrono::seconds(2);   // for goodbyes when the daemon stops
};

struct Params {
  std::vector<Listener> listeners;
  std::vector<std::string> cors;  // origins besides our own, normalized
  std::string public_host;        // by which clients know this server; empty without
  // Everybody may come in. Connections to loopback addresses have to ask for one of these hosts then; see
  // Hosts.
  bool open = false;
  std::vector<std::string> hosts{};
  std::function<bool(const std::string&)> is_certified{};
  std::vector<Prefix> trusted_proxies;  // whose X-Forwarded-* count
  Limits limits;
  Deadlines deadlines;
  TellRefused refused{};  // may be empty
};

}  // namespace turnpike::http
