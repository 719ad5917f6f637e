// The hashes in Redis that have the members of the nodes; rooms.hpp says what is in them. This class knows
// their form: how a node signs what it writes into its own hash, and how it reads one. Whoever can write to
// Redis can change a hash at any time. So each field is signed for its key, its name and the run of its node,
// fields that are not right are refused one by one, and the amount that is read is limited.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster_log.hpp"
#include "cluster/own_run.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"
#include "turnpike/signaling/presence.hpp"

namespace turnpike::cluster {

// Belongs to the thread of its connection.
class MembersHash {
 public:
  using Command = RedisConnection::Command;
  using Members = std::map<signaling::MemberId, signaling::Presence>;

  static inline const std::string kState = "state";
  static inline const std::string kWhole = "whole";

  // A hash that is being read, portion by portion.
  struct Snapshot {
    std::string run;
    std::uint64_t sequence = 0;
    std::string whole;  // the value of `whole`; it changes when all members are written again
    Members members;
    std::size_t read = 0;  // fields, right ones and others
  };
  using WhenRead = std::function<void(const std::shared_ptr<Snapshot>&)>;  // null: it cannot be read

  // All references must outlive this object.
  MembersHash(const OwnRun& own, Seal& seal, RedisConnection& commands, ClusterLog& log)
      : own_(own), seal_(seal), commands_(commands), log_(log) {}

  // --- The hash of this node

  // The commands that write these members, and delete those without rooms.
  std::vector<Command> member_commands(const Members& presences);
  Command state_command(const std::string& field, std::uint64_t sequence);
  // Carries these commands out as one transaction. The hash lives for some time after that.
  void write(std::vector<Command> commands, RedisConnection::Answer answer);
  // Lets the hash live for some time from now on.
  void keep_alive();
  // Reads both states, the number of fields, and a portion of the fields from this cursor on.
  void look(const std::string& cursor, RedisConnection::Answer answer);
  // Returns whether this is the text of the field when this node has written it with this number.
  bool is_own_state(const std::string& field, const redisReply* reply, std::uint64_t sequence);

  // --- The hash of any node

  // Reads all of it. Calls `when_read` once, maybe before this returns. Members that change meanwhile are
  // read in their old or their new state.
  void scan(const std::string& name, const WhenRead& when_read);
  // Whether a hash can be read at present.
  bool is_in_reach() const { return commands_.is_up(); }
  // Returns the member at a field of this node's hash, signed for this run. Refuses it when it is not right.
  std::optional<signaling::Presence> open_member(const std::string& key, const std::string& field,
                                                 const std::string& run, const redisReply* reply);
  // Returns whether this is a reply to HSCAN.
  static bool is_portion(const redisReply& reply);

 private:
  void continue_scan(const std::string& name, const std::shared_ptr<Snapshot>& snapshot,
                     const std::string& cursor, const WhenRead& when_read);
  bool read_portion(const std::string& name, Snapshot& snapshot, const redisReply& portion);
  bool read_state(const std::string& name, Snapshot& snapshot, const redisReply& whole_and_state);
  std::optional<std::string_view> open_state(const std::string& name, const std::string& field,
                                             const redisReply* reply);

  const OwnRun& own_;
  Seal& seal_;
  RedisConnection& commands_;
  ClusterLog& log_;
};

}  // namespace turnpike::cluster
