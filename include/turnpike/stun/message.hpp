// A STUN message in a receive buffer: it is checked once, and then read in place. Parsing allocates no
// memory, and refuses datagrams to which a server must not answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// Why a datagram is not a STUN message. Each of these is dropped without an answer (RFC 8489 §6.3).
enum class ParseError : std::uint8_t {
  too_short,             // shorter than a header
  not_stun,              // the top two bits are not zero
  bad_magic_cookie,      // a message of RFC 3489, or not STUN
  bad_length,            // not a multiple of 4, or not the size of the datagram
  malformed_attributes,  // an attribute reaches past the end, or FINGERPRINT is not last or not four bytes
  bad_fingerprint,       // FINGERPRINT is not the CRC-32 of the message
};

// An attribute in the buffer: its type, and its value without padding.
struct Attribute {
  AttributeType type{};
  Bytes value;
};

// Views the buffer that was parsed, and is valid as long as that buffer.
class MessageView {
 public:
  // `datagram` is one whole message with its header (RFC 8489 §5).
  static Result<MessageView, ParseError> parse(Bytes datagram);

  // The same for a Binding request of RFC 3489, which may have anything in place of the magic cookie: its
  // transaction id has 16 octets. See cookie().
  static Result<MessageView, ParseError> parse_rfc3489(Bytes datagram);

  MessageType type() const { return type_; }
  Method method() const { return type_.method; }
  Class message_class() const { return type_.message_class; }
  TransactionId transaction_id() const;
  // What stands before the transaction id: the magic cookie, or the first octets of an id of RFC 3489.
  std::uint32_t cookie() const { return load_u32(&message_[4]); }
  Bytes bytes() const { return message_; }

  // The value of the first attribute of this type. Attributes after an integrity attribute are ignored,
  // except MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §14.5). find() never returns MESSAGE-INTEGRITY,
  // MESSAGE-INTEGRITY-SHA256 and FINGERPRINT; use has_integrity() and has_fingerprint() for these.
  std::optional<Bytes> find(AttributeType type) const;
  bool has(AttributeType type) const { return find(type).has_value(); }

  // Calls visit(Attribute) for each attribute before the first integrity attribute or FINGERPRINT, in order.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (std::size_t at = kHeaderSize; at < attributes_end_;) {
      const std::size_t size = load_u16(&message_[at + 2]);
      visit(Attribute{AttributeType{load_u16(&message_[at])}, message_.subspan(at + 4, size)});
      at += 4 + padded(size);
    }
  }

  bool has_integrity_sha1() const { return integrity_sha1_at_ != 0; }
  bool has_integrity_sha256() const { return integrity_sha256_at_ != 0; }
  bool has_integrity() const { return has_integrity_sha1() || has_integrity_sha256(); }
  bool has_fingerprint() const { return has_fingerprint_; }

  // Whether MESSAGE-INTEGRITY (20 bytes) or MESSAGE-INTEGRITY-SHA256 (32 bytes; TURN allows no truncation) is
  // there and was made with `key`. They compare in constant time. RFC 8489 §14.5 and §14.6.
  bool verify_integrity_sha1(crypto::Digester& digester, Bytes key) const;
  bool verify_integrity_sha256(crypto::Digester& digester, Bytes key) const;

 private:
  MessageView() = default;
  static Result<MessageView, ParseError> parse_after_cookie(Bytes datagram);
  bool index_attributes();

  Bytes message_;
  MessageType type_{};
  // Offsets from the start of the message. An attribute is never at 0, so 0 means "absent".
  std::uint32_t attributes_end_ = kHeaderSize;
  std::uint32_t integrity_sha1_at_ = 0;
  std::uint32_t integrity_sha256_at_ = 0;
  bool has_fingerprint_ = false;
};

}  // namespace turnpike::stun
