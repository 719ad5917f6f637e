// Self-contained access tokens (RFC 7635 §6.2). An authorization server encrypts a session key for a client.
// This server shares a key with the authorization server, and decrypts the token that the client presents.
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

inline constexpr std::size_t kMinMacKey = 20;  // HMAC-SHA-1 needs 160 bits (RFC 7635 §4)
inline constexpr std::size_t kMaxMacKey = 64;  // the block size of SHA-1 and SHA-256

// How much the clock of the authorization server may differ from ours (Delta in RFC 7635 §8).
inline constexpr std::chrono::seconds kTokenClockSkew{5};

struct AccessToken {
  std::array<std::uint8_t, kMaxMacKey> storage{};
  std::size_t mac_key_size = 0;
  WallTime issued;
  std::chrono::seconds lifetime{};

  Bytes mac_key() const { return Bytes(storage).first(mac_key_size); }

  // Whether the token was not issued in the future and has not expired; both times may be wrong by
  // kTokenClockSkew (RFC 7635 §8).
  bool is_current(WallTime now) const {
    return issued <= now + kTokenClockSkew && now < issued + lifetime + kTokenClockSkew;
  }
};

// The size in bytes of the key that an algorithm uses.
constexpr std::size_t key_size(TokenAlgorithm algorithm) {
  return algorithm == TokenAlgorithm::a128gcm ? 16 : 32;
}

// Decodes a key that is written in base64. Nothing when it is not base64.
std::optional<std::vector<std::uint8_t>> decode_token_key(std::string_view text);

// Decrypts `token`, which is the value of ACCESS-TOKEN. Nothing when it was not made for `server_name` with
// this key, or when its contents are malformed. This does not check the times; see is_current().
std::optional<AccessToken> open_access_token(crypto::AesGcm& aes_gcm, const TokenKeyParams& key,
                                             std::string_view server_name, Bytes token);

}  // namespace turnpike::auth
