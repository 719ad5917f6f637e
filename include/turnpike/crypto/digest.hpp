// The digests and message authentication codes of STUN, by OpenSSL. A Digester holds contexts that were
// fetched once, since an implicit fetch costs more than to hash a STUN message.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "turnpike/base/bytes.hpp"

namespace turnpike::crypto {

using Md5 = std::array<std::uint8_t, 16>;
using Sha1 = std::array<std::uint8_t, 20>;
using Sha256 = std::array<std::uint8_t, 32>;

// The parts of a message, hashed one after another as if they were one.
using Parts = std::initializer_list<Bytes>;

// Each object belongs to one thread. It has an OpenSSL library context of its own, so MD5 works even where
// the machine's default context runs in FIPS mode.
class Digester {
 public:
  // Throws std::runtime_error when OpenSSL cannot deliver one of the algorithms.
  Digester();
  ~Digester();
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  Md5 md5(Parts message);
  Sha256 sha256(Parts message);
  Sha1 hmac_sha1(Bytes key, Parts message);      // RFC 2104
  Sha256 hmac_sha256(Bytes key, Parts message);  // RFC 2104

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// CRC-32 of ITU-T V.42, as FINGERPRINT uses it (RFC 8489 §14.7).
std::uint32_t crc32(Bytes message);

// The time that this takes depends only on the sizes, not on the contents.
bool equal_in_constant_time(Bytes a, Bytes b);

}  // namespace turnpike::crypto
