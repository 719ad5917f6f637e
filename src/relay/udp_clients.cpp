#include "relay/udp_clients.hpp"

namespace turnpike::relay {

void UdpClients::add(const turn::Output::ToClient& message, Bytes head) {
  const FiveTuple& tuple = message.tuple;
  const Endpoint* to = ProxiedClients::is_proxied(tuple.path) ? proxied_.route_to(tuple.path) : &tuple.client;
  if (!to) return;
  const ListenerSocket& listener = listeners_[ProxiedClients::listener_of(tuple.path)];
  batch_.add(listener.socket.get(), to, head, message.payload, message.padding,
             listener.source(tuple.server));
}

}  // namespace turnpike::relay
