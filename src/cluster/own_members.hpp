// The record of this node's members in Redis: all of them in the node's hash, and the changes that are
// published to the other nodes. Each change has a number, which is written into the hash together with it, so
// that a node which misses a number can read the hash instead. No change is published while the hash is not
// complete; the changes wait then.
//
// Others can change or delete the hash, and Redis can lose it or refuse to store more. All members are
// written again when that is found.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/members_hash.hpp"
#include "cluster/missed_events.hpp"
#include "cluster/own_run.hpp"
#include "cluster/room_link.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/hub_cluster.hpp"

namespace turnpike::cluster {

// Belongs to the thread of the link.
class OwnMembers {
 public:
  // When somebody else has changed the hash of this node, all members are written again; this is the least
  // time between two such writings.
  static constexpr Duration kBetweenRewrites = std::chrono::seconds(5);
  // Members are written in portions of this size, so that any number of them does not exceed the limit of the
  // queue.
  static constexpr std::size_t kPortion = 1 << 20;  // octets

  // Calls `when_written` each time when all members were written, or were refused by Redis. All references
  // must outlive this object.
  OwnMembers(const OwnRun& own, const signaling::HubCluster& hub, MembersHash& hash, RoomLink& link,
             MissedEvents& missed, std::function<void()> when_written);

  // While all members are written, or wait for that.
  bool is_writing() const { return writing_.has_value(); }
  // Makes all changes wait, until write_held() is called after this.
  void hold() { writing_.emplace(false); }
  // Writes all members, if they are still held.
  void write_held();
  // Writes all members. `was_away` means that the other nodes may have treated this node as absent, so that
  // events were kept for its members.
  void write_all(bool was_away);
  // The link is lost: a writing does not go on.
  void give_up_writing() { writing_.reset(); }

  // Writes these changes and publishes them.
  void write_changes(std::vector<signaling::Presence> changes);
  // Lets the hash live on, and checks it. Call this at regular intervals while there is a link.
  void look_after();

 private:
  // The writing of all members of this node. Changes are not published before it is complete.
  struct Writing {
    explicit Writing(bool away) : was_away(away) {}

    std::vector<signaling::Presence> left;
    MembersHash::Members changed;  // while the writing lasts
    MembersHash::Members later;    // since the last portion was sent
    // The other nodes may have treated this node as absent.
    bool was_away;
    bool begun = false;
    bool is_last = false;
  };

  void write_portion();
  void on_all_written(bool is_written);
  void check();
  bool verify_hash(const redisReply& replies, std::uint64_t sequence, std::size_t members);
  bool verify_portion(const redisReply& fields, bool is_latest);

  const OwnRun& own_;
  const signaling::HubCluster& hub_;
  MembersHash& hash_;
  RoomLink& link_;
  MissedEvents& missed_;
  const std::function<void()> when_written_;
  std::optional<Writing> writing_;
  bool is_unwritten_ = false;         // Redis has refused a change, so all members have to be written again
  std::uint64_t whole_sequence_ = 0;  // when all members were last written
  std::string looked_until_ = "0";    // through the hash of this node, see check
  SteadyTime rewrite_at_{};
};

}  // namespace turnpike::cluster
