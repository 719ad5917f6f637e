// The client's half of STUN and TURN without any socket: makes requests as bytes, takes what the server
// sends, and says what it means. For the tools and the integration tests; the daemon has no use for it.
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

// What a TURN REST service would hand out: the name `expires:user` and its password.
Credentials rest_credentials(crypto::Digester& digester, std::string_view secret, std::string_view user,
                             WallTime expires);

struct Params {
  // Without credentials no request carries integrity, and a 401 is the end of it.
  std::optional<Credentials> credentials{};
  // Take up PASSWORD-ALGORITHMS and MESSAGE-INTEGRITY-SHA256 when offered (RFC 8489 §9.2); a client of RFC
  // 5389 does not.
  bool rfc8489 = true;
  // USERHASH instead of USERNAME where the server says that it can do that.
  bool userhash = false;
  bool fingerprint = true;
  std::string software{};  // no SOFTWARE when empty
};

// What a request asks for. Whatever is absent is left out of the message, so that a test can leave out what
// ought to be there.
struct RequestContents {
  using RawAttribute = std::pair<stun::AttributeType, std::vector<std::uint8_t>>;

  stun::Method method = stun::Method::binding;
  std::vector<Endpoint> peers{};  // XOR-PEER-ADDRESS each
  std::optional<std::uint16_t> channel{};
  std::optional<std::chrono::seconds> lifetime{};
  std::optional<std::uint8_t> requested_transport{};
  std::optional<Family> requested_family{};
  std::optional<Family> additional_family{};
  std::optional<bool> even_port{};  // its value: whether the next port is to be reserved
  std::optional<stun::ReservationToken> reservation_token{};
  bool dont_fragment = false;
  std::vector<RawAttribute> others{};  // at the end, but before the integrity attribute
};

// Ready to be sent, and to be sent again unchanged until an answer comes.
struct Request {
  stun::TransactionId id{};
  stun::Method method{};
  std::vector<std::uint8_t> bytes;
};

// Success, Failure and PeerData view the datagram that was given to receive().
struct Success {
  stun::MessageView message;           // for attributes that have no field here
  std::optional<Endpoint> mapped;      // XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of an old server
  std::optional<Endpoint> relayed;     // the first XOR-RELAYED-ADDRESS
  std::optional<Endpoint> relayed_v6;  // the second one, where ADDITIONAL-ADDRESS-FAMILY asked for it
  std::optional<std::chrono::seconds> lifetime;
  std::optional<stun::ReservationToken> reservation_token;
  bool authenticated = false;  // false only where the request was not, either

  stun::Method method() const { return message.method(); }
};

// An error response that no retry will help with.
struct Failure {
  stun::MessageView message;
  std::uint16_t code = 0;  // 300 to 699
  std::string_view reason;
  // Errors count without integrity too: a server cannot sign a 400 for a request whose sender it does not
  // know.
  bool authenticated = false;

  stun::Method method() const { return message.method(); }
};

// A 401 or 438 whose challenge can be met: send this one instead.
struct Retry {
  Request request;
  stun::TransactionId replaces{};
  std::uint16_t code = 0;
};

// What a peer sent: a Data indication (`peer`) or ChannelData (`channel`).
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

// Any other indication, e.g. RFC 6062's ConnectionAttempt.
struct Indication {
  stun::MessageView message;
};

// Nothing to act on; an outstanding request stays outstanding.
enum class Ignored : std::uint8_t {
  not_a_message,        // neither STUN nor ChannelData
  unknown_transaction,  // answered before, abandoned or never asked
  bad_integrity,        // absent or wrong where the request was authenticated
  bid_down,             // the nonce announces PASSWORD-ALGORITHMS and there are none (RFC 8489 §9.2.5)
  malformed,            // an attribute that must be there is not, or is not what it should be
};

using Event = std::variant<Success, Failure, Retry, PeerData, PeerIcmp, Indication, Ignored>;

// One client on one 5-tuple. Not thread-safe; `digester` and `random` outlive it.
class TurnClient {
 public:
  TurnClient(crypto::Digester& digester, crypto::Random& random, Params params = {});

  // Each makes a request and remembers it until it is answered or abandoned. From the first challenge on
  // requests are authenticated, but for Binding.
  Request binding();
  Request allocate(
      std::optional<std::chrono::seconds> lifetime = {});      // over UDP, of the server's choice otherwise
  Request refresh(std::chrono::seconds lifetime);              // 0 gives the allocation up
  Request create_permission(std::span<const Endpoint> peers);  // ports do not matter
  Request channel_bind(stun::ChannelNumber channel, const Endpoint& peer);
  Request request(RequestContents contents);

  // No more answers are waited for; a late one is Ignored::unknown_transaction.
  void abandon(const stun::TransactionId& id);
  std::size_t outstanding() const { return outstanding_.size(); }

  // `datagram` is one whole message: a datagram, or a frame of a stream (stun::next_frame).
  Event receive(Bytes datagram);

  // Messages that have no answer. ChannelData on a stream is to be padded.
  std::vector<std::uint8_t> send_indication(const Endpoint& peer, Bytes payload, bool dont_fragment = false);
  static std::vector<std::uint8_t> channel_data(stun::ChannelNumber channel, Bytes payload, bool pad = false);

  // What the last challenge said; empty before.
  const std::string& realm() const { return realm_; }
  const std::string& nonce() const { return nonce_; }
  // Whether requests carry MESSAGE-INTEGRITY-SHA256.
  bool uses_sha256() const { return !password_algorithms_.empty(); }
  // Requests go on with this one, as if it had been the last challenge's.
  void set_nonce(std::string nonce) { nonce_ = std::move(nonce); }

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
  bool take_challenge(const stun::MessageView& message);
  bool take_algorithms(const stun::MessageView& message);
  void derive_key();
  stun::TransactionId new_transaction_id();

  crypto::Digester& digester_;
  crypto::Random& random_;
  Params params_;
  std::string realm_;
  std::string nonce_;
  std::vector<std::uint8_t>
      password_algorithms_;  // the attribute's value, to be echoed; empty: MD5 and SHA-1
  auth::Key key_;
  std::vector<Outstanding> outstanding_;
};

}  // namespace turnpike::client
