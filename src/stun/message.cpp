#include "turnpike/stun/message.hpp"

#include <algorithm>

namespace turnpike::stun {

Result<MessageView, ParseError> MessageView::parse(Bytes datagram) {
  if (datagram.size() < kHeaderSize) return ParseError::too_short;
  if ((datagram[0] & 0xC0) != 0) return ParseError::not_stun;
  if (load_u32(&datagram[4]) != kMagicCookie) return ParseError::bad_magic_cookie;
  return parse_after_cookie(datagram);
}

Result<MessageView, ParseError> MessageView::parse_rfc3489(Bytes datagram) {
  if (datagram.size() < kHeaderSize) return ParseError::too_short;
  constexpr MessageType kBinding{Method::binding, Class::request};
  if (load_u16(datagram.data()) != kBinding.to_wire()) return ParseError::not_stun;
  return parse_after_cookie(datagram);
}

Result<MessageView, ParseError> MessageView::parse_after_cookie(Bytes datagram) {
  const std::size_t length = load_u16(&datagram[2]);
  if (length % 4 != 0 || length + kHeaderSize != datagram.size()) return ParseError::bad_length;

  MessageView view;
  view.message_ = datagram;
  view.type_ = MessageType::from_wire(load_u16(datagram.data()));
  if (!view.index_attributes()) return ParseError::malformed_attributes;
  if (view.has_fingerprint_) {
    const Bytes covered = datagram.first(datagram.size() - 8);
    const std::uint32_t expected = crypto::crc32(covered) ^ kFingerprintXor;
    if (load_u32(&datagram[datagram.size() - 4]) != expected) return ParseError::bad_fingerprint;
  }
  return view;
}

// Finds the end of the visible attributes and the offsets of the integrity attributes.
bool MessageView::index_attributes() {
  const std::size_t end = message_.size();
  attributes_end_ = static_cast<std::uint32_t>(end);
  for (std::size_t at = kHeaderSize; at < end;) {
    const std::size_t size = load_u16(&message_[at + 2]);
    const std::size_t next = at + 4 + padded(size);
    if (next > end) return false;

    const bool visible = attributes_end_ == end;
    switch (AttributeType{load_u16(&message_[at])}) {
      case AttributeType::message_integrity:
        if (visible) {
          integrity_sha1_at_ = static_cast<std::uint32_t>(at);
          attributes_end_ = integrity_sha1_at_;
        }
        break;
      case AttributeType::message_integrity_sha256:
        if (integrity_sha256_at_ == 0) integrity_sha256_at_ = static_cast<std::uint32_t>(at);
        if (visible) attributes_end_ = integrity_sha256_at_;
        break;
      case AttributeType::fingerprint:
        if (size != 4 || next != end) return false;
        has_fingerprint_ = true;
        if (visible) attributes_end_ = static_cast<std::uint32_t>(at);
        break;
      default: break;
    }
    at = next;
  }
  return true;
}

TransactionId MessageView::transaction_id() const {
  TransactionId id;
  std::copy_n(message_.begin() + 8, id.size(), id.begin());
  return id;
}

std::optional<Bytes> MessageView::find(AttributeType type) const {
  std::optional<Bytes> found;
  for_each([&](const Attribute& attribute) {
    if (!found && attribute.type == type) found = attribute.value;
  });
  return found;
}

namespace {

// An integrity attribute covers the message up to itself, with a length in the header that ends with the
// attribute (RFC 8489 §14.5). The computation replaces the length field without changing the message.
template <class Mac>
bool verify(Bytes message, std::size_t at, Bytes given, Mac&& mac) {
  std::uint8_t length[2];
  store_u16(length, static_cast<std::uint16_t>(at + 4 + given.size() - kHeaderSize));
  const auto expected = mac({message.first(2), Bytes(length), message.subspan(4, at - 4)});
  return crypto::equal_in_constant_time(given, Bytes(expected).first(given.size()));
}

}  // namespace

bool MessageView::verify_integrity_sha1(crypto::Digester& digester, Bytes key) const {
  if (!has_integrity_sha1()) return false;
  const std::size_t size = load_u16(&message_[integrity_sha1_at_ + 2]);
  if (size != std::tuple_size_v<crypto::Sha1>) return false;
  return verify(message_, integrity_sha1_at_, message_.subspan(integrity_sha1_at_ + 4, size),
                [&](crypto::Parts parts) { return digester.hmac_sha1(key, parts); });
}

bool MessageView::verify_integrity_sha256(crypto::Digester& digester, Bytes key) const {
  if (!has_integrity_sha256()) return false;
  const std::size_t size = load_u16(&message_[integrity_sha256_at_ + 2]);
  // RFC 8489 §14.6 lets each usage of STUN decide whether a truncated value is allowed. TURN does not allow
  // it.
  if (size != std::tuple_size_v<crypto::Sha256>) return false;
  return verify(message_, integrity_sha256_at_, message_.subspan(integrity_sha256_at_ + 4, size),
                [&](crypto::Parts parts) { return digester.hmac_sha256(key, parts); });
}

}  // namespace turnpike::stun
