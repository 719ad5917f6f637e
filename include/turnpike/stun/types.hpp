// The numbers of STUN and TURN, with the names in the standards (RFC 8489 §5, §14 and §18; RFC 8656 §18).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::stun {

inline constexpr std::uint32_t kMagicCookie = 0x2112A442;
inline constexpr std::size_t kHeaderSize = 20;
// The length field has 16 bits and holds a multiple of four.
inline constexpr std::size_t kMaxMessageSize = kHeaderSize + 0xFFFC;
inline constexpr std::uint32_t kFingerprintXor = 0x5354554E;

using TransactionId = std::array<std::uint8_t, 12>;

// Attributes are padded to a multiple of four bytes.
constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

enum class Class : std::uint8_t { request = 0, indication = 1, success = 2, error = 3 };

enum class Method : std::uint16_t {
  binding = 0x001,
  allocate = 0x003,
  refresh = 0x004,
  send = 0x006,
  data = 0x007,
  create_permission = 0x008,
  channel_bind = 0x009,
  connect = 0x00A,             // RFC 6062
  connection_bind = 0x00B,     // RFC 6062
  connection_attempt = 0x00C,  // RFC 6062
};

struct MessageType {
  Method method{};
  Class message_class{};

  // The class bits C1 and C0 are between the bits of the method: M11-7 C1 M6-4 C0 M3-0 (RFC 8489 §5).
  static constexpr MessageType from_wire(std::uint16_t wire) {
    return {static_cast<Method>((wire & 0x000F) | (wire & 0x00E0) >> 1 | (wire & 0x3E00) >> 2),
            static_cast<Class>((wire & 0x0010) >> 4 | (wire & 0x0100) >> 7)};
  }

  constexpr std::uint16_t to_wire() const {
    const auto m = static_cast<std::uint16_t>(method);
    const auto c = static_cast<std::uint16_t>(message_class);
    return static_cast<std::uint16_t>((m & 0x000F) | (m & 0x0070) << 1 | (m & 0x0F80) << 2 | (c & 1) << 4 |
                                      (c & 2) << 7);
  }

  friend constexpr bool operator==(MessageType, MessageType) = default;
};

enum class AttributeType : std::uint16_t {
  mapped_address = 0x0001,
  change_request = 0x0003,   // RFC 5780
  source_address = 0x0004,   // RFC 3489, in answers
  changed_address = 0x0005,  // RFC 3489, in answers
  username = 0x0006,
  message_integrity = 0x0008,
  error_code = 0x0009,
  unknown_attributes = 0x000A,
  channel_number = 0x000C,
  lifetime = 0x000D,
  xor_peer_address = 0x0012,
  data = 0x0013,
  realm = 0x0014,
  nonce = 0x0015,
  xor_relayed_address = 0x0016,
  requested_address_family = 0x0017,
  even_port = 0x0018,
  requested_transport = 0x0019,
  dont_fragment = 0x001A,
  access_token = 0x001B,  // RFC 7635
  message_integrity_sha256 = 0x001C,
  password_algorithm = 0x001D,
  userhash = 0x001E,
  xor_mapped_address = 0x0020,
  reservation_token = 0x0022,
  padding = 0x0026,        // RFC 5780
  response_port = 0x0027,  // RFC 5780
  connection_id = 0x002A,  // RFC 6062
  additional_address_family = 0x8000,
  address_error_code = 0x8001,
  password_algorithms = 0x8002,
  alternate_domain = 0x8003,
  icmp = 0x8004,
  software = 0x8022,
  alternate_server = 0x8023,
  fingerprint = 0x8028,
  response_origin = 0x802B,                  // RFC 5780
  other_address = 0x802C,                    // RFC 5780
  third_party_authorization = 0x802E,        // RFC 7635
  mobility_ticket = 0x8030,                  // RFC 8016
  draft_additional_address_family = 0x8032,  // the number before RFC 8656; coturn's clients up to 4.6 use it
};

// Types below 0x8000 are comprehension-required: a server that does not understand one refuses the request
// with 420 (RFC 8489 §14).
constexpr bool comprehension_required(AttributeType type) {
  return static_cast<std::uint16_t>(type) < 0x8000;
}

// Which servers understand an attribute: all, those that accept access tokens, or those that offer NAT
// discovery.
enum class UnderstoodBy : std::uint8_t { every_server, token_servers, nat_discovery_servers, nobody };

// A new attribute needs a line here. Without it the compiler warns (an error in the presets dev, asan-ubsan
// and tsan), and the server answers 420 when the attribute is comprehension-required.
constexpr UnderstoodBy understood_by(AttributeType type) {
  switch (type) {
    case AttributeType::mapped_address:
    case AttributeType::username:
    case AttributeType::message_integrity:
    case AttributeType::error_code:
    case AttributeType::unknown_attributes:
    case AttributeType::channel_number:
    case AttributeType::lifetime:
    case AttributeType::xor_peer_address:
    case AttributeType::data:
    case AttributeType::realm:
    case AttributeType::nonce:
    case AttributeType::xor_relayed_address:
    case AttributeType::requested_address_family:
    case AttributeType::even_port:
    case AttributeType::requested_transport:
    case AttributeType::dont_fragment:
    case AttributeType::message_integrity_sha256:
    case AttributeType::password_algorithm:
    case AttributeType::userhash:
    case AttributeType::xor_mapped_address:
    case AttributeType::reservation_token:
    case AttributeType::connection_id:
    case AttributeType::additional_address_family:
    case AttributeType::address_error_code:
    case AttributeType::password_algorithms:
    case AttributeType::alternate_domain:
    case AttributeType::icmp:
    case AttributeType::software:
    case AttributeType::alternate_server:
    case AttributeType::fingerprint:
    case AttributeType::response_origin:
    case AttributeType::other_address:
    case AttributeType::third_party_authorization:
    case AttributeType::mobility_ticket:
    case AttributeType::draft_additional_address_family: return UnderstoodBy::every_server;
    case AttributeType::access_token: return UnderstoodBy::token_servers;
    case AttributeType::change_request:
    case AttributeType::padding:
    case AttributeType::response_port: return UnderstoodBy::nat_discovery_servers;
    case AttributeType::source_address:
    case AttributeType::changed_address: return UnderstoodBy::nobody;
  }
  return UnderstoodBy::nobody;
}

enum class ErrorCode : std::uint16_t {
  try_alternate = 300,
  bad_request = 400,
  unauthenticated = 401,
  forbidden = 403,
  unknown_attribute = 420,
  allocation_mismatch = 437,
  stale_nonce = 438,
  address_family_not_supported = 440,
  wrong_credentials = 441,
  unsupported_transport_protocol = 442,
  peer_address_family_mismatch = 443,
  connection_already_exists = 446,      // RFC 6062
  connection_timeout_or_failure = 447,  // RFC 6062
  allocation_quota_reached = 486,
  server_error = 500,
  insufficient_capacity = 508,
};

// The reason phrase of RFC 8489 §14.8, RFC 8656 §19 or RFC 6062 §6.3.
std::string_view reason_phrase(ErrorCode code);

// PASSWORD-ALGORITHM values (RFC 8489 §18.5.1).
enum class PasswordAlgorithm : std::uint16_t { md5 = 1, sha256 = 2 };

// The flags of CHANGE-REQUEST (RFC 5780 §7.2).
inline constexpr std::uint32_t kChangeIp = 4;
inline constexpr std::uint32_t kChangePort = 2;

// REQUESTED-TRANSPORT values are IP protocol numbers (RFC 8656 §18.8).
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolTcp = 6;

}  // namespace turnpike::stun
