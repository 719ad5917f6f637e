// A client with its allocation and the peer that it talks to: two sockets of this process with the server
// between them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/dtls.hpp"
#include "client/stream.hpp"
#include "client/turn_client.hpp"
#include "client/udp.hpp"
#include "turnbench/options.hpp"

namespace turnpike::bench {

// A socket and the protocol on it.
struct Client {
  // `port` is the local one, 0 for any. Throws std::system_error when it is taken.
  Client(crypto::Digester& digester, crypto::Random& random, const Options& options, std::uint16_t port = 0);

  int fd() const { return stream ? stream->fd() : dtls ? dtls->fd() : socket->fd(); }
  std::optional<client::Answer> ask(client::Request request, const client::Retransmission& timers = {});
  void send(Bytes message);

  Endpoint server;
  // One of the three, connected to the server.
  std::optional<client::UdpSocket> socket;
  std::optional<client::StreamSocket> stream;
  std::optional<client::DtlsSocket> dtls;
  client::TurnClient turn;
};

// A new client with an allocation. Another one where the server still remembers
// the port from somebody before (437). Throws std::runtime_error when there is no allocation to be had.
struct Allocated {
  std::unique_ptr<Client> client;
  Endpoint relayed;
};
Allocated allocate(crypto::Digester& digester, crypto::Random& random, const Options& options);

// One direction of a lane.
struct Flow {
  std::uint64_t next = 0;       // the number of the next datagram
  std::uint64_t expected = 0;   // one past the highest number that arrived
  std::uint64_t under_way = 0;  // sent and neither arrived nor given up
  bool moved = false;           // something arrived since the last look for stalls
};

struct Lane {
  std::unique_ptr<Client> client;
  client::UdpSocket peer;  // connected to the relayed address
  // What stands in front of a payload on its way to the server, ready to be sent; empty on the way from the
  // peer.
  std::vector<std::uint8_t> up_header{};
  Flow up{};
  Flow down{};
};

// The channel number of every lane: each has an allocation of its own.
inline constexpr stun::ChannelNumber kChannel = *stun::ChannelNumber::from_wire(0x4000);

// With options.direct client and peer are connected to each other. Otherwise: allocation, permission and, in
// channel mode, channel: ready to carry traffic.
Lane open_lane(crypto::Digester& digester, crypto::Random& random, const Options& options);

// The requests that keep a lane alive, to be made every few minutes.
std::vector<client::Request> refreshes(Lane& lane, Mode mode);

// What became of a request, in a few words for people.
std::string outcome(const client::Event& event);

// Gives the allocation up; a server that does not answer is left alone.
void close_lane(Client& client);

}  // namespace turnpike::bench
