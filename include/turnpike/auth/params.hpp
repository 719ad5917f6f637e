// What the operator says about who may use the relay. Plain data, filled by config/ and turned into a
// CredentialStore.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/time.hpp"

namespace turnpike::auth {

using Md5Key = std::array<std::uint8_t, 16>;     // MD5(username ":" realm ":" password), RFC 8489 §9.2.2
using Sha256Key = std::array<std::uint8_t, 32>;  // SHA-256 of the same, RFC 8489 §18.5.1.2

// Either a password or one or both stored keys.
struct UserParams {
  std::string name;
  std::optional<std::string> password;
  std::optional<Md5Key> key_md5;
  std::optional<Sha256Key> key_sha256;
};

// What access tokens are sealed with, named as in RFC 7635 §4.
enum class TokenAlgorithm : std::uint8_t { a128gcm, a256gcm };

// A key that an authorization server shares with this one.
struct TokenKeyParams {
  std::string kid;  // what the client names it by, in USERNAME
  TokenAlgorithm algorithm = TokenAlgorithm::a256gcm;
  std::vector<std::uint8_t> key;  // of which the first 16 or 32 bytes count, as the algorithm takes them
  std::optional<WallTime> valid_from;
  std::optional<WallTime> valid_until;

  bool is_valid(WallTime now) const {
    return (!valid_from || *valid_from <= now) && (!valid_until || now < *valid_until);
  }
};

// Third-party authorization (RFC 7635); without keys there is none.
struct ThirdPartyParams {
  std::string server_name;  // this server's, as the authorization server knows it
  std::vector<TokenKeyParams> keys;
};

struct Params {
  std::string realm;
  std::vector<UserParams> users;
  std::vector<std::string> secrets;  // TURN REST: HMAC-SHA1 keys for time-limited credentials
  Duration nonce_lifetime = std::chrono::seconds(600);
  ThirdPartyParams third_party{};
  bool strict_expiry = false;  // allocations end with the credentials that they were made with
};

}  // namespace turnpike::auth
