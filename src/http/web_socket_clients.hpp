// The clients that one protocol has by WebSocket: their open sockets by number, and the addresses that pay
// for what their messages cause (see SourcePace and cost.hpp). Belongs to the thread of the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/web_socket.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/source_pace.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::http {

// Except for add(), a call with the number of a client that is not here has no effect.
class WebSocketClients {
 public:
  // `pace` must outlive this object.
  explicit WebSocketClients(SourcePace& pace) : pace_(pace) {}

  void add(std::uint64_t number, std::shared_ptr<WebSocket> socket, const IpAddress& address);
  void remove(std::uint64_t number) { clients_.erase(number); }
  // Returns the socket of a client; null when it is not here.
  WebSocket* find(std::uint64_t number) const;

  // Returns the cost of the message; 0 when the client is not here.
  std::uint64_t send(std::uint64_t number, const std::shared_ptr<const std::string>& message,
                     bool binary) const;
  void close(std::uint64_t number, std::uint16_t code, std::string_view reason) const;
  void close_all(std::uint16_t code, std::string_view reason) const;

  // Charges the address of the client for a cost that the client has caused.
  void charge(std::uint64_t number, std::uint64_t cost, SteadyTime now);
  // Does the same for a ping or a pong of `size` bytes.
  void charge_control(std::uint64_t number, std::size_t size, SteadyTime now);
  // How long to wait before the client's next message is read. Zero when the client is not here.
  Duration rest_time(std::uint64_t number, SteadyTime now) const;

 private:
  struct Client {
    std::shared_ptr<WebSocket> socket;
    IpAddress address;
  };

  SourcePace& pace_;
  std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace turnpike::http
