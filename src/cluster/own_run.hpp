// Which start (run) of this node this is, and what its words about rooms are called in Redis. The keys and
// channels themselves are explained in rooms.hpp. Nothing here changes after the start.
#pragma once

#include <string>
#include <utility>

#include "cluster/own_node.hpp"
#include "cluster/params.hpp"
#include "turnpike/signaling/member_id.hpp"

namespace turnpike::cluster {

struct OwnRun : OwnNode {
  OwnRun(const Params& params, std::string start, Clock time)
      : OwnNode(params, std::move(time)), run(std::move(start)) {}

  std::string channel_of(const std::string& node) const { return rooms_channel + ":" + node; }
  std::string members_key(const std::string& node) const { return prefix + "members:" + node; }
  std::string missed_key(const signaling::MemberId& member) const {
    return prefix + "missed:" + member.to_string();
  }

  const std::string run;  // names this start of the node; see name_run()
  const std::string rooms_channel = prefix + "rooms";
};

}  // namespace turnpike::cluster
