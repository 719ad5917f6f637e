// Builds messages octet by octet, so that a test can make messages that MessageBuilder never would. It uses
// nothing of the code under test but the digests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "support/rfc_vectors.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::test {

// The vector is exactly as large as its contents, so that AddressSanitizer sees a read behind them.
using Octets = std::vector<std::uint8_t>;

inline constexpr stun::TransactionId kTransactionId = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                                       0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

inline Octets copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

inline Octets concat(std::initializer_list<Bytes> parts) {
  Octets all;
  for (const Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
  return copy(all);
}

// Returns a header with the right length, and this body after it.
inline Octets raw_message(Bytes body, std::uint16_t type = 0x0001) {
  Octets header = concat({"00000000 2112a442"_hex, kTransactionId});
  store_u16(&header[0], type);
  store_u16(&header[2], static_cast<std::uint16_t>(body.size()));
  return concat({header, body});
}

// Returns the message with one more attribute, which the header's length includes.
inline Octets with_attribute(Bytes message, std::uint16_t type, Bytes value) {
  std::uint8_t head[4];
  store_u16(head, type);
  store_u16(head + 2, static_cast<std::uint16_t>(value.size()));
  Octets all = concat({message, head, value, "000000"_hex.first(-value.size() % 4)});
  store_u16(&all[2], static_cast<std::uint16_t>(all.size() - 20));
  return all;
}

// Returns what an integrity attribute of `size` octets or FINGERPRINT covers: the message with a length that
// already includes this attribute.
inline Octets covered(Bytes message, std::size_t size) {
  Octets all = copy(message);
  store_u16(&all[2], static_cast<std::uint16_t>(message.size() - 20 + 4 + size));
  return all;
}

inline Octets with_sha1(Bytes message, Bytes key) {
  const crypto::Sha1 mac = crypto::Digester().hmac_sha1(key, {covered(message, 20)});
  return with_attribute(message, 0x0008, mac);
}

inline Octets with_sha256(Bytes message, Bytes key, std::size_t size = 32) {
  const crypto::Sha256 mac = crypto::Digester().hmac_sha256(key, {covered(message, size)});
  Octets value = copy(mac);
  value.resize(size);
  return with_attribute(message, 0x001C, value);
}

inline Octets with_fingerprint(Bytes message) {
  std::uint8_t value[4];
  store_u32(value, crypto::crc32(covered(message, 4)) ^ 0x5354554E);
  return with_attribute(message, 0x8028, value);
}

inline Octets with_flipped_bit(Bytes message, std::size_t bit) {
  Octets all = copy(message);
  all[bit / 8] = static_cast<std::uint8_t>(all[bit / 8] ^ 0x80U >> bit % 8);
  return all;
}

}  // namespace turnpike::test
