#include "relay/dtls_sender.hpp"

namespace turnpike::relay {

void DtlsSender::transmit(PathId udp_path, const FiveTuple& tuple) {
  const ListenerSocket& socket = ways_.listeners[ProxiedClients::listener_of(udp_path)];
  const Endpoint* to =
      ProxiedClients::is_proxied(udp_path) ? ways_.proxied.route_to(udp_path) : &tuple.client;
  for (const Bytes datagram : buffers_.datagrams()) {
    if (to) batch_.add(socket.socket.get(), to, {}, datagram, 0, socket.source(tuple.server));
  }
  buffers_.forget();
}

void DtlsSender::send() {
  batch_.send();
  buffers_.reset();
}

}  // namespace turnpike::relay
