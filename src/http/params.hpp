// The part of the configuration about HTTP. It is plain data, which config/ fills.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
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
  std::uint32_t connections_per_address = 200;  // an IPv6 /64 counts as one address
  std::uint32_t message_bytes = 64 << 10;       // for a WebSocket message or the body of a request
  std::uint32_t waiting_bytes = 1 << 20;        // queued for a slow client before it is dropped
  // The bytes per second that one address may cause to be read and written through WebSockets and Socket.IO.
  // A few seconds' worth may come at once.
  std::uint32_t bytes_per_second_per_address = 4 << 20;
};

struct Deadlines {
  Duration handshake = std::chrono::seconds(10);  // TLS handshake
  Duration headers = std::chrono::seconds(10);    // from the first octet of a request
  Duration body = std::chrono::seconds(20);
  Duration answer = std::chrono::seconds(30);   // until the client has received it, or a part of a file
  Duration idle = std::chrono::seconds(30);     // until the first octet of a request comes
  Duration silence = std::chrono::seconds(15);  // of a WebSocket; a ping is sent at half of it
  Duration closing_handshake =
      std::chrono::seconds(10);  // of a WebSocket that is closed, until its client has closed it
  Duration closing = std::chrono::seconds(2);  // for Close frames when the daemon stops
};

struct Params {
  std::vector<Listener> listeners;
  std::vector<std::string> cors;  // allowed origins besides our own, normalized
  std::string public_host;        // the host by which clients know this server; may be empty
  // Access is open to everybody. Requests on connections to loopback addresses must then name one of the
  // hosts below; see Hosts.
  bool open = false;
  std::vector<std::string> hosts{};
  // String literals: the configuration keys of `hosts` and `listeners`.
  std::string_view hosts_key = "signaling.hosts";
  std::string_view listen_key = "signaling.listen";
  std::function<bool(const std::string&)> is_certified{};
  std::vector<Prefix> trusted_proxies;  // their X-Forwarded-* headers are believed
  // Strangers may connect, so the listeners take no descriptors of the reserve (net/descriptor_reserve.hpp).
  bool is_for_strangers = false;
  Limits limits;
  Deadlines deadlines;
  // Counts a TLS handshake that a client wants to begin at a secure listener, and returns whether it may.
  // Called on the server's thread. Empty: everybody may.
  std::function<bool(const IpAddress&)> admit_handshake{};
  OnRefused refused{};  // may be empty
};

}  // namespace turnpike::http
