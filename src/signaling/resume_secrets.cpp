#include "turnpike/signaling/resume_secrets.hpp"

#include <algorithm>

#include "turnpike/base/bytes.hpp"

namespace turnpike::signaling {
namespace {

bool are_equal(const MemberId& one, const MemberId& other) {
  return crypto::equal_in_constant_time(one.bytes(), other.bytes());
}

}  // namespace

MemberId ResumeSecrets::derive(const HubMember& member, const std::string& key) const {
  return MemberId::of(digester_->hmac_sha256(as_bytes(key), {member.id.bytes()}));
}

MemberId ResumeSecrets::of(const HubMember& member) const {
  return keys_.empty() ? member.secret : derive(member, keys_.front());
}

bool ResumeSecrets::accepts(const HubMember& member, const MemberId& proof) const {
  if (keys_.empty()) return are_equal(proof, member.secret);
  return std::ranges::any_of(keys_,
                             [&](const std::string& key) { return are_equal(proof, derive(member, key)); });
}

}  // namespace turnpike::signaling
