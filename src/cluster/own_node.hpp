// Which node this is, and what its words about rooms are called in Redis. The keys and channels themselves
// are explained in rooms.hpp. Nothing here changes after the start.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "cluster/params.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/member_id.hpp"

namespace turnpike::cluster {

struct OwnNode {
  using Clock = std::function<TimePoint()>;

  OwnNode(const Params& params, std::string start, Clock time)
      : name(params.node),
        run(std::move(start)),
        prefix(params.prefix + ":"),
        rooms_channel(prefix + "rooms"),
        clock(std::move(time)) {}

  std::string channel_of(const std::string& node) const { return rooms_channel + ":" + node; }
  std::string members_key(const std::string& node) const { return prefix + "members:" + node; }
  std::string missed_key(const signaling::MemberId& member) const {
    return prefix + "missed:" + member.to_string();
  }

  const std::string name;
  const std::string run;  // names this start of the node; see name_run()
  const std::string prefix;
  const std::string rooms_channel;
  const Clock clock;
};

}  // namespace turnpike::cluster
