// Writes a STUN message into a buffer that the caller owns. The length in the header is correct after every
// call, so each integrity attribute covers the right part of the message. Padding is always zero.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// Attributes are written in the order of the calls. When a message does not fit into the buffer, or into the
// 16 bits of its length field, ok() is false and bytes() is empty.
class MessageBuilder {
 public:
  // `cookie` is another one only in an answer to a client of RFC 3489, which cannot read XORed addresses.
  MessageBuilder(MutableBytes buffer, MessageType type, const TransactionId& transaction_id,
                 std::uint32_t cookie = kMagicCookie);

  MessageBuilder& add(AttributeType type, Bytes value);
  MessageBuilder& add(AttributeType type, std::string_view text) { return add(type, as_bytes(text)); }
  MessageBuilder& add_flag(AttributeType type) { return add(type, Bytes()); }
  MessageBuilder& add_u32(AttributeType type, std::uint32_t value);

  // A plain address (RFC 8489 §14.1), and an XORed one (§14.2).
  MessageBuilder& add_address(AttributeType type, const Endpoint& endpoint);
  MessageBuilder& add_xor_address(AttributeType type, const Endpoint& endpoint);

  MessageBuilder& add_error(ErrorCode code);                                               // RFC 8489 §14.8
  MessageBuilder& add_unknown_attributes(std::span<const AttributeType> types);            // RFC 8489 §14.13
  MessageBuilder& add_lifetime(std::chrono::seconds lifetime);                             // RFC 8656 §18.2
  MessageBuilder& add_channel_number(ChannelNumber channel);                               // RFC 8656 §18.1
  MessageBuilder& add_requested_transport(std::uint8_t protocol);                          // RFC 8656 §18.8
  MessageBuilder& add_family(AttributeType type, Family family);                           // RFC 8656 §18.6
  MessageBuilder& add_even_port(bool reserve_next);                                        // RFC 8656 §18.7
  MessageBuilder& add_address_error_code(Family family, ErrorCode code);                   // RFC 8656 §18.12
  MessageBuilder& add_icmp(const Icmp& icmp);                                              // RFC 8656 §18.13
  MessageBuilder& add_change_request(const ChangeRequest& change);                         // RFC 5780 §7.2
  MessageBuilder& add_response_port(std::uint16_t port);                                   // RFC 5780 §7.5
  MessageBuilder& add_padding(std::size_t size);                                           // RFC 5780 §7.6
  MessageBuilder& add_password_algorithm(PasswordAlgorithm algorithm);                     // RFC 8489 §14.12
  MessageBuilder& add_password_algorithms(std::span<const PasswordAlgorithm> algorithms);  // RFC 8489 §14.11

  MessageBuilder& add_integrity_sha1(crypto::Digester& digester, Bytes key);    // RFC 8489 §14.5
  MessageBuilder& add_integrity_sha256(crypto::Digester& digester, Bytes key);  // RFC 8489 §14.6
  MessageBuilder& add_fingerprint();                                            // RFC 8489 §14.7; comes last

  // Writes the header of a DATA attribute with `payload_size` bytes. The caller sends the payload and its
  // padding directly after bytes(), so the payload is not copied. No attribute can be added after it.
  MessageBuilder& add_data_header(std::size_t payload_size);

  bool ok() const { return writer_.ok(); }
  Bytes bytes() const { return ok() ? writer_.written() : Bytes(); }

 private:
  MutableBytes claim_attribute(AttributeType type, std::size_t size);
  MessageBuilder& add_error_value(AttributeType type, std::uint8_t first_octet, ErrorCode code);
  void set_length(std::size_t body_size);

  ByteWriter writer_;
  TransactionId transaction_id_;
};

}  // namespace turnpike::stun
