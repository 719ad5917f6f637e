// Self-contained access tokens (RFC 7635 §6.2): an authorization server seals a session key for a client, and
// this server, which shares a key with it, opens what the client presents.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "turnpike/auth/params.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/aes_gcm.hpp"

namespace turnpike::auth {

inline constexpr std::size_t kMinMacKey = 20;  // HMAC-SHA-1 takes 160 bits (RFC 7635 §4)
inline constexpr std::size_t kMaxMacKey = 64;  // the block of both hashes

// How far the authorization server's clock may be from ours (RFC 7635 §8, Delta).
inline constexpr std::chrono::seconds kTokenClockSkew{5};

struct AccessToken {
  std::array<std::uint8_t, kMaxMacKey> storage{};
  std::size_t mac_key_size = 0;
  WallTime issued;
  std::chrono::seconds lifetime{};

  Bytes mac_key() const { return Bytes(storage).first(mac_key_size); }

  // Issued not long after `now`, and not expired (RFC 7635 §8).
  bool is_current(WallTime now) const {
    return issued <= now + kTokenClockSkew && now < issued + lifetime + kTokenClockSkew;
  }
};

// The size of the key that an algorithm takes.
constexpr std::size_t key_size(TokenAlgorithm algorithm) {
  return algorithm == TokenAlgorithm::a128gcm ? 16 : 32;
}

// The octets of a key that is written in base64.
std::optional<std::vector<std::uint8_t>> decode_token_key(std::string_view text);

// Nothing when `token`, the value of ACCESS-TOKEN, was not sealed for `server_name` with this key, or does
// not hold what it should.
std::optional<AccessToken> open_access_token(crypto::AesGcm& aes_gcm, const TokenKeyParams& key,
                                             std::string_view server_name, Bytes token);

}  // namespace turnpike::auth
