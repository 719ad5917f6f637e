#include "http/web_socket_clients.hpp"

#include <utility>

#include "http/cost.hpp"

namespace turnpike::http {

void WebSocketClients::add(std::uint64_t number, std::shared_ptr<WebSocket> socket,
                           const IpAddress& address) {
  clients_.emplace(number, Client{std::move(socket), address});
}

WebSocket* WebSocketClients::find(std::uint64_t number) const {
  const auto client = clients_.find(number);
  return client == clients_.end() ? nullptr : client->second.socket.get();
}

std::uint64_t WebSocketClients::send(std::uint64_t number, const std::shared_ptr<const std::string>& message,
                                     bool binary) const {
  WebSocket* const socket = find(number);
  if (!socket) return 0;
  socket->send(message, binary);
  return cost_of_message(message->size());
}

void WebSocketClients::close(std::uint64_t number, std::uint16_t code, std::string_view reason) const {
  if (WebSocket* const socket = find(number)) socket->close(code, reason);
}

void WebSocketClients::close_all(std::uint16_t code, std::string_view reason) const {
  for (const auto& [number, client] : clients_) client.socket->close(code, reason);
}

void WebSocketClients::charge(std::uint64_t number, std::uint64_t cost, SteadyTime now) {
  const auto client = clients_.find(number);
  if (client != clients_.end()) pace_.charge(client->second.address, cost, now);
}

void WebSocketClients::charge_control(std::uint64_t number, std::size_t size, SteadyTime now) {
  charge(number, cost_of_control(size), now);
}

Duration WebSocketClients::rest_time(std::uint64_t number, SteadyTime now) const {
  const auto client = clients_.find(number);
  return client == clients_.end() ? Duration::zero() : pace_.rest_time(client->second.address, now);
}

}  // namespace turnpike::http
