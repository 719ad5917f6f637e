// A TURN client on a real socket for integration tests. Each step returns the result or the error code of the
// server.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "client/dtls.hpp"
#include "client/stream.hpp"
#include "client/turn_client.hpp"
#include "client/udp.hpp"
#include "net/system_random.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::test {

using Octets = std::vector<std::uint8_t>;
Octets octets(std::string_view text);

// Data from a peer, in any form.
struct Arrival {
  Octets payload;
  std::optional<Endpoint> peer;  // set for a Data indication
  std::optional<stun::ChannelNumber> channel;
  std::optional<stun::Icmp> icmp;

  std::string text() const { return {payload.begin(), payload.end()}; }
};

class RelayClient {
 public:
  // `local` is by default a loopback address of the server's family.
  explicit RelayClient(const Endpoint& server,
                       client::Params params = {.credentials = client::Credentials{"alice", "secret"}},
                       std::optional<Endpoint> local = {}, Transport transport = Transport::udp);
  RelayClient(const Endpoint& server, Transport transport)
      : RelayClient(server, {.credentials = client::Credentials{"alice", "secret"}}, {}, transport) {}

  // Returns 0 for a success, otherwise the error code. Throws when no answer comes.
  int ask(const client::Request& request);
  int allocate(client::RequestContents contents = {});
  int refresh(std::chrono::seconds lifetime) { return ask(turn().refresh(lifetime)); }
  int permit(const Endpoint& peer) { return ask(turn().create_permission(std::vector{peer})); }
  int bind(std::uint16_t channel, const Endpoint& peer);
  // Sends a Refresh with a ticket (RFC 8016): this client continues the allocation of another one.
  int move_here(const std::string& ticket);
  // The ticket of the latest answer.
  const std::string& ticket() const { return ticket_; }
  // RFC 6062. bind_connection() makes this client's connection a data connection.
  int connect(const Endpoint& peer);
  int bind_connection(std::uint32_t id);
  // The CONNECTION-ID of the last successful Connect.
  std::uint32_t connection_id() const { return connection_id_.value(); }

  void send(const Endpoint& peer, Bytes payload, bool dont_fragment = false);
  void send_on_channel(std::uint16_t channel, Bytes payload);
  void send_raw(Bytes bytes);

  // The next data from a peer; nothing after the timeout.
  std::optional<Arrival> receive(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  std::optional<client::Datagram> receive_raw(std::chrono::milliseconds timeout) {
    return stream_ ? stream_->receive(timeout) : dtls_ ? dtls_->receive(timeout) : socket_->receive(timeout);
  }

  client::TurnClient& turn() { return turn_; }
  Endpoint local() const { return stream_ ? stream_->local() : dtls_ ? dtls_->local() : socket_->local(); }
  // Only for a client over UDP.
  client::UdpSocket& socket() { return socket_.value(); }
  // Only for a client over TCP or TLS.
  client::StreamSocket& stream() { return stream_.value(); }
  // Only for a client over DTLS.
  client::DtlsSocket& dtls() { return dtls_.value(); }
  // Closes the connection without deleting the allocation.
  void disconnect() {
    stream_.reset();
    dtls_.reset();
  }
  // The addresses of the last successful Allocate.
  const Endpoint& relayed() const { return relayed_; }
  const std::optional<Endpoint>& relayed_v6() const { return relayed_v6_; }
  const std::optional<stun::ReservationToken>& reservation() const { return reservation_; }
  const std::optional<Endpoint>& mapped() const { return mapped_; }
  // The lifetime in the latest answer that had one.
  std::chrono::seconds lifetime() const { return lifetime_.value(); }

 private:
  net::SystemRandom random_;
  client::TurnClient turn_;
  Endpoint server_;
  std::optional<client::UdpSocket> socket_;
  std::optional<client::StreamSocket> stream_;
  std::optional<client::DtlsSocket> dtls_;
  Endpoint relayed_;
  std::optional<Endpoint> relayed_v6_;
  std::optional<Endpoint> mapped_;
  std::optional<std::chrono::seconds> lifetime_;
  std::optional<std::uint32_t> connection_id_;
  std::string ticket_;
  std::optional<stun::ReservationToken> reservation_;
};

Endpoint loopback(Family family);

// A Binding request without attributes, as it is on the wire.
inline const std::string kBinding("\0\1\0\0\x21\x12\xA4\x42twelve octet", 20);

inline Endpoint at(const std::string& address, std::uint16_t port) {
  return {*IpAddress::parse(address), port};
}

// Returns octets that differ from their neighbours, and from those in the same place 512 octets later.
inline Octets pattern(std::size_t size) {
  Octets bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + (i >> 9) + size);
  return bytes;
}

// A call whose members would notice if the server had no time for it.
class Caller {
 public:
  Caller(const Endpoint& server, Transport transport)
      : client_(server, transport), peer_(loopback(Family::ipv4)) {
    REQUIRE(client_.allocate() == 0);
    REQUIRE(client_.bind(kChannel, peer_.local()) == 0);
  }

  // Sends one message to the peer, and one back.
  void talk() {
    client_.send_on_channel(kChannel, octets("there"));
    const auto datagram = peer_.receive(std::chrono::seconds(10));
    REQUIRE(datagram);
    peer_.send_to(octets("and back"), datagram->from);
    const auto arrival = client_.receive();
    REQUIRE(arrival);
    CHECK(arrival->text() == "and back");
  }

  int refresh(std::chrono::seconds lifetime) { return client_.refresh(lifetime); }

 private:
  static constexpr std::uint16_t kChannel = 0x4000;
  RelayClient client_;
  client::UdpSocket peer_;
};

}  // namespace turnpike::test
