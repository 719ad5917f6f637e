#include "turnpike/signaling/member_id.hpp"

#include <algorithm>

#include "turnpike/crypto/base64.hpp"

namespace turnpike::signaling {

MemberId MemberId::random(crypto::Random& random) {
  MemberId id;
  random.fill(id.bits_);
  return id;
}

MemberId MemberId::of(const crypto::Sha256& hash) {
  MemberId id;
  std::copy_n(hash.begin(), id.bits_.size(), id.bits_.begin());
  return id;
}

std::optional<MemberId> MemberId::parse(std::string_view text) {
  const auto bytes = crypto::base64url_decode(text);
  MemberId id;
  if (!bytes || bytes->size() != id.bits_.size()) return std::nullopt;
  std::ranges::copy(*bytes, id.bits_.begin());
  return id;
}

std::string MemberId::to_string() const { return crypto::base64url_encode(bits_); }

}  // namespace turnpike::signaling
