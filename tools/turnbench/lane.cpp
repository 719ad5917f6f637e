#include "turnbench/lane.hpp"

#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <string>

namespace turnpike::bench {
namespace {

constexpr int kSocketBuffer = 1 << 20;
constexpr std::chrono::seconds kLifetime{600};
constexpr int kMaxMismatches = 20;

Endpoint any_of(const Endpoint& like, std::uint16_t port) {
  return {like.address.is_v4() ? IpAddress() : *IpAddress::parse("::"), port};
}

// Asks for a large buffer, so that the server and not the load loses datagrams. The kernel limits it to
// net.core.rmem_max.
void enlarge_receive_buffer(int fd) {
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
}

// Returns a Send indication up to the header of DATA. Its transaction id has no meaning, so all indications
// use the same header.
std::vector<std::uint8_t> send_header(crypto::Random& random, const Endpoint& peer,
                                      std::size_t payload_size) {
  stun::TransactionId id;
  random.fill(id);
  std::array<std::uint8_t, 64> buffer;
  stun::MessageBuilder builder(buffer, {stun::Method::send, stun::Class::indication}, id);
  builder.add_xor_address(stun::AttributeType::xor_peer_address, peer).add_data_header(payload_size);
  return {builder.bytes().begin(), builder.bytes().end()};
}

std::vector<std::uint8_t> channel_header(std::size_t payload_size) {
  std::vector<std::uint8_t> header(stun::kChannelDataHeaderSize);
  stun::ChannelData::write_header(kChannel, payload_size, header.data());
  return header;
}

client::Request bind_request(Client& client, const Endpoint& peer, Mode mode) {
  return mode == Mode::channel ? client.turn.channel_bind(kChannel, peer)
                               : client.turn.create_permission({&peer, 1});
}

End plain_end(client::UdpSocket socket) { return {nullptr, std::move(socket), {}, {}}; }

Lane connect_directly(std::unique_ptr<Client> client, client::UdpSocket peer) {
  peer.connect(client->socket->local());
  client->socket->connect(peer.local());
  return {.near = {std::move(client), {}, {}, {}}, .far = plain_end(std::move(peer))};
}

client::UdpSocket open_peer(const IpAddress& address) {
  client::UdpSocket peer(Endpoint{address, 0});
  enlarge_receive_buffer(peer.fd());
  return peer;
}

End open_end(crypto::Random& random, const Options& options, std::unique_ptr<Client> client,
             const Endpoint& peer) {
  admit_peer(*client, peer, options.mode);
  std::vector<std::vector<std::uint8_t>> headers;
  for (const std::uint32_t size : payload_sizes(options)) {
    headers.push_back(options.mode == Mode::channel ? channel_header(size) : send_header(random, peer, size));
  }
  return {std::move(client), {}, peer, std::move(headers)};
}

// Returns nothing when the server answers 437.
std::optional<Endpoint> relayed_address(Client& client) {
  const auto answer = client.ask(client.turn.allocate(kLifetime));
  if (!answer) throw std::runtime_error("Allocate: no answer");
  const auto* failure = std::get_if<client::Failure>(&answer->event);
  if (failure && failure->code == static_cast<std::uint16_t>(stun::ErrorCode::allocation_mismatch))
    return std::nullopt;
  const auto* success = std::get_if<client::Success>(&answer->event);
  if (!success || !success->relayed) throw std::runtime_error("Allocate: " + outcome(answer->event));
  return success->relayed;
}

}  // namespace

Client::Client(crypto::Digester& digester, crypto::Random& random, const Options& options, std::uint16_t port)
    : server(options.server), turn(digester, random, {.credentials = options.credentials}) {
  const Endpoint local = any_of(server, port);
  if (is_stream(options.transport)) {
    std::optional<client::StreamSocket::Tls> tls;
    if (options.transport == Transport::tls) tls.emplace();
    stream.emplace(local, server, tls);
    return;
  }
  if (options.transport == Transport::dtls) {
    dtls.emplace(local, server);
    enlarge_receive_buffer(dtls->fd());
    return;
  }
  socket.emplace(local);
  enlarge_receive_buffer(socket->fd());
  socket->connect(server);
}

std::optional<client::Answer> Client::ask(client::Request request, const client::Retransmission& timers) {
  if (stream) return client::exchange(*stream, turn, std::move(request));
  if (dtls) return client::exchange(*dtls, turn, std::move(request), timers);
  return client::exchange(*socket, server, turn, std::move(request), timers);
}

void Client::send(Bytes message) {
  if (stream) return stream->send(message);
  if (dtls) return dtls->send(message);
  socket->send_to(message, server);
}

std::string outcome(const client::Event& event) {
  if (std::holds_alternative<client::Success>(event)) return "success";
  const auto* failure = std::get_if<client::Failure>(&event);
  return failure ? std::to_string(failure->code) + " " + std::string(failure->reason) : "no answer to that";
}

Allocated allocate(crypto::Digester& digester, crypto::Random& random, const Options& options) {
  for (int attempt = 0; attempt < kMaxMismatches; ++attempt) {
    auto client = std::make_unique<Client>(digester, random, options);
    if (const auto relayed = relayed_address(*client)) return {std::move(client), *relayed};
  }
  throw std::runtime_error("Allocate: error 437 after each of several attempts");
}

void admit_peer(Client& client, const Endpoint& peer, Mode mode) {
  const auto bound = client.ask(bind_request(client, peer, mode));
  if (!bound || !std::holds_alternative<client::Success>(bound->event))
    throw std::runtime_error("ChannelBind or CreatePermission: " +
                             (bound ? outcome(bound->event) : "no answer"));
}

Lane open_lane(crypto::Digester& digester, crypto::Random& random, const Options& options) {
  if (options.direct) {
    return connect_directly(std::make_unique<Client>(digester, random, options),
                            open_peer(options.peer_address));
  }
  auto [client, relayed] = allocate(digester, random, options);
  if (options.relay_to_relay) {
    auto [other, others_relayed] = allocate(digester, random, options);
    return {.near = open_end(random, options, std::move(client), others_relayed),
            .far = open_end(random, options, std::move(other), relayed)};
  }
  client::UdpSocket peer = open_peer(options.peer_address);
  End near = open_end(random, options, std::move(client), peer.local());
  peer.connect(relayed);
  return {.near = std::move(near), .far = plain_end(std::move(peer))};
}

std::vector<client::Request> refreshes(End& end, Mode mode) {
  return {end.client->turn.refresh(kLifetime), bind_request(*end.client, end.peer, mode)};
}

void give_up(Client& client) {
  const client::Retransmission patience{.rto = std::chrono::milliseconds(200), .count = 2, .last_wait = 2};
  client.ask(client.turn.refresh(std::chrono::seconds(0)), patience);
}

void close_lane(Lane& lane) {
  for (End* end : {&lane.near, &lane.far}) {
    if (end->client) give_up(*end->client);
  }
}

}  // namespace turnpike::bench
