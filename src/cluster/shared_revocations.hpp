// Shares what an operator revokes with all nodes of a cluster, including nodes that start later or that could
// not reach Redis at that time. After the prefix, Redis has
//   revoked      a sorted set by the end of each revocation, and a channel for new ones, signed (see Seal):
//                {"kind": "token", "name": NAME, "since": T, "until": T}; times are milliseconds since 1970
// Everybody who can write to Redis can write a revocation again, which changes nothing.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster_log.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"
#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its connection.
class SharedRevocations {
 public:
  static constexpr Duration kBetweenChecks = std::chrono::seconds(10);

  struct Hooks {
    // Called with revocations of any node; some of them may be known here already.
    std::function<void(std::vector<auth::Revocation>)> revoked;
    std::function<std::vector<auth::Revocation>()> list;  // what is known here
  };

  // `key` is both the key and the channel. All references must outlive this object.
  SharedRevocations(RedisConnection& commands, Seal& seal, ClusterLog& log, std::string key, Hooks hooks);

  // A message that came on the channel.
  void on_message(std::string_view sealed);
  // Reads all revocations, and writes those that only this node knows. Call it after the subscription to
  // the channel, so that no message is missed.
  void synchronize();
  // Synchronizes again when Redis has fewer revocations than are known here, which it may have evicted. Call
  // this at regular intervals; it does so every kBetweenChecks.
  void check(SteadyTime now);
  // Publishes a revocation. Calls `then` once, with whether Redis has done it, so that later nodes get it
  // too.
  void share(const auth::Revocation& revocation, const std::function<void(bool is_done)>& then);

 private:
  void merge(const redisReply& reply);
  std::optional<auth::Revocation> open(std::string_view sealed);
  std::string seal(const auth::Revocation& revocation);
  // Adds the commands that store the revocation in Redis and publish it to the other nodes.
  void add_publication(const auth::Revocation& revocation, std::vector<RedisConnection::Command>& commands);
  RedisConnection::Command expiry_command() const;  // the command that deletes expired revocations

  RedisConnection& commands_;
  Seal& seal_;
  ClusterLog& log_;
  const std::string key_;
  Hooks hooks_;
  SteadyTime next_check_{};
};

}  // namespace turnpike::cluster
