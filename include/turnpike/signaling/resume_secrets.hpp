// The secrets by which members come back. Without a cluster each member has a random one. In a cluster it is
// derived from the member's id, so that every node knows it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "turnpike/crypto/digest.hpp"
#include "turnpike/signaling/hub_member.hpp"
#include "turnpike/signaling/member_id.hpp"

namespace turnpike::signaling {

class ResumeSecrets {
 public:
  // From now on secrets are made with the first key; those of all keys are accepted.
  void use(std::vector<std::string> keys) {
    keys_ = std::move(keys);
    digester_.emplace();
  }

  MemberId of(const HubMember& member) const;
  // Whether `proof` is the secret of the member. Takes the same time for each wrong one.
  bool accepts(const HubMember& member, const MemberId& proof) const;

 private:
  MemberId derive(const HubMember& member, const std::string& key) const;

  std::vector<std::string> keys_;                     // empty without a cluster
  mutable std::optional<crypto::Digester> digester_;  // only in a cluster
};

}  // namespace turnpike::signaling
