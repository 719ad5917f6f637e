// The tokens of signaling and the relay credentials that an operator has revoked before they expire.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/time.hpp"

namespace turnpike::auth {

inline constexpr std::size_t kMaxTokenId = 256;  // octets of a `jti`

struct Revocation {
  enum class Kind : std::uint8_t {
    token,    // one token
    subject,  // all tokens of a subject that were issued until then
    user,     // credentials of TURN REST that expire by `until`, whose user part is the name
  };
  static constexpr std::size_t kKinds = 3;

  Kind kind = Kind::token;
  // The token's `jti`; or the subject or the user as an OpaqueString of at most kMaxUserName octets.
  std::string name;
  WallTime since{};  // when it was revoked
  WallTime until{};  // what is revoked has expired by then, so that this can be forgotten

  bool operator==(const Revocation&) const = default;
};

// Whether the revocation covers a token. One of a revoked subject that does not say when it was issued
// (`iat`) is taken for an old one.
bool covers(const Revocation& revocation, std::string_view id, std::string_view subject,
            std::optional<WallTime> issued);

class Revocations {
 public:
  static constexpr std::size_t kMax = 10'000;  // of each kind

  // Adds a revocation. When the name is revoked already, the later times are kept. Returns false, and adds
  // nothing, when there are kMax unexpired ones of this kind.
  bool add(const Revocation& revocation, WallTime now);
  // Whether adding it would change nothing.
  bool includes(const Revocation& revocation) const;
  // Whether one of the revocations covers a token. An empty id or subject is none.
  bool has(std::string_view id, std::string_view subject, std::optional<WallTime> issued, WallTime now) const;
  // The revocations that have not expired, sorted by kind and name.
  std::vector<Revocation> list(WallTime now) const;

 private:
  struct Times {
    WallTime since;
    WallTime until;
  };
  // A tree and no hash table, since clients may have chosen their names.
  using ByName = std::map<std::string, Times, std::less<>>;

  ByName& of(Revocation::Kind kind) { return by_kind_[static_cast<std::size_t>(kind)]; }
  const ByName& of(Revocation::Kind kind) const { return by_kind_[static_cast<std::size_t>(kind)]; }
  // Returns the revocation of this name, unless it has expired.
  std::optional<Revocation> find(Revocation::Kind kind, std::string_view name, WallTime now) const;

  std::array<ByName, Revocation::kKinds> by_kind_;
};

}  // namespace turnpike::auth
