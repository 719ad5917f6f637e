// A TURN client on a real socket, as the integration tests use one: each step either works or says what the
// server answered.
#pragma once

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

// What arrived from a peer, whichever way it was wrapped.
struct Arrival {
  Octets payload;
  std::optional<Endpoint> peer;  // of a Data indication
  std::optional<stun::ChannelNumber> channel;
  std::optional<stun::Icmp> icmp;

  std::string text() const { return {payload.begin(), payload.end()}; }
};

class RelayClient {
 public:
  // `local` defaults to the server's family on loopback.
  explicit RelayClient(const Endpoint& server,
                       client::Params params = {.credentials = client::Credentials{"alice", "secret"}},
                       std::optional<Endpoint> local = {}, Transport transport = Transport::udp);
  RelayClient(const Endpoint& server, Transport transport)
      : RelayClient(server, {.credentials = client::Credentials{"alice", "secret"}}, {}, transport) {}

  // 0 for success, else the error code; throws when no answer comes.
  int ask(const client::Request& request);
  int allocate(client::RequestContents contents = {});
  int refresh(std::chrono::seconds lifetime) { return ask(turn().refresh(lifetime)); }
  int permit(const Endpoint& peer) { return ask(turn().create_permission(std::vector{peer})); }
  int bind(std::uint16_t channel, const Endpoint& peer);
  // RFC 8016: a Refresh from here for an allocation that was made elsewhere.
  int move_here(const std::string& ticket);
  // The latest of them.
  const std::string& ticket() const { return ticket_; }
  // RFC 6062. The second one makes the client's connection a data connection.
  int connect(const Endpoint& peer);
  int bind_connection(std::uint32_t id);
  // Of the last Connect that succeeded.
  std::uint32_t connection_id() const { return connection_id_.value(); }

  void send(const Endpoint& peer, Bytes payload, bool dont_fragment = false);
  void send_on_channel(std::uint16_t channel, Bytes payload);
  void send_raw(Bytes bytes);

  // The next that arrives from a peer; nothing when the time is up.
  std::optional<Arrival> receive(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  std::optional<client::Datagram> receive_raw(std::chrono::milliseconds timeout) {
    return stream_ ? stream_->receive(timeout) : dtls_ ? dtls_->receive(timeout) : socket_->receive(timeout);
  }

  client::TurnClient& turn() { return turn_; }
  Endpoint local() const { return stream_ ? stream_->local() : dtls_ ? dtls_->local() : socket_->local(); }
  // Of a client by UDP.
  client::UdpSocket& socket() { return socket_.value(); }
  // Of a client by TCP or TLS.
  client::StreamSocket& stream() { return stream_.value(); }
  // Of a client by DTLS.
  client::DtlsSocket& dtls() { return dtls_.value(); }
  // Ends the connection, without a word of the allocation.
  void disconnect() {
    stream_.reset();
    dtls_.reset();
  }
  // Of the last Allocate that succeeded.
  const Endpoint& relayed() const { return relayed_; }
  const std::optional<Endpoint>& relayed_v6() const { return relayed_v6_; }
  const std::optional<stun::ReservationToken>& reservation() const { return reservation_; }
  const std::optional<Endpoint>& mapped() const { return mapped_; }
  // As the last answer that said so granted it.
  std::chrono::seconds lifetime() const { return lifetime_.value(); }

 private:
  crypto::Digester digester_;
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

}  // namespace turnpike::test
