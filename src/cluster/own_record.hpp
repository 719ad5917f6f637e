// The record of this node in Redis: what it tells the other nodes about itself. It is written soon when
// something has changed, and from time to time, since Redis deletes it otherwise. Whoever reads it back finds
// here whether somebody else has written it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "cluster/cluster_log.hpp"
#include "cluster/freshness.hpp"
#include "cluster/node_record.hpp"
#include "cluster/own_node.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its connection.
class OwnRecord {
 public:
  // The time after which an unchanged record is written again.
  static constexpr std::chrono::seconds kRenewal{3};
  // How long it is reported that another server has this node's name, too.
  static constexpr std::chrono::minutes kUsedTwice{1};

  // `describe` makes the record, without what NodeRecord says of this start. All references must outlive this
  // object.
  OwnRecord(const OwnNode& own, Seal& seal, RedisConnection& commands, ClusterLog& log,
            std::function<NodeRecord()> describe);

  // When this node was started; see NodeRecord::began.
  std::uint64_t began() const { return began_; }
  // The number of the record that was written last; see NodeRecord::written_at.
  std::uint64_t latest() const { return latest_; }

  // Writes the record if it has changed or has to be renewed. Call this at regular intervals.
  void write();
  // The next write() writes it in any case.
  void renew() { renew_at_ = {}; }
  // Returns the command that writes the last record, by which the others know that this node leaves.
  RedisConnection::Command make_last();

  // Looks at what was read back; `least` is what latest() was at that time. Renews the record when somebody
  // else has written it.
  void check(const NodeRecord& read, std::uint64_t least);
  // Whether another server has this node's name.
  bool is_name_used_twice() const { return own_.clock().steady < used_twice_until_; }

 private:
  std::uint64_t next_number() { return numbers_.next(own_.clock().wall); }
  std::string seal(NodeRecord record);

  const OwnNode& own_;
  Seal& seal_;
  RedisConnection& commands_;
  ClusterLog& log_;
  const std::function<NodeRecord()> describe_;
  Numbers numbers_;
  const std::uint64_t began_ = next_number();
  std::uint64_t latest_ = 0;
  std::string written_;  // the record that was written last, without what changes all the time
  SteadyTime renew_at_{};
  SteadyTime used_twice_until_{};
};

}  // namespace turnpike::cluster
