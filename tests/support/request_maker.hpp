// Makes the messages of a client in the words of a test:
// `allocate().lifetime(0s).from(client(2)).as("bob").sha256()`. By default the request is that of a correct
// client of RFC 5389: from the user alice and the first 5-tuple, with MESSAGE-INTEGRITY.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace turnpike::test {

using Octets = std::vector<std::uint8_t>;

inline constexpr std::string_view kRealm = "example.org";

inline Endpoint endpoint(std::string_view text) { return *Endpoint::parse(text); }
inline IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

// A 5-tuple, and the worker that the kernel assigns it to.
struct Client {
  FiveTuple tuple;
  unsigned worker = 0;
};

// The n-th client. Each has its own address.
inline Client client(unsigned n, unsigned worker = 0) {
  return {
      {{IpAddress::v4(0xC6336400 + n), static_cast<std::uint16_t>(40000 + n)}, endpoint("192.0.2.1:3478")},
      worker};
}

// The n-th client on another transport. A stream client has a path of its own.
inline Client client_on(Transport transport, unsigned n = 1) {
  Client c = client(n);
  c.tuple.transport = transport;
  if (is_stream(transport)) c.tuple.path = PathId{n};
  return c;
}

// The n-th client by TCP, which the given worker serves.
inline Client over_tcp(unsigned n = 1, unsigned worker = 0) {
  Client c = client_on(Transport::tcp, n);
  c.worker = worker;
  return c;
}

// The n-th of many peers, each with an address of its own.
inline Endpoint peer_number(std::uint32_t n) { return {IpAddress::v4(0x14000000 + n), 1000}; }

enum class Signing : std::uint8_t { none, sha1, sha256 };

class RequestMaker {
 public:
  explicit RequestMaker(stun::Method method, stun::Class message_class = stun::Class::request)
      : type_{method, message_class} {}

  // --- Attributes, in the order of the calls
  RequestMaker& with(std::function<void(stun::MessageBuilder&)> write) {
    attributes_.push_back(std::move(write));
    return *this;
  }
  RequestMaker& raw(stun::AttributeType type, std::string_view value) {
    return with([type, v = std::string(value)](auto& b) { b.add(type, std::string_view(v)); });
  }
  RequestMaker& word(stun::AttributeType type, std::uint32_t value) {
    return with([=](auto& b) { b.add_u32(type, value); });
  }
  RequestMaker& transport(std::uint8_t protocol) {
    return with([=](auto& b) { b.add_requested_transport(protocol); });
  }
  RequestMaker& lifetime(std::chrono::seconds asked) {
    return with([=](auto& b) { b.add_lifetime(asked); });
  }
  RequestMaker& even_port(bool reserve_next) {
    return with([=](auto& b) { b.add_even_port(reserve_next); });
  }
  RequestMaker& claiming(const stun::ReservationToken& token) {
    return with([=](auto& b) { b.add(stun::AttributeType::reservation_token, Bytes(token)); });
  }
  RequestMaker& family(Family f) { return family(static_cast<std::uint8_t>(f)); }
  RequestMaker& family(std::uint8_t f) {
    return word(stun::AttributeType::requested_address_family, std::uint32_t{f} << 24);
  }
  RequestMaker& additional_family(Family f) { return additional_family(static_cast<std::uint8_t>(f)); }
  RequestMaker& additional_family(std::uint8_t f) {
    return word(stun::AttributeType::additional_address_family, std::uint32_t{f} << 24);
  }
  RequestMaker& peer(const Endpoint& e) {
    return with([=](auto& b) { b.add_xor_address(stun::AttributeType::xor_peer_address, e); });
  }
  RequestMaker& peer(std::string_view text) { return peer(endpoint(text)); }
  RequestMaker& channel(std::uint16_t number) {
    return word(stun::AttributeType::channel_number, std::uint32_t{number} << 16);
  }
  RequestMaker& data(std::string_view payload) { return raw(stun::AttributeType::data, payload); }
  RequestMaker& dont_fragment() {
    return with([](auto& b) { b.add_flag(stun::AttributeType::dont_fragment); });
  }
  // Adds an attribute after the integrity attribute, where it must be ignored.
  RequestMaker& behind_integrity(std::function<void(stun::MessageBuilder&)> write) {
    behind_integrity_.push_back(std::move(write));
    return *this;
  }
  RequestMaker& fingerprint() {
    fingerprint_ = true;
    return *this;
  }

  // --- Sender and signature
  RequestMaker& from(const Client& c) {
    client_ = c;
    return *this;
  }
  RequestMaker& as(std::string_view user) { return as(user, std::string(user) + "'s password"); }
  RequestMaker& as(std::string_view user, std::string_view password) {
    username_ = user;
    password_ = password;
    return *this;
  }
  RequestMaker& password(std::string_view p) {
    password_ = p;
    return *this;
  }
  // A token and its session key, which signs the request (RFC 7635). Later requests without a token are
  // signed with it too.
  RequestMaker& with_token(Bytes token, std::string_view kid, std::string_view mac_key) {
    return raw(stun::AttributeType::access_token, as_text(token)).with_session(kid, mac_key);
  }
  RequestMaker& with_session(std::string_view kid, std::string_view mac_key) {
    username_ = kid;
    session_key_ = mac_key;
    return *this;
  }
  RequestMaker& unsigned_by_anybody() {
    signing_ = Signing::none;
    return *this;
  }
  // PASSWORD-ALGORITHMS, PASSWORD-ALGORITHM and MESSAGE-INTEGRITY-SHA256 (RFC 8489).
  RequestMaker& sha256() { return choosing(stun::PasswordAlgorithm::sha256); }
  RequestMaker& choosing(stun::PasswordAlgorithm algorithm) {
    signing_ = Signing::sha256;
    algorithm_ = algorithm;
    if (!listed_) listed_.emplace({stun::PasswordAlgorithm::sha256, stun::PasswordAlgorithm::md5});
    chosen_ = static_cast<std::uint16_t>(algorithm);
    return *this;
  }
  // Chooses only the integrity attribute.
  RequestMaker& signing(Signing s) {
    signing_ = s;
    return *this;
  }
  RequestMaker& both_integrities() {
    both_integrities_ = true;
    return *this;
  }
  RequestMaker& listing(std::optional<std::vector<stun::PasswordAlgorithm>> algorithms) {
    listed_ = std::move(algorithms);
    return *this;
  }
  RequestMaker& naming_algorithm(std::optional<std::uint16_t> number) {
    chosen_ = number;
    return *this;
  }
  RequestMaker& by_userhash() {
    by_userhash_ = true;
    return *this;
  }
  RequestMaker& nonce(std::string_view text) {
    nonce_ = text;
    return *this;
  }
  RequestMaker& realm(std::string_view text) {
    realm_ = text;
    return *this;
  }
  // Omits an attribute: USERNAME, REALM or NONCE.
  RequestMaker& without(stun::AttributeType type) {
    omitted_.push_back(type);
    return *this;
  }
  RequestMaker& transaction(std::uint8_t n) {
    transaction_id_.emplace().fill(n);
    return *this;
  }

  const Client& client() const { return client_; }
  stun::MessageType type() const { return type_; }
  Signing signing() const { return signing_; }
  // A password algorithm asks for the better one (RFC 8489 §9.2.4), but the key of a token may be too short.
  Signing signing_of_answer() const {
    return signing_ != Signing::none && (listed_ || chosen_) && !session_key_ ? Signing::sha256 : signing_;
  }
  bool has_fingerprint() const { return fingerprint_; }
  bool needs_nonce() const {
    return signing_ != Signing::none && !nonce_ && keeps(stun::AttributeType::nonce);
  }
  const std::optional<stun::TransactionId>& transaction_id() const { return transaction_id_; }

  auth::Key key(crypto::Digester& digester) const {
    if (session_key_) return auth::Key::of_session(as_bytes(*session_key_));
    if (algorithm_ == stun::PasswordAlgorithm::md5)
      return auth::Key(auth::long_term_key_md5(digester, username_, kRealm, password_));
    return auth::Key(auth::long_term_key_sha256(digester, username_, kRealm, password_));
  }

  // `nonce` and `id` are used unless the test has set others.
  Octets build(crypto::Digester& digester, std::string_view nonce, const stun::TransactionId& id) const {
    Octets buffer(stun::kMaxMessageSize);
    stun::MessageBuilder builder(buffer, type_, transaction_id_.value_or(id));
    for (const auto& write : attributes_) write(builder);
    if (signing_ != Signing::none) sign(builder, digester, nonce_.value_or(std::string(nonce)));
    for (const auto& write : behind_integrity_) write(builder);
    if (fingerprint_) builder.add_fingerprint();
    return {builder.bytes().begin(), builder.bytes().end()};
  }

 private:
  bool keeps(stun::AttributeType type) const {
    return std::find(omitted_.begin(), omitted_.end(), type) == omitted_.end();
  }

  void sign(stun::MessageBuilder& builder, crypto::Digester& digester, std::string_view nonce) const {
    using stun::AttributeType;
    if (by_userhash_) {
      builder.add(AttributeType::userhash, Bytes(auth::userhash(digester, username_, kRealm)));
    } else if (keeps(AttributeType::username)) {
      builder.add(AttributeType::username, std::string_view(username_));
    }
    if (keeps(AttributeType::realm)) builder.add(AttributeType::realm, std::string_view(realm_));
    if (keeps(AttributeType::nonce)) builder.add(AttributeType::nonce, nonce);
    if (listed_) builder.add_password_algorithms(*listed_);
    if (chosen_) builder.add_u32(AttributeType::password_algorithm, std::uint32_t{*chosen_} << 16);
    const auth::Key with = key(digester);
    if (signing_ == Signing::sha1 || both_integrities_) builder.add_integrity_sha1(digester, with.bytes());
    if (signing_ == Signing::sha256 || both_integrities_)
      builder.add_integrity_sha256(digester, with.bytes());
  }

  stun::MessageType type_;
  Client client_ = test::client(1);
  std::vector<std::function<void(stun::MessageBuilder&)>> attributes_;
  std::vector<std::function<void(stun::MessageBuilder&)>> behind_integrity_;
  bool fingerprint_ = false;

  std::string username_ = "alice";
  std::string password_ = "alice's password";
  std::optional<std::string> session_key_;
  Signing signing_ = Signing::sha1;
  stun::PasswordAlgorithm algorithm_ = stun::PasswordAlgorithm::md5;
  bool both_integrities_ = false;
  bool by_userhash_ = false;
  std::string realm_{kRealm};
  std::optional<std::string> nonce_;
  std::optional<std::vector<stun::PasswordAlgorithm>> listed_;
  std::optional<std::uint16_t> chosen_;
  std::vector<stun::AttributeType> omitted_;
  std::optional<stun::TransactionId> transaction_id_;
};

inline RequestMaker request(stun::Method method) { return RequestMaker(method); }
inline RequestMaker binding() { return request(stun::Method::binding).unsigned_by_anybody(); }
inline RequestMaker allocate() { return request(stun::Method::allocate).transport(stun::kProtocolUdp); }
inline RequestMaker refresh() { return request(stun::Method::refresh); }
inline RequestMaker refresh(std::chrono::seconds lifetime) { return refresh().lifetime(lifetime); }
inline RequestMaker create_permission() { return request(stun::Method::create_permission); }
inline RequestMaker create_permission(std::string_view peer) { return create_permission().peer(peer); }
inline RequestMaker channel_bind(std::uint16_t number, std::string_view peer) {
  return request(stun::Method::channel_bind).channel(number).peer(peer);
}
// RFC 8016.
inline RequestMaker allocate_mobile() { return allocate().raw(stun::AttributeType::mobility_ticket, ""); }
inline RequestMaker refresh_with(std::string_view ticket) {
  return refresh().raw(stun::AttributeType::mobility_ticket, ticket);
}
// RFC 6062.
inline RequestMaker allocate_tcp() { return request(stun::Method::allocate).transport(stun::kProtocolTcp); }
inline RequestMaker connect(std::string_view peer) { return request(stun::Method::connect).peer(peer); }
inline RequestMaker connection_bind(std::uint32_t id) {
  return request(stun::Method::connection_bind).word(stun::AttributeType::connection_id, id);
}
inline RequestMaker indication(stun::Method method) {
  return RequestMaker(method, stun::Class::indication).unsigned_by_anybody();
}
inline RequestMaker send(std::string_view peer, std::string_view payload) {
  return indication(stun::Method::send).peer(peer).data(payload);
}

inline Octets channel_data(std::uint16_t number, std::string_view payload) {
  Octets message(stun::kChannelDataHeaderSize + payload.size());
  store_u16(&message[0], number);
  store_u16(&message[2], static_cast<std::uint16_t>(payload.size()));
  std::ranges::copy(payload, message.begin() + stun::kChannelDataHeaderSize);
  return message;
}

}  // namespace turnpike::test
