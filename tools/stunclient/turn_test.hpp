// A TURN server tried out from one end to the other: a datagram relayed to oneself and back, as a call would.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "stunclient/client.hpp"
#include "stunclient/report.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::stunclient {

// `client` allocates. `peer` is a second, unconnected client of the same server, at whom the datagrams are
// aimed: at its own relayed address first, which a server with a strict peer policy still permits, and at its
// reflexive address where that does not work.
class TurnTest {
 public:
  // The references outlive this.
  TurnTest(Client& client, Client& peer, crypto::Random& random, milliseconds patience);

  // Whatever comes of it, what was allocated is released. Adds to `notes` what was tried in vain.
  TurnReport run(std::vector<std::string>& notes);

 private:
  // Whether data travels in Send and Data indications or in ChannelData, on the allocating client's side.
  enum class Framing : std::uint8_t { indication, channel };
  using Payload = std::array<std::uint8_t, 16>;

  Step allocate(Client& client, std::optional<Endpoint>& relayed);
  Result<Answer, Problem> ask_for_allocation(Client& client);
  void find_path(std::vector<std::string>& notes);

  PathReport relay_to_relay();
  PathReport relay_to_host();
  Step prepare_relayed_peer(PathReport& path);
  Step prepare_host_peer(PathReport& path);
  void walk(PathReport& path);
  stun::ChannelNumber channel() const;
  Step bind_channel(const Endpoint& peer);

  std::optional<Problem> make_round_trip(Framing framing, PathReport& path);
  void send_from_peer(Bytes payload);
  void send_from_client(Bytes payload, Framing framing, const Endpoint& peer);
  bool reaches_client(Bytes payload, Framing framing, Endpoint& seen, milliseconds wait);
  bool reaches_peer(Bytes payload, milliseconds wait);
  bool is_payload_at_peer(const client::Datagram& datagram, Bytes payload);
  Payload random_payload();

  Step release();

  Client& client_;
  Client& peer_;
  crypto::Random& random_;
  milliseconds patience_;
  TurnReport report_;
  std::optional<Endpoint> peer_relayed_;
};

}  // namespace turnpike::stunclient
