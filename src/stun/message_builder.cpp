#include "turnpike/stun/message_builder.hpp"

#include <algorithm>
#include <array>

namespace turnpike::stun {

MessageBuilder::MessageBuilder(MutableBytes buffer, MessageType type, const TransactionId& transaction_id,
                               std::uint32_t cookie)
    : writer_(buffer.first(std::min(buffer.size(), kMaxMessageSize))), transaction_id_(transaction_id) {
  writer_.u16(type.to_wire());
  writer_.u16(0);
  writer_.u32(cookie);
  writer_.bytes(transaction_id);
}

void MessageBuilder::set_length(std::size_t body_size) {
  if (ok()) store_u16(writer_.buffer().data() + 2, static_cast<std::uint16_t>(body_size));
}

// Writes type and length, and sets the padding to zero. The caller fills the value.
MutableBytes MessageBuilder::claim_attribute(AttributeType type, std::size_t size) {
  writer_.u16(static_cast<std::uint16_t>(type));
  writer_.u16(static_cast<std::uint16_t>(size));
  const MutableBytes value = writer_.claim(padded(size));
  if (!ok()) return {};
  std::fill(value.begin() + static_cast<std::ptrdiff_t>(size), value.end(), std::uint8_t{0});
  set_length(writer_.size() - kHeaderSize);
  return value.first(size);
}

MessageBuilder& MessageBuilder::add(AttributeType type, Bytes value) {
  const MutableBytes claimed = claim_attribute(type, value.size());
  if (!claimed.empty()) std::ranges::copy(value, claimed.begin());
  return *this;
}

MessageBuilder& MessageBuilder::add_u32(AttributeType type, std::uint32_t value) {
  std::array<std::uint8_t, 4> wire;
  store_u32(wire.data(), value);
  return add(type, wire);
}

MessageBuilder& MessageBuilder::add_address(AttributeType type, const Endpoint& endpoint) {
  const Bytes address = endpoint.address.bytes();
  const MutableBytes value = claim_attribute(type, 4 + address.size());
  if (value.empty()) return *this;
  value[0] = 0;
  value[1] = static_cast<std::uint8_t>(endpoint.family());
  store_u16(&value[2], endpoint.port);
  std::copy(address.begin(), address.end(), value.begin() + 4);
  return *this;
}

MessageBuilder& MessageBuilder::add_xor_address(AttributeType type, const Endpoint& endpoint) {
  std::array<std::uint8_t, 16> masked;
  store_u32(masked.data(), kMagicCookie);
  std::copy(transaction_id_.begin(), transaction_id_.end(), masked.begin() + 4);
  const Bytes address = endpoint.address.bytes();
  for (std::size_t i = 0; i < address.size(); ++i) masked[i] ^= address[i];
  const auto port = static_cast<std::uint16_t>(endpoint.port ^ (kMagicCookie >> 16));
  return add_address(type, {IpAddress::from_bytes(endpoint.family(), masked), port});
}

MessageBuilder& MessageBuilder::add_error(ErrorCode code) {
  return add_error_value(AttributeType::error_code, 0, code);
}

// ERROR-CODE and ADDRESS-ERROR-CODE differ only in their first octet.
MessageBuilder& MessageBuilder::add_error_value(AttributeType type, std::uint8_t first_octet,
                                                ErrorCode code) {
  const std::string_view reason = reason_phrase(code);
  const MutableBytes value = claim_attribute(type, 4 + reason.size());
  if (value.empty()) return *this;
  const auto number = static_cast<std::uint32_t>(code);
  store_u32(value.data(), std::uint32_t{first_octet} << 24 | number / 100 << 8 | number % 100);
  std::ranges::copy(as_bytes(reason), value.begin() + 4);
  return *this;
}

MessageBuilder& MessageBuilder::add_unknown_attributes(std::span<const AttributeType> types) {
  const MutableBytes value = claim_attribute(AttributeType::unknown_attributes, 2 * types.size());
  if (value.empty()) return *this;
  for (std::size_t i = 0; i < types.size(); ++i)
    store_u16(&value[2 * i], static_cast<std::uint16_t>(types[i]));
  return *this;
}

MessageBuilder& MessageBuilder::add_lifetime(std::chrono::seconds lifetime) {
  return add_u32(AttributeType::lifetime, static_cast<std::uint32_t>(lifetime.count()));
}

MessageBuilder& MessageBuilder::add_channel_number(ChannelNumber channel) {
  return add_u32(AttributeType::channel_number, std::uint32_t{channel.value()} << 16);
}

MessageBuilder& MessageBuilder::add_requested_transport(std::uint8_t protocol) {
  return add_u32(AttributeType::requested_transport, std::uint32_t{protocol} << 24);
}

MessageBuilder& MessageBuilder::add_family(AttributeType type, Family family) {
  return add_u32(type, static_cast<std::uint32_t>(family) << 24);
}

MessageBuilder& MessageBuilder::add_even_port(bool reserve_next) {
  const std::uint8_t value = reserve_next ? 0x80 : 0;
  return add(AttributeType::even_port, Bytes(&value, 1));
}

MessageBuilder& MessageBuilder::add_address_error_code(Family family, ErrorCode code) {
  return add_error_value(AttributeType::address_error_code, static_cast<std::uint8_t>(family), code);
}

MessageBuilder& MessageBuilder::add_icmp(const Icmp& icmp) {
  const MutableBytes value = claim_attribute(AttributeType::icmp, 8);
  if (value.empty()) return *this;
  store_u32(value.data(), (icmp.type & 0x7Fu) << 9 | (icmp.code & 0x1FFu));
  store_u32(&value[4], icmp.data);
  return *this;
}

MessageBuilder& MessageBuilder::add_change_request(const ChangeRequest& change) {
  return add_u32(AttributeType::change_request,
                 (change.ip ? kChangeIp : 0) | (change.port ? kChangePort : 0));
}

MessageBuilder& MessageBuilder::add_response_port(std::uint16_t port) {
  return add_u32(AttributeType::response_port, std::uint32_t{port} << 16);
}

MessageBuilder& MessageBuilder::add_padding(std::size_t size) {
  std::ranges::fill(claim_attribute(AttributeType::padding, size), std::uint8_t{0});
  return *this;
}

MessageBuilder& MessageBuilder::add_password_algorithm(PasswordAlgorithm algorithm) {
  return add_u32(AttributeType::password_algorithm, static_cast<std::uint32_t>(algorithm) << 16);
}

MessageBuilder& MessageBuilder::add_password_algorithms(std::span<const PasswordAlgorithm> algorithms) {
  const MutableBytes value = claim_attribute(AttributeType::password_algorithms, 4 * algorithms.size());
  if (value.empty()) return *this;
  for (std::size_t i = 0; i < algorithms.size(); ++i) {
    store_u32(&value[4 * i], static_cast<std::uint32_t>(algorithms[i]) << 16);
  }
  return *this;
}

MessageBuilder& MessageBuilder::add_integrity_sha1(crypto::Digester& digester, Bytes key) {
  const std::size_t covered = writer_.size();
  const MutableBytes value =
      claim_attribute(AttributeType::message_integrity, std::tuple_size_v<crypto::Sha1>);
  if (!value.empty())
    std::ranges::copy(digester.hmac_sha1(key, {writer_.written().first(covered)}), value.begin());
  return *this;
}

MessageBuilder& MessageBuilder::add_integrity_sha256(crypto::Digester& digester, Bytes key) {
  const std::size_t covered = writer_.size();
  const MutableBytes value =
      claim_attribute(AttributeType::message_integrity_sha256, std::tuple_size_v<crypto::Sha256>);
  if (!value.empty())
    std::ranges::copy(digester.hmac_sha256(key, {writer_.written().first(covered)}), value.begin());
  return *this;
}

MessageBuilder& MessageBuilder::add_fingerprint() {
  const std::size_t covered = writer_.size();
  const MutableBytes value = claim_attribute(AttributeType::fingerprint, 4);
  if (!value.empty())
    store_u32(value.data(), crypto::crc32(writer_.written().first(covered)) ^ kFingerprintXor);
  return *this;
}

MessageBuilder& MessageBuilder::add_data_header(std::size_t payload_size) {
  writer_.u16(static_cast<std::uint16_t>(AttributeType::data));
  writer_.u16(static_cast<std::uint16_t>(payload_size));
  if (payload_size > kMaxMessageSize - writer_.size()) writer_.fail();
  set_length(writer_.size() - kHeaderSize + padded(payload_size));
  return *this;
}

}  // namespace turnpike::stun
