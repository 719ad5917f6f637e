// A client with its allocation, and the peer that it exchanges data with: two sockets of this process with
// the server between them. The peer may be a client of the server as well.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/dtls.hpp"
#include "client/stream.hpp"
#include "client/turn_client.hpp"
#include "client/udp.hpp"
#include "turnbench/options.hpp"

namespace turnpike::bench {

// A socket with a TURN client.
struct Client {
  // `port` is the local port; 0 means any. Throws std::system_error when the port is in use.
  Client(crypto::Digester& digester, crypto::Random& random, const Options& options, std::uint16_t port = 0);

  int fd() const { return stream ? stream->fd() : dtls ? dtls->fd() : socket->fd(); }
  std::optional<client::Answer> ask(client::Request request, const client::Retransmission& timers = {});
  void send(Bytes message);

  Endpoint server;
  // Exactly one of the three has a value. It is connected to the server.
  std::optional<client::UdpSocket> socket;
  std::optional<client::StreamSocket> stream;
  std::optional<client::DtlsSocket> dtls;
  client::TurnClient turn;
};

// Makes a new client with an allocation. It tries another client when the server still has an allocation of
// an earlier client for this port (437). Throws std::runtime_error when no allocation can be made.
struct Allocated {
  std::unique_ptr<Client> client;
  Endpoint relayed;
};
Allocated allocate(crypto::Digester& digester, crypto::Random& random, const Options& options);

// One direction of a lane.
struct Flow {
  std::uint64_t next = 0;       // number of the next datagram
  std::uint64_t expected = 0;   // one more than the highest number that has arrived
  std::uint64_t under_way = 0;  // sent, and neither arrived nor known to be lost
  bool moved = false;           // something has arrived since the last check for stalls
};

// One end of a lane: a client of the server, or a plain socket whose payloads have no header.
struct End {
  std::unique_ptr<Client> client;           // null when the end is `socket`
  std::optional<client::UdpSocket> socket;  // connected to the relayed address of the other end
  Endpoint peer;                            // of the client: where its payloads go
  // Headers of payloads from the client to the server, ready to be sent: one for each of payload_sizes().
  std::vector<std::vector<std::uint8_t>> headers;

  int fd() const { return client ? client->fd() : socket->fd(); }
  Bytes header(std::size_t kind) const { return headers.empty() ? Bytes() : Bytes(headers[kind]); }
};

struct Lane {
  End near;  // a client
  End far;
  Flow up{};  // from near to far
  Flow down{};
};

// The channel number of every lane; each lane has its own allocation.
inline constexpr stun::ChannelNumber kChannel = *stun::ChannelNumber::from_wire(0x4000);

// Makes a permission and, in channel mode, a channel for the peer. Throws std::runtime_error when it cannot.
void admit_peer(Client& client, const Endpoint& peer, Mode mode);

// With options.direct, client and peer are connected to each other. Otherwise this makes the allocation, the
// permission and, in channel mode, the channel of each client. The lane is then ready for traffic.
Lane open_lane(crypto::Digester& digester, crypto::Random& random, const Options& options);

// The requests that keep the end of a client alive; they have to be sent every few minutes.
std::vector<client::Request> refreshes(End& end, Mode mode);

// Describes the answer to a request in a few words.
std::string outcome(const client::Event& event);

// Deletes the allocation. It does not wait for a server that does not answer.
void give_up(Client& client);
// Deletes the allocations of both ends.
void close_lane(Lane& lane);

}  // namespace turnpike::bench
