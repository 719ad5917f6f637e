// Numbers that stand in the records of TLS and DTLS.
#pragma once

#include <cstddef>
#include <cstdint>

namespace turnpike::net {

// Content types of records (RFC 5246 §6.2.1).
inline constexpr std::uint8_t kAlert = 21;
inline constexpr std::uint8_t kHandshake = 22;
inline constexpr std::uint8_t kApplicationData = 23;

// Types of handshake messages (RFC 5246 §7.4, RFC 6347 §4.2.1).
inline constexpr std::uint8_t kClientHello = 1;
inline constexpr std::uint8_t kHelloVerifyRequest = 3;

inline constexpr std::size_t kRandomSize = 32;  // of a ClientHello (RFC 5246 §7.4.1.2)

// Versions (RFC 6347 §4.1, §4.2.1).
inline constexpr std::uint8_t kTlsMajor = 3;
inline constexpr std::uint8_t kDtlsMajor = 0xFE;
inline constexpr std::uint16_t kDtls10 = 0xFEFF;
inline constexpr std::uint16_t kDtls12 = 0xFEFD;

}  // namespace turnpike::net
