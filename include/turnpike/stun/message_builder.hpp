// Writes a STUN message into a buffer that the caller owns. The header's length is right after every call, so
// that the integrity attributes cover what they must, and padding is always zero.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::stun {

// Attributes appear in the order of the calls. A message that is longer than the buffer or than its length
// field can say makes ok() false and bytes() empty.
class MessageBuilder {
 public:
  MessageBuilder(MutableBytes buffer, MessageType type, const TransactionId& transaction_id);

  MessageBuilder& add(AttributeType type, Bytes value);
  MessageBuilder& add(AttributeType type, std::string_view text) { return add(type, as_bytes(text)); }
  MessageBuilder& add_flag(AttributeType type) { return add(type, Bytes()); }
  MessageBuilder& add_u32(AttributeType type, std::uint32_t value);

  // RFC 8489 §14.1, and §14.2 with the XOR.
  MessageBuilder& add_address(AttributeType type, const Endpoint& endpoint);
  MessageBuilder& add_xor_address(AttributeType type, const Endpoint& endpoint);

  MessageBuilder& add_error(ErrorCode code);                                               // RFC 8489 §14.8
  MessageBuilder& add_unknown_attributes(std::span<const AttributeType> types);            // RFC 8489 §14.9
  MessageBuilder& add_lifetime(std::chrono::seconds lifetime);                             // RFC 8656 §18.2
  MessageBuilder& add_channel_number(ChannelNumber channel);                               // RFC 8656 §18.1
  MessageBuilder& add_requested_transport(std::uint8_t protocol);                          // RFC 8656 §18.7
  MessageBuilder& add_family(AttributeType type, Family family);                           // RFC 8656 §18.6
  MessageBuilder& add_even_port(bool reserve_next);                                        // RFC 8656 §18.8
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

  // Writes the head of a DATA attribute whose value of `payload_size` bytes the caller sends right behind
  // bytes(), padding and all, so that a payload is not copied. Nothing can be added after it.
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
