// The id by which the members of a room know each other. It has 128 random bits, so that nobody can guess
// one.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::signaling {

class MemberId {
 public:
  MemberId() = default;  // nobody
  static MemberId random(crypto::Random& random);
  // Makes an id from the first 128 bits of the hash.
  static MemberId of(const crypto::Sha256& hash);
  // The inverse of to_string().
  static std::optional<MemberId> parse(std::string_view text);

  // 22 characters of base64url.
  std::string to_string() const;
  Bytes bytes() const { return bits_; }

  friend bool operator==(const MemberId&, const MemberId&) = default;
  friend std::strong_ordering operator<=>(const MemberId&, const MemberId&) = default;

 private:
  std::array<std::uint8_t, 16> bits_{};
};

// Uses bits of the id as its hash, since they are random.
struct MemberIdHash {
  std::size_t operator()(const MemberId& id) const {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes().data(), sizeof hash);
    return hash;
  }
};

}  // namespace turnpike::signaling
