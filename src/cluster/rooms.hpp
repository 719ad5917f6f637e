// The rooms of a cluster: carries between the hub of this node and those of the others, through Redis.
//
// Each node knows all members of all rooms, so that whoever joins is answered at once. In Redis there are,
// after the prefix and signed (see Seal):
//   rooms                a channel that all nodes hear: who is there, and changes of members
//   rooms:NODE           a channel that one node hears: what was said to its members
//   members:NODE         a hash: each member of the node by its id, signed for its run; under `state` the run
//                        and how many changes it has written, with each change before it is told; under
//                        `whole` the run and how many they were when all members were last written. Without
//                        `whole` Redis has lost something, and so it is no list of all. Gone half a minute
//                        after the node
//   missed:MEMBER        a list: what was said to a member whose node is gone, for two minutes; and under
//                        missed:MEMBER:octets, how long it is. A member for whom it would be too much does
//                        not come back, as on one node
//
// Whoever can write into Redis can write again what a node has written earlier. Messages are heeded once, see
// Freshness; members are those of the present run, and a hash that is older than what was heard is not
// heeded; what was kept for a member longer ago than it can be away is not delivered.
//
// Of two servers that are configured to be the same node, the one that was started later is the node. The
// other one keeps to itself as if Redis were away, and says so in the log.
//
// Each message is sent once. What is on its way to a node in the moment of its death is lost; what is said to
// its members afterwards is kept for them, or sent where they are by then. So is what waited for Redis.
//
// A node that finds a number missing among another's changes reads its hash, as it does when it first hears
// of it. A node that was not heard for kMaxSilence is gone, unless it is this node that hears nobody.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/counters.hpp"
#include "cluster/freshness.hpp"
#include "cluster/params.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/room_message.hpp"
#include "cluster/seal.hpp"
#include "net/asio_types.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/hub.hpp"

namespace turnpike::cluster {

// Of this node, with a tag that follows from its run.
signaling::ClusterParams hub_params(const Params& params, std::string_view run);

// Belongs to the thread of its io_context.
class Rooms {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(3);  // of the word that this node is there
  static constexpr Duration kMaxSilence = std::chrono::seconds(10);
  // Of what was said to members of other nodes so much waits while Redis is away; beyond it the oldest goes.
  static constexpr std::size_t kMaxWaiting = 1000;
  // All members are written anew where others have changed what stands there, but not more often than this.
  static constexpr Duration kBetweenHealings = std::chrono::seconds(5);
  // Of what is kept for a member whose node is gone, as of one that is cut off; see signaling::Limits.
  static constexpr std::size_t kMaxMissed = 256;
  static constexpr std::size_t kMaxMissedOctets = 256 << 10;
  // Half of what a client may have waiting before it is dropped as a slow one: all may be for one member.
  static constexpr std::size_t kMaxWaitingOctets = 512 << 10;
  // What members say is dropped when so much waits for Redis, so that the connection is kept for the rest.
  static constexpr std::size_t kMaxSaidOctets = RedisConnection::kMaxWaiting / 4 * 3;
  static constexpr std::size_t kMaxBacklog = 1000;  // messages of a node whose hash is being read
  static constexpr std::size_t kMaxBacklogOctets = 4 << 20;
  // Members are written in portions, so that what waits for Redis has a bound, however many they are.
  static constexpr std::size_t kPortion = 1 << 20;  // octets

  struct Hooks {
    std::function<TimePoint()> clock;
    // Tells members of this node; the rooms that there are may have changed as well. Calls carry().
    std::function<void(const signaling::Hub::Output&)> deliver;
    std::function<void(const std::string&)> info;  // a line for the log
    std::function<void(const std::string&)> warn;
  };

  // `run` tells this start of the node from others, see name_run. The hub outlives it, and has hub_params().
  Rooms(boost::asio::io_context& io, const Params& params, std::string run, signaling::Hub& hub, Hooks hooks);

  void start();
  // Leaves the io_context without work of this object's. The others take this node for one that is gone, and
  // so its members may come back to them.
  void stop();

  // Takes from the hub what the others have to know. To be called after whatever may have changed it.
  void carry();

  const Counters& counters() const { return counters_; }
  const Counter& nodes() const { return node_count_; }        // that are there, with this one
  const Counter& connected() const { return is_connected_; }  // 1 or 0: whether they can be heard

 private:
  struct Node {
    signaling::NodeNumber number = 0;
    std::string run;
    std::uint64_t sequence = 0;
    SteadyTime heard{};
    bool reading = false;  // its hash
    SteadyTime read_again_at{};
    bool stale = false;  // the hash has to be read again after that
    std::deque<RoomMessage> backlog;
    std::size_t backlog_octets = 0;
  };
  // A hash that is being read, portion by portion.
  struct Snapshot {
    std::string run;
    std::uint64_t sequence = 0;
    std::string whole;  // what stands under `whole`: another text when all members were written anew
    std::map<signaling::MemberId, signaling::Presence> members;
    std::size_t read = 0;  // fields, right ones and others
  };
  using WhenRead = std::function<void(const std::shared_ptr<Snapshot>&)>;  // null: it cannot be read
  // All members of this node that are being written. Nothing is told of changes until they are.
  struct Writing {
    explicit Writing(bool away) : was_away(away) {}

    std::vector<signaling::Presence> left;
    std::map<signaling::MemberId, signaling::Presence> changed;  // meanwhile
    std::map<signaling::MemberId, signaling::Presence> later;    // since the last portion was sent
    bool was_away;                                               // others may have taken this node for gone
    bool begun = false;
    bool is_last = false;
  };
  // A run of a node that is over, whose members have some time to come back.
  struct Former {
    signaling::NodeNumber number = 0;
    SteadyTime until{};
  };

  // Each of these is written once in a while.
  enum class Warning : std::uint8_t { unreachable, command, ignored, untimely, same_name, kinds };

  std::string channel_of(const std::string& node) const { return rooms_channel_ + ":" + node; }
  std::string members_key(const std::string& node) const { return prefix_ + "members:" + node; }
  RedisConnection::Handlers command_handlers();
  RedisConnection::Handlers listener_handlers();
  void on_lost(const std::string& why);
  void unlink();
  void on_linked();
  void read_former_run();
  void write_all(bool was_away);
  void write_portion();
  void on_all_written(bool is_written);
  bool has_room_for(const std::string& saying);
  void publish(const std::string& channel, RoomMessage message, RedisConnection::Answer answer = {});
  void say_alive(RoomMessage::Kind kind);
  void write_changes(std::vector<signaling::Presence> changes);
  void look_at_own_members();
  bool is_own(const redisReply& replies, std::uint64_t sequence, std::size_t members);
  bool is_own_portion(const redisReply& fields, bool is_latest);
  std::vector<RedisConnection::Command> member_commands(
      const std::map<signaling::MemberId, signaling::Presence>& presences);
  RedisConnection::Command state_command(std::string_view field, std::uint64_t sequence);
  void send(const signaling::Outgoing& message);
  void wait_with(const signaling::Outgoing& message);
  void send_waiting();
  void redirect(const signaling::Outgoing& message);
  void keep(const signaling::MemberId& member, const std::shared_ptr<const signaling::Event>& event);
  void fetch_missed(const signaling::MemberId& member, std::function<void()> then = {});
  void on_message(std::string_view channel, std::string_view payload);
  bool is_heeded(const RoomMessage& message);
  void step_aside();
  void take_mark(const Node& node, RoomMessage message);
  void on_news(Node& node, RoomMessage message, std::size_t octets);
  Node& node_of(const RoomMessage& message);
  void read_members(const std::string& name);
  void on_members(const std::string& name, const std::shared_ptr<Snapshot>& snapshot);
  void scan(const std::string& name, const WhenRead& when_read);
  void scan_on(const std::string& name, const std::shared_ptr<Snapshot>& snapshot, const std::string& cursor,
               const WhenRead& when_read);
  bool take_portion(const std::string& name, Snapshot& snapshot, const redisReply& portion);
  bool take_state(const std::string& name, Snapshot& snapshot, const redisReply& whole_and_state);
  std::optional<std::string_view> open_state(const std::string& name, std::string_view field,
                                             const redisReply* reply);
  const std::string* name_of(signaling::NodeNumber number) const;  // null where it is no other node
  void refuse(std::string_view what);
  bool may_warn(Warning kind);
  void tick();
  void look_for_silent(SteadyTime now);
  void deliver();

  const std::string prefix_;
  const std::string rooms_channel_;
  const std::string own_name_;
  const std::string run_;
  signaling::Hub& hub_;
  Hooks hooks_;
  Seal seal_;
  RedisConnection commands_;
  RedisConnection listener_;
  net::Timer timer_;
  std::map<std::string, Node> nodes_;  // the others
  std::vector<Former> formers_;
  signaling::NodeNumber last_number_ = signaling::kThisNode;
  std::uint64_t sequence_ = 0;
  std::uint64_t whole_sequence_ = 0;  // when all members were last written
  std::string looked_until_ = "0";    // through the hash of this node, see look_at_own_members
  SteadyTime heal_at_{};
  std::optional<Writing> writing_;
  bool is_unwritten_ = false;  // Redis has refused a change, so that all has to be written anew
  std::deque<signaling::Outgoing> waiting_;
  std::size_t waiting_octets_ = 0;
  Numbers numbers_;
  Freshness freshness_;
  signaling::Hub::Output out_;
  bool is_listening_ = false;  // to both channels
  bool linked_ = false;        // and commands can be sent
  bool has_read_former_run_ = false;
  bool stopped_ = false;
  SteadyTime linked_since_{};
  SteadyTime own_word_heard_{};
  SteadyTime next_word_{};
  SteadyTime aside_until_{};  // until then a server is there that has this node's name and was started later
  std::array<SteadyTime, static_cast<std::size_t>(Warning::kinds)> next_warning_{};
  Counters counters_;
  Counter node_count_{1};
  Counter is_connected_;
};

}  // namespace turnpike::cluster
