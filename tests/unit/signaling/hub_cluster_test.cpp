// Tests rooms whose members belong to several nodes: these hubs exchange what a cluster would carry between
// them.
#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/signaling/hub.hpp"

namespace turnpike::signaling {
namespace {

using namespace std::chrono_literals;
using namespace test;

// Nodes a, b and c have the numbers 1, 2 and 3. What their members hear is in heard(), as "ben: ann joined
// blue", with the names under which the members have entered.
class Nodes {
 public:
  explicit Nodes(const Limits& limits = {}) {
    for (NodeNumber number = 1; number <= 3; ++number) {
      Node& node = nodes_[number];
      node.hub = std::make_unique<Hub>(limits, random_);
      node.hub->share_with_cluster({{"the key of all"}, static_cast<std::uint16_t>(number)});
    }
  }

  void enters(const std::string& name, NodeNumber at, std::string_view room) {
    Node& node = nodes_.at(at);
    const ConnectionId connection = ++last_connection_;
    names_[connection] = name;
    ids_[name] = node.hub->add_member({.connection = connection,
                                       .address = address("198.51.100.1"),
                                       .name = name,
                                       .role = {},
                                       .quota_user = name,
                                       .token_id = name + "'s token",
                                       .issued = clock_.now().wall});
    REQUIRE(node.hub->join(ids_[name], room, node.out).has_value());
    carry();
  }
  void says(const std::string& name, NodeNumber at, std::string_view room, std::string_view what) {
    REQUIRE_FALSE(nodes_.at(at).hub->broadcast(ids_.at(name), room, what, nodes_.at(at).out));
    carry();
  }
  void tells(const std::string& name, NodeNumber at, const std::string& to, std::string_view what) {
    REQUIRE_FALSE(nodes_.at(at).hub->signal(ids_.at(name), ids_.at(to), what, nodes_.at(at).out));
    carry();
  }
  void drops(const std::string& name, NodeNumber at, bool clean = false) {
    nodes_.at(at).hub->disconnect(ids_.at(name), clean, clock_.now(), nodes_.at(at).out);
    carry();
  }
  void renamed(const std::string& name, NodeNumber at, const std::string& to) {
    nodes_.at(at).hub->rename(ids_.at(name), to, nodes_.at(at).out);
    carry();
  }
  void removed(const std::string& name, NodeNumber at) {
    nodes_.at(at).hub->remove(ids_.at(name), nodes_.at(at).out);
    carry();
  }
  // Resumes with the secret that the member got at `before`.
  bool resumes(const std::string& name, NodeNumber at, const std::string& secret) {
    const ConnectionId connection = ++last_connection_;
    names_[connection] = name + "'";
    const auto resumed = nodes_.at(at).hub->resume(secret, connection, address("198.51.100.2"), clock_.now(),
                                                   nodes_.at(at).out);
    carry();
    return resumed.has_value() && resumed->id == ids_.at(name) && resumed->quota_user == name;
  }
  std::string secret(const std::string& name, NodeNumber at) { return hub(at).resume_secret(ids_.at(name)); }

  // After this, the node's messages and changes reach nobody.
  void dies(NodeNumber number) { nodes_.erase(number); }
  // Messages to this node wait until it listens again.
  void hears_nothing(NodeNumber number) { nodes_.at(number).hears = false; }
  void hears_again(NodeNumber number) {
    nodes_.at(number).hears = true;
    carry();
  }
  void is_lost(NodeNumber number) {
    for (auto& [at, node] : nodes_) node.hub->cluster().on_node_gone(number, clock_.now(), node.out);
    carry();
  }
  void advance(Duration duration) {
    clock_.advance(duration);
    for (auto& [at, node] : nodes_) node.hub->on_timeout(clock_.now(), node.out);
    carry();
  }

  // Returns who is in the room, as this node knows it.
  std::string room(NodeNumber at, std::string_view name) {
    std::string all;
    for (const Hub::Peer& peer : hub(at).peers_of(MemberId(), name))
      all += (all.empty() ? "" : " ") + peer.name;
    return all;
  }
  // Returns what another node would read of this node's members in Redis.
  std::string written(NodeNumber at) {
    std::string all;
    for (const auto& [id, presence] : nodes_.at(at).written) all += (all.empty() ? "" : " ") + presence.name;
    return all;
  }
  std::string heard() {
    std::string all;
    for (auto& [at, node] : nodes_) {
      for (const Delivery& delivery : node.out.deliveries)
        all += (all.empty() ? "" : "; ") + names_.at(delivery.to) + ": " + told(*delivery.event);
      for (const ConnectionId replaced : node.out.replaced)
        all += (all.empty() ? "" : "; ") + names_.at(replaced) + " is replaced";
      node.out.clear();
    }
    return all;
  }
  Hub& hub(NodeNumber at) { return *nodes_.at(at).hub; }
  Hub::Output& out(NodeNumber at) { return nodes_.at(at).out; }
  MemberId id(const std::string& name) { return ids_.at(name); }
  TimePoint now() const { return clock_.now(); }
  // Returns the messages that reached nobody: "ben: hello".
  std::string undelivered() {
    std::string all;
    for (const auto& [to, event] : undelivered_)
      all += (all.empty() ? "" : "; ") + name_of(to) + ": " + event->message.payload;
    return all;
  }

 private:
  struct Node {
    std::unique_ptr<Hub> hub;
    Hub::Output out;
    std::map<MemberId, Presence> written;
    bool hears = true;
    std::deque<std::function<void(Node&)>> arriving;  // in the order in which it was sent
  };

  // Carries changes to all nodes and then the messages, like a cluster, until nothing is left.
  void carry() {
    for (bool more = true; more;) {
      more = false;
      for (auto& [from, node] : nodes_) {
        for (const Presence& presence : node.hub->cluster().take_changes()) {
          more = true;
          node.written.insert_or_assign(presence.id, presence);
          if (presence.rooms.empty()) node.written.erase(presence.id);
          for (auto& [to, other] : nodes_) {
            if (to == from) continue;
            other.arriving.push_back(
                [from, presence](Node& there) { there.hub->cluster().update(from, presence, there.out); });
          }
        }
        for (Outgoing& message : node.hub->cluster().take_outgoing()) {
          more = true;
          if (message.origin == kThisNode) message.origin = from;
          send(from, message);
        }
      }
      for (auto& [to, node] : nodes_) {
        while (node.hears && !node.arriving.empty()) {
          more = true;
          const auto arrives = std::move(node.arriving.front());
          node.arriving.pop_front();
          arrives(node);
        }
      }
    }
  }
  // When the destination is lost, this sends to the member's present node, like cluster::Rooms.
  void send(NodeNumber from, const Outgoing& message) {
    if (const auto to = nodes_.find(message.node); to != nodes_.end()) {
      to->second.arriving.push_back([to = to->first, one = Outgoing(message)](Node& there) mutable {
        if (one.origin == to) one.origin = kThisNode;
        there.hub->cluster().receive(one, there.out);
      });
      return;
    }
    for (const MemberId& id : message.to) {
      Outgoing one = message;
      one.node = nodes_.at(from).hub->cluster().node_of(id).value_or(kNoNode);
      if (one.node == kThisNode) one.node = from;
      one.to = {id};
      one.forwarded = message.event ? message.forwarded + 1 : 0;
      if (one.node != message.node && nodes_.contains(one.node)) {
        send(from, one);
      } else if (message.event) {
        undelivered_.emplace_back(id, message.event);
      }
    }
  }
  std::string name_of(const MemberId& id) const {
    for (const auto& [name, its] : ids_)
      if (its == id) return name;
    return "?";
  }
  static std::string told(const Event& event) {
    const std::string count = " (" + std::to_string(event.present) + ")";
    switch (event.kind) {
      case Event::Kind::peer_joined: return event.name + " joined " + event.room + count;
      case Event::Kind::peer_left:
        return event.name + (event.lost ? " lost " : " left ") + event.room + count;
      case Event::Kind::peer_renamed: return "now " + event.name;
      case Event::Kind::signal: return event.name + " " + event.message.payload;
      case Event::Kind::broadcast: return event.name + " to " + event.room + " " + event.message.payload;
    }
    return "?";
  }

  ScriptedRandom random_;
  ManualClock clock_;
  std::map<NodeNumber, Node> nodes_;
  std::map<std::string, MemberId> ids_;
  std::map<ConnectionId, std::string> names_;
  std::vector<std::pair<MemberId, std::shared_ptr<const Event>>> undelivered_;
  ConnectionId last_connection_ = 0;
};

TEST_CASE("members of one room hear each other whichever nodes they are at, once and in order",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  CHECK(nodes.heard() == "ann: ben joined blue (2)");
  nodes.enters("cid", 2, "blue");
  CHECK(nodes.heard() == "ann: cid joined blue (3); ben: cid joined blue (3)");
  nodes.says("ann", 1, "blue", "1");
  nodes.says("ann", 1, "blue", "2");
  CHECK(nodes.heard() == "ben: ann to blue 1; cid: ann to blue 1; ben: ann to blue 2; cid: ann to blue 2");
  nodes.tells("cid", 2, "ann", "psst");
  CHECK(nodes.heard() == "ann: cid psst");
  for (const NodeNumber at : {1, 2, 3})
    CHECK(nodes.room(at, "blue").size() == std::string("ann ben cid").size());
  nodes.removed("cid", 2);
  CHECK(nodes.heard() == "ann: cid left blue (2); ben: cid left blue (2)");
  CHECK(nodes.room(3, "blue").size() == std::string("ann ben").size());
}

TEST_CASE("a new name is reported on all nodes, once, but not for members that are away",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.enters("cid", 1, "blue");
  nodes.heard();
  nodes.renamed("ann", 1, "Anna");
  CHECK(nodes.heard() == "cid: now Anna; ben: now Anna");
  nodes.renamed("ann", 1, "Anna");
  CHECK(nodes.heard().empty());
  nodes.drops("ann", 1, true);
  CHECK(nodes.heard() == "cid: Anna left blue (2); ben: Anna left blue (2)");
  nodes.renamed("ann", 1, "Annie");
  CHECK(nodes.heard().empty());
  CHECK(nodes.resumes("ann", 2, nodes.secret("ann", 1)));
  CHECK(nodes.heard() == "cid: Annie joined blue (3); ben: Annie joined blue (3)");
}

TEST_CASE("a room's limit counts the members of all nodes", "[signaling][cluster]") {
  Nodes nodes({.members_per_room = 2});
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  const MemberId cid = nodes.hub(3).add_member(
      {.connection = 99, .address = address("198.51.100.3"), .name = "cid", .role = {}, .quota_user = {}});
  const auto joined = nodes.hub(3).join(cid, "blue", nodes.out(3));
  REQUIRE_FALSE(joined.has_value());
  CHECK(code_of(joined.error()) == "room-full");
}

TEST_CASE("a member that is cut off comes back to another node, unnoticed and with what it has missed",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  const std::string secret = nodes.secret("ben", 2);
  nodes.drops("ben", 2);
  nodes.tells("ann", 1, "ben", "one");
  nodes.says("ann", 1, "blue", "two");
  nodes.heard();
  REQUIRE(nodes.resumes("ben", 3, secret));
  CHECK(nodes.heard() == "ben': ann one; ben': ann to blue two");
  nodes.tells("ann", 1, "ben", "three");
  CHECK(nodes.heard() == "ben': ann three");
  nodes.advance(10min);
  CHECK(nodes.heard().empty());
  CHECK(nodes.hub(2).members() == 0);
}

TEST_CASE("a member that comes back to another node while its old connection seems to work loses that one",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.heard();
  REQUIRE(nodes.resumes("ben", 1, nodes.secret("ben", 2)));
  CHECK(nodes.heard() == "ben is replaced");
  REQUIRE(nodes.resumes("ben", 2, nodes.secret("ben", 1)));
  CHECK(nodes.heard() == "ben' is replaced");
}

TEST_CASE("when a member has gone to another node, its former node writes nothing of it any more",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 1, "blue");
  nodes.drops("ben", 1);
  REQUIRE(nodes.resumes("ben", 2, nodes.secret("ben", 1)));
  CHECK(nodes.written(1) == "ann");
  CHECK(nodes.written(2) == "ben");
  REQUIRE(nodes.resumes("ben", 1, nodes.secret("ben", 2)));
  CHECK(nodes.written(1).size() == std::string("ann ben").size());
  CHECK(nodes.written(2).empty());
  nodes.heard();
  nodes.says("ann", 1, "blue", "hello");
  CHECK(nodes.heard() == "ben': ann to blue hello");
}

TEST_CASE("that a member is over on its former node says nothing to those who have lost its present one",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  REQUIRE(nodes.resumes("ben", 3, nodes.secret("ben", 2)));
  const std::uint64_t version = nodes.hub(3).cluster().presences().front().version;
  nodes.is_lost(3);
  nodes.heard();
  Presence over;
  over.id = nodes.id("ben");
  over.version = version;
  nodes.hub(1).cluster().update(2, over, nodes.out(1));
  CHECK(nodes.heard().empty());
  CHECK(nodes.resumes("ben", 1, nodes.secret("ben", 3)));
}

TEST_CASE("messages to a member that moves arrive once and in order, whenever each node learns of the move",
          "[signaling][cluster]") {
  Nodes nodes;
  for (const char* name : {"ann", "amy"}) nodes.enters(name, 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.enters("cid", 3, "blue");
  const std::string secret = nodes.secret("ann", 1);
  nodes.drops("ann", 1);
  nodes.tells("cid", 3, "ann", "1");
  nodes.hears_nothing(3);
  nodes.hears_nothing(1);
  REQUIRE(nodes.resumes("ann", 2, secret));
  nodes.heard();
  nodes.tells("cid", 3, "ann", "2");  // to her former node, where she is no more
  nodes.says("cid", 3, "blue", "3");
  nodes.tells("amy", 1, "ann", "a");
  nodes.hears_again(3);
  nodes.heard();
  nodes.tells("cid", 3, "ann", "4");  // to her new one
  nodes.says("ben", 2, "blue", "b");
  const std::string cid_of_ben = nodes.heard();
  CHECK(cid_of_ben == "cid: ben to blue b");
  nodes.hears_again(1);
  CHECK(nodes.heard() ==
        "amy: cid to blue 3; amy: ben to blue b; "
        "ann': cid 1; ann': amy a; ann': cid 2; ann': cid to blue 3; ann': cid 4; ann': ben to blue b");
  nodes.tells("cid", 3, "ann", "5");
  nodes.tells("ben", 2, "ann", "6");
  CHECK(nodes.heard() == "ann': cid 5; ann': ben 6");
}

TEST_CASE("a member that has moved waits two seconds for what its former node has, and not for ever",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.hears_nothing(1);
  REQUIRE(nodes.resumes("ann", 2, nodes.secret("ann", 1)));
  nodes.heard();
  nodes.tells("ben", 2, "ann", "1");
  nodes.advance(1900ms);
  CHECK(nodes.heard().empty());
  nodes.advance(100ms);
  CHECK(nodes.heard() == "ann': ben 1");
  nodes.tells("ben", 2, "ann", "2");
  CHECK(nodes.heard() == "ann': ben 2");
}

TEST_CASE("the number of messages that wait for a moved member is limited", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  for (const auto& [text, most] :
       {std::pair(std::string("x"), Membership::kMaxHeld),
        std::pair(std::string(Membership::kMaxHeldBytes / 4, 'x'), std::size_t{4})}) {
    nodes.hears_nothing(1);
    const NodeNumber at = nodes.hub(2).cluster().node_of(nodes.id("ann")) == kThisNode ? 2 : 1;
    if (at == 2) {
      nodes.hears_again(1);
      REQUIRE(nodes.resumes("ann", 1, nodes.secret("ann", 2)));
      nodes.hears_nothing(1);
    }
    REQUIRE(nodes.resumes("ann", 2, nodes.secret("ann", 1)));
    nodes.heard();
    for (std::size_t i = 0; i < most; ++i) nodes.tells("ben", 2, "ann", text);
    CHECK(nodes.out(2).deliveries.empty());
    nodes.tells("ben", 2, "ann", text);
    CHECK(nodes.out(2).deliveries.size() == most + 1);
  }
}

TEST_CASE("a member that moves again at once takes its waiting messages along", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.hears_nothing(1);
  REQUIRE(nodes.resumes("ann", 2, nodes.secret("ann", 1)));
  nodes.tells("ben", 2, "ann", "1");
  nodes.heard();
  REQUIRE(nodes.resumes("ann", 3, nodes.secret("ann", 2)));
  nodes.tells("ben", 2, "ann", "2");
  nodes.hears_again(1);
  CHECK(nodes.heard().find("ann': ben 1; ann': ben 2") != std::string::npos);
}

TEST_CASE("a member that moves twice gets what its first node still has, and what that still hears",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("amy", 1, "blue");
  nodes.enters("cid", 3, "blue");
  const std::string secret = nodes.secret("ann", 1);
  nodes.drops("ann", 1);
  nodes.hears_nothing(1);
  nodes.tells("cid", 3, "ann", "1");  // on its way to her first node
  REQUIRE(nodes.resumes("ann", 2, secret));
  REQUIRE(nodes.resumes("ann", 3, secret));
  nodes.tells("amy", 1, "ann", "2");  // which knows of neither move
  nodes.heard();
  nodes.hears_again(1);
  nodes.tells("amy", 1, "ann", "3");
  const std::string heard = nodes.heard();
  CHECK(heard.find("ann': amy 2") != std::string::npos);
  CHECK(heard.find("ann': cid 1") != std::string::npos);
  CHECK(heard.find("ann': amy 3") != std::string::npos);
}

TEST_CASE("a member stays where it came last, though the nodes have not heard of each other when it came",
          "[signaling][cluster]") {
  const std::pair<NodeNumber, NodeNumber> moves[] = {{3, 2}, {2, 3}, {2, 1}, {3, 1}};
  for (const auto& [first, last] : moves) {
    Nodes nodes;
    nodes.enters("ann", 1, "blue");
    nodes.enters("amy", 1, "blue");
    const std::string secret = nodes.secret("ann", 1);
    nodes.drops("ann", 1);
    nodes.hears_nothing(last);
    REQUIRE(nodes.resumes("ann", first, secret));
    nodes.advance(10ms);
    REQUIRE(nodes.resumes("ann", last, secret));
    nodes.heard();
    nodes.hears_again(last);
    CAPTURE(first, last);
    CHECK(nodes.hub(last).cluster().node_of(nodes.id("ann")) == kThisNode);
    CHECK(nodes.hub(first).cluster().node_of(nodes.id("ann")) == last);
    nodes.heard();
    nodes.tells("amy", 1, "ann", "here");
    nodes.advance(2s);
    CHECK(nodes.heard() == "ann': amy here");
  }
}

TEST_CASE("what is sent on and on ends", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  const auto event = std::make_shared<Event>();
  event->kind = Event::Kind::signal;
  Outgoing message{.to = {nodes.id("ben")}, .event = event, .forwarded = HubCluster::kMaxForwards - 1};
  nodes.hub(1).cluster().receive(message, nodes.out(1));
  REQUIRE(nodes.hub(1).cluster().take_outgoing().at(0).forwarded == HubCluster::kMaxForwards);
  message.forwarded = HubCluster::kMaxForwards;
  nodes.hub(1).cluster().receive(message, nodes.out(1));
  CHECK(nodes.hub(1).cluster().take_outgoing().empty());
}

TEST_CASE("those who join at different nodes at once may be more than the limit, and stay",
          "[signaling][cluster]") {
  Nodes nodes({.members_per_room = 2});
  nodes.enters("ann", 1, "blue");
  const auto join = [&](NodeNumber at, const char* name) {
    const MemberId id = nodes.hub(at).add_member({.connection = 90 + at,
                                                  .address = address("198.51.100.3"),
                                                  .name = name,
                                                  .role = {},
                                                  .quota_user = {}});
    return nodes.hub(at).join(id, "blue", nodes.out(at)).has_value();
  };
  CHECK(join(2, "ben"));
  CHECK(join(3, "cid"));        // whose node has not heard of Ben yet
  CHECK_FALSE(join(2, "dan"));  // a node counts those whom it knows, and its own at once
  nodes.advance(0s);
  CHECK(nodes.out(1).deliveries.size() == 2);
  CHECK(nodes.out(1).deliveries.back().event->present == 3);
  for (const NodeNumber at : {1, 2, 3}) {
    CHECK(nodes.room(at, "blue").size() == std::string("ann ben cid").size());
    CHECK_FALSE(join(at, "eve"));
  }
}

TEST_CASE("a member of a lost node that has missed too much is forgotten on all nodes",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.enters("cid", 3, "blue");
  const std::string secret = nodes.secret("ann", 1);
  nodes.dies(1);
  nodes.heard();
  nodes.hub(2).cluster().give_up(nodes.id("ann"), nodes.out(2));
  nodes.advance(0s);
  CHECK(nodes.heard() == "ben: ann lost blue (2); cid: ann lost blue (2)");
  CHECK_FALSE(nodes.resumes("ann", 2, secret));
  CHECK_FALSE(nodes.resumes("ann", 3, secret));
}

TEST_CASE("a message that is too large for the way between nodes is refused, unless it stays on this node",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("amy", 1, "blue");
  const std::string most(Hub::kMaxShared, 'x');
  const auto tells = [&](const std::string& to, const std::string& text) {
    return nodes.hub(1).signal(nodes.id("ann"), nodes.id(to), text, nodes.out(1));
  };
  const auto says = [&](const std::string& text) {
    return nodes.hub(1).broadcast(nodes.id("ann"), "blue", text, nodes.out(1));
  };
  CHECK_FALSE(says(most + "x"));
  nodes.enters("ben", 2, "blue");
  CHECK(says(most + "x") == Refusal::too_large);
  CHECK(tells("ben", most + "x") == Refusal::too_large);
  CHECK_FALSE(tells("amy", most + "x"));
  CHECK_FALSE(tells("ben", most));
  CHECK_FALSE(says(most));
}

TEST_CASE("a member that was reported as lost is reported as back when it comes back to another node",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.heard();
  nodes.drops("ben", 2);
  nodes.advance(4s);
  CHECK(nodes.heard() == "ann: ben lost blue (1)");
  REQUIRE(nodes.resumes("ben", 3, nodes.secret("ben", 2)));
  CHECK(nodes.heard() == "ann: ben joined blue (2)");
}

TEST_CASE(
    "of a node that died those come back unnoticed who come in time, and the others are told to be lost",
    "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.enters("cid", 2, "blue");
  const std::string bens = nodes.secret("ben", 2);
  const std::string cids = nodes.secret("cid", 2);
  nodes.heard();
  nodes.dies(2);
  nodes.tells("ann", 1, "ben", "are you there?");
  CHECK(nodes.undelivered() == "ben: are you there?");
  REQUIRE(nodes.resumes("ben", 3, bens));
  CHECK(nodes.heard().empty());
  nodes.is_lost(2);
  CHECK(nodes.heard() == "ann: cid lost blue (2); ben': cid lost blue (2)");
  nodes.advance(60s);
  REQUIRE(nodes.resumes("cid", 1, cids));
  CHECK(nodes.heard() == "ann: cid joined blue (3); ben': cid joined blue (3)");
}

TEST_CASE("members of a node that died are forgotten after two minutes", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  const std::string secret = nodes.secret("ben", 2);
  nodes.dies(2);
  nodes.is_lost(2);
  nodes.advance(2min);
  CHECK_FALSE(nodes.resumes("ben", 3, secret));
}

TEST_CASE("a node that was wrongly taken for lost is there again with its members, unchanged",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.heard();
  nodes.hub(1).cluster().on_node_gone(2, nodes.now(), nodes.out(1));
  CHECK(nodes.heard() == "ann: ben lost blue (1)");
  nodes.hub(1).cluster().replace(2, nodes.hub(2).cluster().presences(), nodes.out(1));
  CHECK(nodes.heard() == "ann: ben joined blue (2)");
  nodes.advance(3min);
  CHECK(nodes.heard().empty());
  CHECK(nodes.room(1, "blue") == "ann ben");
}

TEST_CASE("nobody comes back from a node that died by a token that was revoked meanwhile",
          "[signaling][cluster]") {
  Nodes nodes;
  auth::Revocations revocations;
  nodes.hub(3).set_revocations(revocations);
  for (const char* name : {"ann", "ben", "cid"}) nodes.enters(name, 2, "blue");
  std::map<std::string, std::string> secrets;
  for (const char* name : {"ann", "ben", "cid"}) secrets[name] = nodes.secret(name, 2);
  nodes.dies(2);
  const WallTime now = nodes.now().wall;
  const auto revoke = [&](auth::Revocation::Kind kind, const std::string& name, WallTime since) {
    const auth::Revocation revocation{kind, name, since, now + 1h};
    revocations.add(revocation, now);
    nodes.hub(3).remove_holders(revocation, nodes.out(3));
  };
  revoke(auth::Revocation::Kind::token, "ann's token", now);
  revoke(auth::Revocation::Kind::subject, "ben", now);
  revoke(auth::Revocation::Kind::subject, "cid", now - 1s);  // whose token was issued later
  CHECK_FALSE(nodes.resumes("ann", 3, secrets["ann"]));
  CHECK_FALSE(nodes.resumes("ben", 3, secrets["ben"]));
  CHECK(nodes.resumes("cid", 3, secrets["cid"]));
  nodes.is_lost(2);
  CHECK_FALSE(nodes.resumes("ann", 3, secrets["ann"]));
}

TEST_CASE("a member comes back to another node with the time until which its token is good",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  const WallTime good_until = nodes.now().wall + 1h;
  nodes.hub(1).renew_token(nodes.id("ann"), "ann", good_until, "ann's token", nodes.now().wall);
  nodes.advance(0s);
  const auto resumed =
      nodes.hub(2).resume(nodes.secret("ann", 1), 99, address("198.51.100.2"), nodes.now(), nodes.out(2));
  REQUIRE(resumed.has_value());
  CHECK(resumed->good_until == good_until);
}

TEST_CASE("a member hears nothing more of a room that it has left, though other nodes do not know it yet",
          "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  REQUIRE(nodes.hub(2).join(nodes.id("ben"), "green", nodes.out(2)).has_value());
  nodes.advance(0s);
  nodes.hears_nothing(1);
  REQUIRE(nodes.hub(2).leave(nodes.id("ben"), "blue", nodes.out(2)));
  nodes.heard();
  nodes.says("ann", 1, "blue", "are you there?");
  nodes.tells("ann", 1, "ben", "and here?");
  CHECK(nodes.heard() == "ben: ann and here?");
}

TEST_CASE("the secret of another cluster, or of another member, is not accepted", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  std::string secret = nodes.secret("ben", 2);
  const std::string of_ann = nodes.secret("ann", 1);
  secret.replace(22, 22, of_ann.substr(22));
  CHECK_FALSE(nodes.resumes("ben", 3, secret));
}

TEST_CASE("a snapshot of a node takes the place of what was known of it", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  nodes.enters("cid", 2, "blue");
  nodes.heard();
  std::vector<Presence> snapshot = nodes.hub(2).cluster().presences();
  std::erase_if(snapshot, [&](const Presence& one) { return one.id == nodes.id("ben"); });
  nodes.hub(1).cluster().replace(2, snapshot, nodes.out(1));
  CHECK(nodes.heard() == "ann: ben left blue (2)");
  nodes.hub(1).cluster().replace(2, snapshot, nodes.out(1));
  CHECK(nodes.heard().empty());
}

TEST_CASE("what is older than what is known of a member changes nothing", "[signaling][cluster]") {
  Nodes nodes;
  nodes.enters("ann", 1, "blue");
  nodes.enters("ben", 2, "blue");
  const std::vector<Presence> before = nodes.hub(2).cluster().presences();
  nodes.drops("ben", 2, true);
  nodes.heard();
  for (const Presence& presence : before) nodes.hub(1).cluster().update(2, presence, nodes.out(1));
  CHECK(nodes.heard().empty());
}

}  // namespace
}  // namespace turnpike::signaling
