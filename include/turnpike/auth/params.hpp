// The part of the configuration that says who may use the relay. It is plain data, which config/ fills and a
// CredentialStore is made from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"

namespace turnpike::auth {

inline constexpr std::size_t kMaxUserName = 508;  // octets; RFC 8489 §14.3: fewer than 509
// The longest USERNAME, in octets, that is accepted from a client (RFC 5389 §15.3).
inline constexpr std::size_t kMaxReceivedUsername = 512;

using Md5Key = std::array<std::uint8_t, 16>;     // MD5(username ":" realm ":" password), RFC 8489 §9.2.2
using Sha256Key = std::array<std::uint8_t, 32>;  // SHA-256 of the same, RFC 8489 §18.5.1.2

// A user has either a password, or one or both of the stored keys.
struct UserParams {
  std::string name;
  std::optional<std::string> password;
  std::optional<Md5Key> key_md5;
  std::optional<Sha256Key> key_sha256;
};

// The algorithms that encrypt access tokens, named as in RFC 7635 §4.
enum class TokenAlgorithm : std::uint8_t { a128gcm, a256gcm };

// A key that an authorization server shares with this one.
struct TokenKeyParams {
  std::string kid;  // the key id, which the client sends in USERNAME
  TokenAlgorithm algorithm = TokenAlgorithm::a256gcm;
  std::vector<std::uint8_t> key;  // the first 16 or 32 bytes count, depending on the algorithm
  std::optional<WallTime> valid_from;
  std::optional<WallTime> valid_until;

  bool is_valid(WallTime now) const {
    return (!valid_from || *valid_from <= now) && (!valid_until || now < *valid_until);
  }
};

// Third-party authorization (RFC 7635). Without keys it is switched off.
struct ThirdPartyParams {
  std::string server_name;  // the name of this server in the tokens of the authorization server
  std::vector<TokenKeyParams> keys;
};

struct Params {
  std::string realm;
  std::vector<UserParams> users;
  std::vector<std::string> secrets;  // TURN REST: HMAC-SHA1 keys for time-limited credentials
  Duration nonce_lifetime = std::chrono::seconds(600);
  ThirdPartyParams third_party{};
  bool strict_expiry = false;  // allocations end when the credentials expire that made them
};

}  // namespace turnpike::auth
