// Tokens that an operator has revoked before they expired.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "turnpike/base/time.hpp"

namespace turnpike::signaling {

inline constexpr std::size_t kMaxTokenId = 256;  // octets of a `jti`

struct Revocation {
  enum class Kind : std::uint8_t {
    token,    // one token
    subject,  // all tokens of a subject that were issued until now
  };
  Kind kind = Kind::token;
  std::string name;  // the token's `jti`, or the subject as an OpaqueString
  WallTime since{};
  WallTime until{};  // what is revoked has expired by then, so that this can be forgotten
};

class Revocations {
 public:
  static constexpr std::size_t kMax = 10'000;

  // Returns false when there are kMax that have to be remembered.
  bool add(const Revocation& revocation, WallTime now);
  // Whether a token is revoked. An empty id or subject is none. A token of a revoked subject that does not
  // say when it was issued (`iat`) is taken for an old one.
  bool has(std::string_view id, std::string_view subject, std::optional<WallTime> issued, WallTime now) const;

 private:
  using Key = std::pair<Revocation::Kind, std::string>;
  struct Times {
    WallTime since;
    WallTime until;
  };
  const Times* find(Revocation::Kind kind, std::string_view name, WallTime now) const;

  std::map<Key, Times> revoked_;
};

}  // namespace turnpike::signaling
