#include "support/relay_client.hpp"

#include <set>
#include <stdexcept>

namespace turnpike::test {
namespace {

// Opens a socket whose port no client of this process has had. A server may still know a client that is no
// more, and would take a new one with the same port for that one.
void open_new(std::optional<client::UdpSocket>& socket, const Endpoint& at) {
  static std::set<std::uint16_t> ports_so_far;
  do {
    socket.emplace(at);
  } while (!ports_so_far.insert(socket->local().port).second && at.port == 0);
}

}  // namespace

Octets octets(std::string_view text) { return {text.begin(), text.end()}; }

Endpoint loopback(Family family) {
  return *Endpoint::parse(family == Family::ipv4 ? "127.0.0.1:0" : "[::1]:0");
}

// All clients of a thread share one digester. Each digester has an OpenSSL library context, and a process can
// have only some hundred of these.
crypto::Digester& shared_digester() {
  thread_local crypto::Digester digester;
  return digester;
}

RelayClient::RelayClient(const Endpoint& server, client::Params params, std::optional<Endpoint> local,
                         Transport transport)
    : turn_(shared_digester(), random_, std::move(params)), server_(server) {
  const Endpoint at = local.value_or(loopback(server.family()));
  const std::string name = server.address.to_string();
  switch (transport) {
    case Transport::udp: open_new(socket_, at); break;
    case Transport::dtls: dtls_.emplace(at, server, name); break;
    case Transport::tcp: stream_.emplace(at, server, std::nullopt); break;
    case Transport::tls: stream_.emplace(at, server, client::StreamSocket::Tls{name}); break;
  }
}

void RelayClient::send_raw(Bytes bytes) {
  if (stream_) return stream_->send(bytes);
  if (dtls_) return dtls_->send(bytes);
  socket_->send_to(bytes, server_);
}

int RelayClient::ask(const client::Request& request) {
  const auto answer = stream_ ? client::exchange(*stream_, turn_, request)
                      : dtls_ ? client::exchange(*dtls_, turn_, request)
                              : client::exchange(*socket_, server_, turn_, request);
  if (!answer) throw std::runtime_error("the server does not answer");
  if (const auto* failure = std::get_if<client::Failure>(&answer->event)) return failure->code;
  const auto& success = std::get<client::Success>(answer->event);
  if (success.relayed) relayed_ = *success.relayed;
  if (success.relayed) relayed_v6_ = success.relayed_v6;
  if (success.mapped) mapped_ = success.mapped;
  if (const auto ticket = success.message.find(stun::AttributeType::mobility_ticket)) {
    ticket_ = as_text(*ticket);
  }
  if (const auto lifetime = success.message.find(stun::AttributeType::lifetime)) {
    lifetime_ = stun::decode_lifetime(*lifetime);
  }
  if (const auto id = success.message.find(stun::AttributeType::connection_id)) {
    connection_id_ = stun::decode_connection_id(*id);
  }
  if (success.reservation_token) reservation_ = success.reservation_token;
  return 0;
}

int RelayClient::allocate(client::RequestContents contents) {
  contents.method = stun::Method::allocate;
  if (!contents.requested_transport) contents.requested_transport = stun::kProtocolUdp;
  return ask(turn_.request(std::move(contents)));
}

int RelayClient::bind(std::uint16_t channel, const Endpoint& peer) {
  return ask(turn_.channel_bind(stun::ChannelNumber::from_wire(channel).value(), peer));
}

int RelayClient::move_here(const std::string& ticket) {
  return ask(turn_.request(
      {.method = stun::Method::refresh, .others = {{stun::AttributeType::mobility_ticket, octets(ticket)}}}));
}

int RelayClient::connect(const Endpoint& peer) {
  return ask(turn_.request({.method = stun::Method::connect, .peers = {peer}}));
}

int RelayClient::bind_connection(std::uint32_t id) {
  Octets value(4);
  store_u32(value.data(), id);
  return ask(turn_.request(
      {.method = stun::Method::connection_bind, .others = {{stun::AttributeType::connection_id, value}}}));
}

void RelayClient::send(const Endpoint& peer, Bytes payload, bool dont_fragment) {
  send_raw(turn_.send_indication(peer, payload, dont_fragment));
}

void RelayClient::send_on_channel(std::uint16_t channel, Bytes payload) {
  send_raw(client::TurnClient::channel_data(stun::ChannelNumber::from_wire(channel).value(), payload,
                                            stream_.has_value()));
}

std::optional<Arrival> RelayClient::receive(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    const auto datagram = receive_raw(left);
    if (!datagram) return std::nullopt;
    const client::Event event = turn_.receive(datagram->bytes);
    if (const auto* data = std::get_if<client::PeerData>(&event)) {
      return Arrival{{data->payload.begin(), data->payload.end()}, data->peer, data->channel, {}};
    }
    if (const auto* error = std::get_if<client::PeerIcmp>(&event))
      return Arrival{{}, error->peer, {}, error->icmp};
  }
}

}  // namespace turnpike::test
