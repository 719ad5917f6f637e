// Which node this is, and where Redis has what all nodes tell each other. The keys and channels themselves
// are explained in nodes.hpp. Nothing here changes after the start.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "cluster/params.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

struct OwnNode {
  using Clock = std::function<TimePoint()>;

  OwnNode(const Params& params, Clock time)
      : name(params.node), prefix(params.prefix + ":"), clock(std::move(time)) {}

  std::string record_key(const std::string& node) const { return prefix + "node:" + node; }
  std::string answers_channel(const std::string& node) const { return prefix + "answers:" + node; }

  const std::string name;
  const std::string prefix;
  const std::string nodes_key = prefix + "nodes";
  const std::string orders = prefix + "orders";    // a channel, and a key
  const std::string revoked = prefix + "revoked";  // a channel, and a key; see SharedRevocations
  const Clock clock;
};

}  // namespace turnpike::cluster
