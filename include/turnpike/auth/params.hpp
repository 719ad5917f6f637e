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

struct Params {
  std::string realm;
  std::vector<UserParams> users;
  std::vector<std::string> secrets;  // TURN REST: HMAC-SHA1 keys for time-limited credentials
  Duration nonce_lifetime = std::chrono::seconds(600);
};

}  // namespace turnpike::auth
