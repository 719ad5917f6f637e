#include "client/turn_client.hpp"

#include <algorithm>

#include "turnpike/auth/nonce.hpp"
#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::client {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::MessageBuilder;
using stun::MessageView;
using stun::Method;
using stun::PasswordAlgorithm;
using stun::TransactionId;

namespace {

constexpr std::size_t kMaxRequest = 4096;  // without the XOR-PEER-ADDRESS attributes
constexpr std::size_t kMaxPeerSize = 24;   // maximum size of an XOR-PEER-ADDRESS attribute
// The first challenge, and two stale nonces from a server that is slow or restarts.
constexpr int kMaxChallenges = 3;

// Whether bit 1 of the security features after the nonce cookie is set (RFC 8489 §9.2.1).
bool announces_anonymity(std::string_view nonce) {
  constexpr std::string_view kCookie = "obMatJos2";
  if (!nonce.starts_with(kCookie) || nonce.size() < kCookie.size() + 4) return false;
  const auto features = crypto::base64_decode(nonce.substr(kCookie.size(), 4));
  return features && features->size() == 3 && ((*features)[2] & 2) != 0;
}

// The first algorithm in PASSWORD-ALGORITHMS that this client knows (RFC 8489 §14.11).
std::optional<PasswordAlgorithm> choose_algorithm(Bytes list) {
  ByteReader reader(list);
  while (reader.ok() && !reader.at_end()) {
    const PasswordAlgorithm algorithm{reader.u16()};
    const std::uint16_t parameters_size = reader.u16();
    reader.take(stun::padded(parameters_size));
    const bool known = algorithm == PasswordAlgorithm::md5 || algorithm == PasswordAlgorithm::sha256;
    if (reader.ok() && known && parameters_size == 0) return algorithm;
  }
  return std::nullopt;
}

template <class Decode>
auto decoded(const MessageView& message, AttributeType type, Decode&& decode) -> decltype(decode(Bytes())) {
  const std::optional<Bytes> value = message.find(type);
  if (!value) return std::nullopt;
  return decode(*value);
}

std::optional<Endpoint> xor_address(const MessageView& message, AttributeType type) {
  return decoded(message, type,
                 [&](Bytes value) { return stun::decode_xor_address(value, message.transaction_id()); });
}

std::optional<Endpoint> second_relayed(const MessageView& message) {
  std::optional<Endpoint> last;
  int count = 0;
  message.for_each([&](const stun::Attribute& attribute) {
    if (attribute.type != AttributeType::xor_relayed_address) return;
    ++count;
    last = stun::decode_xor_address(attribute.value, message.transaction_id());
  });
  return count > 1 ? last : std::nullopt;
}

std::string prepared(const std::string& text) { return auth::opaque_string(text).value_or(text); }

}  // namespace

Credentials rest_credentials(crypto::Digester& digester, std::string_view secret, std::string_view user,
                             WallTime expires) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch());
  Credentials credentials;
  credentials.username = std::to_string(seconds.count());
  if (!user.empty()) credentials.username.append(":").append(user);
  credentials.password = auth::rest_password(digester, secret, credentials.username);
  return credentials;
}

TurnClient::TurnClient(crypto::Digester& digester, crypto::Random& random, Params params)
    : digester_(digester), random_(random), params_(std::move(params)) {
  if (!params_.credentials) return;
  params_.credentials->username = prepared(params_.credentials->username);
  params_.credentials->password = prepared(params_.credentials->password);
}

Request TurnClient::binding() { return request({.method = Method::binding}); }

Request TurnClient::allocate(std::optional<std::chrono::seconds> lifetime) {
  return request(
      {.method = Method::allocate, .lifetime = lifetime, .requested_transport = stun::kProtocolUdp});
}

Request TurnClient::refresh(std::chrono::seconds lifetime) {
  return request({.method = Method::refresh, .lifetime = lifetime});
}

Request TurnClient::create_permission(std::span<const Endpoint> peers) {
  return request({.method = Method::create_permission, .peers = {peers.begin(), peers.end()}});
}

Request TurnClient::channel_bind(stun::ChannelNumber channel, const Endpoint& peer) {
  return request({.method = Method::channel_bind, .peers = {peer}, .channel = channel.value()});
}

Request TurnClient::request(RequestContents contents) { return make_request(std::move(contents), 0); }

Request TurnClient::make_request(RequestContents contents, int challenges) {
  std::vector<std::uint8_t> buffer(kMaxRequest + kMaxPeerSize * contents.peers.size());
  Request made{new_transaction_id(), contents.method, {}};
  const Signature signature = signature_for(contents.method);
  MessageBuilder builder(buffer, {contents.method, Class::request}, made.id);
  add_contents(builder, contents);
  if (signature != Signature::none) add_credentials(builder);
  sign(builder, signature);
  if (params_.fingerprint) builder.add_fingerprint();

  made.bytes.assign(builder.bytes().begin(), builder.bytes().end());
  outstanding_.push_back({made.id, std::move(contents), signature, key_, challenges});
  return made;
}

void TurnClient::add_contents(MessageBuilder& builder, const RequestContents& contents) const {
  if (!params_.software.empty()) builder.add(AttributeType::software, params_.software);
  if (contents.channel)
    builder.add_u32(AttributeType::channel_number, std::uint32_t{*contents.channel} << 16);
  if (contents.requested_transport) builder.add_requested_transport(*contents.requested_transport);
  if (contents.lifetime) builder.add_lifetime(*contents.lifetime);
  for (const Endpoint& peer : contents.peers) builder.add_xor_address(AttributeType::xor_peer_address, peer);
  if (contents.requested_family)
    builder.add_family(AttributeType::requested_address_family, *contents.requested_family);
  if (contents.additional_family)
    builder.add_family(AttributeType::additional_address_family, *contents.additional_family);
  if (contents.even_port) builder.add_even_port(*contents.even_port);
  if (contents.reservation_token)
    builder.add(AttributeType::reservation_token, Bytes(*contents.reservation_token));
  if (contents.dont_fragment) builder.add_flag(AttributeType::dont_fragment);
  for (const auto& [type, value] : contents.others) builder.add(type, Bytes(value));
}

void TurnClient::add_credentials(MessageBuilder& builder) {
  const std::string& username = params_.credentials->username;
  if (params_.userhash && announces_anonymity(nonce_)) {
    builder.add(AttributeType::userhash, Bytes(auth::userhash(digester_, username, realm_)));
  } else {
    builder.add(AttributeType::username, username);
  }
  builder.add(AttributeType::realm, realm_).add(AttributeType::nonce, nonce_);
  if (uses_sha256()) {
    builder.add(AttributeType::password_algorithms, Bytes(password_algorithms_));
    builder.add_password_algorithm(key_.algorithm);
  }
}

void TurnClient::sign(MessageBuilder& builder, Signature signature) {
  if (signature == Signature::sha1) builder.add_integrity_sha1(digester_, key_.bytes());
  if (signature == Signature::sha256) builder.add_integrity_sha256(digester_, key_.bytes());
}

TurnClient::Signature TurnClient::signature_for(Method method) const {
  if (!params_.credentials || realm_.empty() || method == Method::binding) return Signature::none;
  return uses_sha256() ? Signature::sha256 : Signature::sha1;
}

void TurnClient::abandon(const TransactionId& id) {
  std::erase_if(outstanding_, [&](const Outstanding& o) { return o.id == id; });
}

Event TurnClient::receive(Bytes datagram) {
  if (stun::looks_like_channel_data(datagram)) {
    const auto data = stun::ChannelData::parse(datagram);
    if (!data) return Ignored::not_a_message;
    return PeerData{std::nullopt, data->channel, data->payload};
  }
  const auto message = MessageView::parse(datagram);
  if (!message) return Ignored::not_a_message;
  switch (message->message_class()) {
    case Class::success:
    case Class::error: return receive_response(*message);
    case Class::indication: return receive_indication(*message);
    case Class::request: break;
  }
  return Ignored::not_a_message;
}

Event TurnClient::receive_response(const MessageView& message) {
  const auto found = std::ranges::find(outstanding_, message.transaction_id(), &Outstanding::id);
  if (found == outstanding_.end() || found->contents.method != message.method())
    return Ignored::unknown_transaction;
  // Copied, because a retry is added to outstanding_ meanwhile.
  const Outstanding asked = *found;
  Event event = message.message_class() == Class::success ? receive_success(message, asked)
                                                          : receive_error(message, asked);
  if (!std::holds_alternative<Ignored>(event)) abandon(asked.id);
  return event;
}

Event TurnClient::receive_success(const MessageView& message, const Outstanding& asked) {
  const bool authentic = is_authentic(message, asked);
  if (asked.signature != Signature::none && !authentic) return Ignored::bad_integrity;
  Success success{message,
                  xor_address(message, AttributeType::xor_mapped_address),
                  xor_address(message, AttributeType::xor_relayed_address),
                  second_relayed(message),
                  decoded(message, AttributeType::lifetime, stun::decode_lifetime),
                  decoded(message, AttributeType::reservation_token, stun::decode_reservation_token),
                  authentic};
  if (!success.mapped) success.mapped = decoded(message, AttributeType::mapped_address, stun::decode_address);
  return success;
}

Event TurnClient::receive_error(const MessageView& message, const Outstanding& asked) {
  const auto error = decoded(message, AttributeType::error_code, stun::decode_error_code);
  if (!error) return Ignored::malformed;
  const bool is_challenge = error->code == static_cast<std::uint16_t>(ErrorCode::unauthenticated) ||
                            error->code == static_cast<std::uint16_t>(ErrorCode::stale_nonce);
  // A second 401 means that the credentials are wrong.
  const bool helps =
      error->code == static_cast<std::uint16_t>(ErrorCode::stale_nonce) || asked.signature == Signature::none;
  if (is_challenge && helps && params_.credentials && asked.challenges < kMaxChallenges)
    return meet_challenge(message, asked, error->code);
  const bool authentic = is_authentic(message, asked);
  if (message.has_integrity() && asked.signature != Signature::none && !authentic)
    return Ignored::bad_integrity;
  return Failure{message, error->code, error->reason, authentic};
}

Event TurnClient::meet_challenge(const MessageView& message, const Outstanding& asked, std::uint16_t code) {
  const auto nonce = message.find(AttributeType::nonce);
  if (!nonce || nonce->empty()) return Ignored::malformed;
  const bool has_algorithms = message.has(AttributeType::password_algorithms);
  if (params_.rfc8489 && auth::Nonces::announces_password_algorithms(as_text(*nonce)) && !has_algorithms)
    return Ignored::bid_down;
  if (!store_challenge(message)) return Ignored::malformed;
  return Retry{make_request(asked.contents, asked.challenges + 1), asked.id, code};
}

bool TurnClient::store_challenge(const MessageView& message) {
  const auto realm = message.find(AttributeType::realm);
  if (realm) realm_ = as_text(*realm);
  nonce_ = as_text(*message.find(AttributeType::nonce));
  if (realm_.empty() || !store_algorithms(message)) return false;
  derive_key();
  return true;
}

// Takes the algorithms of a challenge (RFC 8489 §9.2.5). Returns false when the server offers only unknown
// ones.
bool TurnClient::store_algorithms(const MessageView& message) {
  const auto list = message.find(AttributeType::password_algorithms);
  password_algorithms_.clear();
  key_.algorithm = PasswordAlgorithm::md5;
  if (!list || !params_.rfc8489) return true;
  const auto chosen = choose_algorithm(*list);
  if (!chosen) return false;
  password_algorithms_.assign(list->begin(), list->end());
  key_.algorithm = *chosen;
  return true;
}

void TurnClient::derive_key() {
  const auto& [username, password] = *params_.credentials;
  key_ = key_.algorithm == PasswordAlgorithm::md5
             ? auth::Key(auth::long_term_key_md5(digester_, username, realm_, password))
             : auth::Key(auth::long_term_key_sha256(digester_, username, realm_, password));
}

// The answer must use the algorithm of the request; otherwise a bid-down of the answer would not be noticed.
bool TurnClient::is_authentic(const MessageView& message, const Outstanding& asked) {
  switch (asked.signature) {
    case Signature::none: return false;
    case Signature::sha1: return message.verify_integrity_sha1(digester_, asked.key.bytes());
    case Signature::sha256: return message.verify_integrity_sha256(digester_, asked.key.bytes());
  }
  return false;
}

Event TurnClient::receive_indication(const MessageView& message) const {
  if (message.method() != Method::data) return Indication{message};
  const auto peer = xor_address(message, AttributeType::xor_peer_address);
  const auto payload = message.find(AttributeType::data);
  const auto icmp = decoded(message, AttributeType::icmp, stun::decode_icmp);
  if (peer && icmp) return PeerIcmp{*peer, *icmp};
  if (!peer || !payload) return Ignored::malformed;
  return PeerData{peer, std::nullopt, *payload};
}

std::vector<std::uint8_t> TurnClient::send_indication(const Endpoint& peer, Bytes payload,
                                                      bool dont_fragment) {
  // The header, XOR-PEER-ADDRESS with IPv6, DONT-FRAGMENT, and the header of DATA.
  constexpr std::size_t kOverhead = stun::kHeaderSize + 24 + 4 + 4;
  std::vector<std::uint8_t> message(kOverhead + stun::padded(payload.size()));
  MessageBuilder builder(message, {Method::send, Class::indication}, new_transaction_id());
  builder.add_xor_address(AttributeType::xor_peer_address, peer);
  if (dont_fragment) builder.add_flag(AttributeType::dont_fragment);
  builder.add(AttributeType::data, payload);
  message.resize(builder.bytes().size());
  return message;
}

std::vector<std::uint8_t> TurnClient::channel_data(stun::ChannelNumber channel, Bytes payload, bool pad) {
  const std::size_t size = stun::kChannelDataHeaderSize + payload.size();
  std::vector<std::uint8_t> message(pad ? stun::padded(size) : size);
  stun::ChannelData::write_header(channel, payload.size(), message.data());
  std::ranges::copy(payload, message.begin() + stun::kChannelDataHeaderSize);
  return message;
}

TransactionId TurnClient::new_transaction_id() {
  TransactionId id;
  random_.fill(id);
  return id;
}

}  // namespace turnpike::client
