// The client's side of STUN and TURN without a socket: it makes requests as octets, and interprets the
// messages of the server. It is for the tools and the integration tests; the daemon does not use it.
//
//   TurnClient client(digester, random, {.credentials = Credentials{"alice", "secret"}});
//   Request request = client.allocate();
//   for (;;) {
//     send(request.bytes);                                 // and again until answered: udp.hpp does that
//     Event event = client.receive(datagram);
//     if (auto* retry = std::get_if<Retry>(&event)) request = std::move(retry->request);       // 401, 438
//     else if (auto* success = std::get_if<Success>(&event)) return success->relayed;
//     else if (auto* failure = std::get_if<Failure>(&event)) return failure->code;
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::client {

struct Credentials {
  std::string username;
  std::string password;
};

// The credentials that a TURN REST service would issue: the name `expires:user` and its password.
Credentials rest_credentials(crypto::Digester& digester, std::string_view secret, std::string_view user,
                             WallTime expires);

struct Params {
  // Without credentials, requests have no integrity attribute, and a 401 is a Failure.
  std::optional<Credentials> credentials{};
  // Use PASSWORD-ALGORITHMS and MESSAGE-INTEGRITY-SHA256 when the server offers them (RFC 8489 §9.2). A
  // client of RFC 5389 does not.
  bool rfc8489 = true;
  // Send USERHASH instead of USERNAME when the server supports it.
  bool userhash = false;
  bool fingerprint = true;
  std::string software{};  // empty: no SOFTWARE attribute
};

// The contents of a request. Attributes that are not set are left out, so that a test can omit required ones.
struct RequestContents {
  using RawAttribute = std::pair<stun::AttributeType, std::vector<std::uint8_t>>;

  stun::Method method = stun::Method::binding;
  std::vector<Endpoint> peers{};  // one XOR-PEER-ADDRESS each
  std::optional<std::uint16_t> channel{};
  std::optional<std::chrono::seconds> lifetime{};
  std::optional<std::uint8_t> requested_transport{};
  std::optional<Family> requested_family{};
  std::optional<Family> additional_family{};
  std::optional<bool> even_port{};  // the R bit: whether the next port shall be reserved
  std::optional<stun::ReservationToken> reservation_token{};
  bool dont_fragment = false;
  std::vector<RawAttribute> others{};  // after the other attributes, before the integrity attribute
};

// A request to be sent, and sent again unchanged until an answer comes.
struct Request {
  stun::TransactionId id{};
  stun::Method method{};
  std::vector<std::uint8_t> bytes;
};

// Success, Failure and PeerData view the datagram that receive() got.
struct Success {
  stun::MessageView message;           // for attributes without a field here
  std::optional<Endpoint> mapped;      // XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS from an old server
  std::optional<Endpoint> relayed;     // the first XOR-RELAYED-ADDRESS
  std::optional<Endpoint> relayed_v6;  // the second one, after ADDITIONAL-ADDRESS-FAMILY
  std::optional<std::chrono::seconds> lifetime;
  std::optional<stun::ReservationToken> reservation_token;
  bool authenticated = false;  // false only when the request was not authenticated either

  stun::Method method() const { return message.method(); }
};

// An error response that a retry cannot change.
struct Failure {
  stun::MessageView message;
  std::uint16_t code = 0;  // 300 to 699
  std::string_view reason;
  // Errors are accepted without integrity too: a server cannot sign a 400 when it does not know the sender.
  bool authenticated = false;

  stun::Method method() const { return message.method(); }
};

// A 401 or 438 with a challenge that the client can answer. Send this request instead.
struct Retry {
  Request request;
  stun::TransactionId replaces{};
  std::uint16_t code = 0;
};

// Data from a peer: in a Data indication (then `peer` is set) or in ChannelData (then `channel` is set).
struct PeerData {
  std::optional<Endpoint> peer;
  std::optional<stun::ChannelNumber> channel;
  Bytes payload;
};

// An ICMP error that a datagram to `peer` caused (RFC 8656 §11.6).
struct PeerIcmp {
  Endpoint peer;
  stun::Icmp icmp;
};

// Any other indication, such as ConnectionAttempt of RFC 6062.
struct Indication {
  stun::MessageView message;
};

// A message without effect. An outstanding request stays outstanding.
enum class Ignored : std::uint8_t {
  not_a_message,        // neither STUN nor ChannelData
  unknown_transaction,  // already answered, abandoned or never sent
  bad_integrity,        // missing or wrong integrity, although the request was authenticated
  bid_down,             // the nonce announces PASSWORD-ALGORITHMS, but they are missing (RFC 8489 §9.2.5)
  malformed,            // a required attribute is missing or malformed
};

using Event = std::variant<Success, Failure, Retry, PeerData, PeerIcmp, Indication, Ignored>;

// One client on one 5-tuple. Not thread-safe. `digester` and `random` must outlive it.
class TurnClient {
 public:
  TurnClient(crypto::Digester& digester, crypto::Random& random, Params params = {});

  // Each of these makes a request and remembers it until it is answered or abandoned. After the first
  // challenge, all requests except Binding are authenticated.
  Request binding();
  Request allocate(
      std::optional<std::chrono::seconds> lifetime = {});  // over UDP; without `lifetime` the server chooses
  Request refresh(std::chrono::seconds lifetime);          // 0 deletes the allocation
  Request create_permission(std::span<const Endpoint> peers);  // only the addresses count, not the ports
  Request channel_bind(stun::ChannelNumber channel, const Endpoint& peer);
  Request request(RequestContents contents);

  // Stops waiting for the answer. A late answer is Ignored::unknown_transaction.
  void abandon(const stun::TransactionId& id);

  // `datagram` is one whole message: a datagram, or one frame of a stream (stun::next_frame).
  Event receive(Bytes datagram);

  // Messages without an answer. ChannelData on a stream needs `pad`.
  std::vector<std::uint8_t> send_indication(const Endpoint& peer, Bytes payload, bool dont_fragment = false);
  static std::vector<std::uint8_t> channel_data(stun::ChannelNumber channel, Bytes payload, bool pad = false);

  // The values of the last challenge; empty before the first.
  const std::string& realm() const { return realm_; }
  const std::string& nonce() const { return nonce_; }
  // Whether requests carry MESSAGE-INTEGRITY-SHA256.
  bool uses_sha256() const { return !password_algorithms_.empty(); }

 private:
  enum class Signature : std::uint8_t { none, sha1, sha256 };

  struct Outstanding {
    stun::TransactionId id{};
    RequestContents contents;
    Signature signature = Signature::none;
    auth::Key key;
    int challenges = 0;
  };

  Request make_request(RequestContents contents, int challenges);
  void add_contents(stun::MessageBuilder& builder, const RequestContents& contents) const;
  void add_credentials(stun::MessageBuilder& builder);
  void sign(stun::MessageBuilder& builder, Signature signature);
  Signature signature_for(stun::Method method) const;

  Event receive_response(const stun::MessageView& message);
  Event receive_success(const stun::MessageView& message, const Outstanding& asked);
  Event receive_error(const stun::MessageView& message, const Outstanding& asked);
  Event meet_challenge(const stun::MessageView& message, const Outstanding& asked, std::uint16_t code);
  Event receive_indication(const stun::MessageView& message) const;

  bool is_authentic(const stun::MessageView& message, const Outstanding& asked);
  bool store_challenge(const stun::MessageView& message);
  bool store_algorithms(const stun::MessageView& message);
  void derive_key();
  stun::TransactionId new_transaction_id();

  crypto::Digester& digester_;
  crypto::Random& random_;
  Params params_;
  std::string realm_;
  std::string nonce_;
  std::vector<std::uint8_t>
      password_algorithms_;  // value of the attribute, which is sent back; empty: MD5 and SHA-1
  auth::Key key_;
  std::vector<Outstanding> outstanding_;
};

}  // namespace turnpike::client
