// Tests a TURN server from end to end: a datagram is relayed to ourselves and back, as in a call.
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

// `client` makes the allocation. `peer` is a second client of the same server and receives the datagrams.
// They are sent first to the peer's own relayed address, which even a server with a strict peer policy
// permits. If that fails, they are sent to the peer's reflexive address.
class TurnTest {
 public:
  // All references must outlive this object.
  TurnTest(Client& client, Client& peer, crypto::Random& random, milliseconds patience);

  // Runs the test. It always releases the allocations. Failed attempts are added to `notes`.
  TurnReport run(std::vector<std::string>& notes);

 private:
  // Whether the allocating client uses Send and Data indications, or ChannelData.
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
  bool receive_at_client(Bytes payload, Framing framing, Endpoint& seen, milliseconds wait);
  bool receive_at_peer(Bytes payload, milliseconds wait);
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
