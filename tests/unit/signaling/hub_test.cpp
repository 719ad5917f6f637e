#include "turnpike/signaling/hub.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"

namespace turnpike::signaling {
namespace {

using namespace std::chrono_literals;
using namespace test;

// A hub whose members have names. Events are in heard(), as "bob: ann joined blue".
class Meeting {
 public:
  explicit Meeting(const Limits& limits = {}) : hub_(limits, random_) {}

  Meeting& enters(const std::string& name, std::string_view from = "198.51.100.1", std::string role = {}) {
    const ConnectionId connection = next_connection_++;
    lines_[connection] = name;
    ids_[name] = hub_.add_member({.connection = connection,
                                  .address = address(from),
                                  .name = name,
                                  .role = std::move(role),
                                  .quota_user = name + "'s quota"});
    return *this;
  }
  // Enters with a token.
  Meeting& enters_by(const std::string& name, const std::string& subject, const std::string& token,
                     std::optional<WallTime> issued) {
    const ConnectionId connection = next_connection_++;
    lines_[connection] = name;
    ids_[name] = hub_.add_member({.connection = connection,
                                  .address = address("198.51.100.1"),
                                  .name = name,
                                  .role = {},
                                  .quota_user = subject,
                                  .token_id = token,
                                  .issued = issued});
    return *this;
  }
  // Returns the connections of those removed, and after a slash the users whose credentials are refused.
  std::string revokes(auth::Revocation::Kind kind, const std::string& name, WallTime since) {
    Hub::Revoked revoked = hub_.remove_holders({kind, name, since, since + 1h}, out_);
    std::vector<std::string> lines;
    for (const ConnectionId connection : revoked.connections) lines.push_back(lines_.at(connection));
    std::ranges::sort(lines);
    std::ranges::sort(revoked.quota_users);
    std::string all;
    for (const std::string& line : lines) all += line + ' ';
    all += '/';
    for (const std::string& user : revoked.quota_users) all += ' ' + user;
    return all;
  }
  // Returns the names of those in the room, or why the member may not join.
  std::string joins(const std::string& name, std::string_view room) {
    const auto result = hub_.join(ids_[name], room, out_);
    return result ? names(*result) : std::string(code_of(result.error()));
  }
  // Lets all of them join, each under its name, and takes the events until now.
  Meeting& gather(std::string_view room, std::initializer_list<std::string> who) {
    for (const std::string& name : who) {
      if (!ids_.contains(name)) enters(name);
      const auto result = hub_.join(ids_[name], room, out_);
      REQUIRE(result.has_value());
    }
    out_.clear();
    return *this;
  }
  bool leaves(const std::string& name, std::string_view room) { return hub_.leave(ids_[name], room, out_); }
  void removed(const std::string& name) { hub_.remove(ids_[name], out_); }
  std::string signals(const std::string& from, const std::string& to, std::string_view payload) {
    const auto refusal = hub_.signal(ids_[from], ids_[to], payload, out_);
    return refusal ? std::string(code_of(*refusal)) : "";
  }
  std::string broadcasts(const std::string& from, std::string_view room, std::string_view payload) {
    const auto refusal = hub_.broadcast(ids_[from], room, payload, out_);
    return refusal ? std::string(code_of(*refusal)) : "";
  }
  void drops(const std::string& name) { hub_.disconnect(ids_[name], false, clock_.now(), out_); }
  void says_goodbye(const std::string& name) { hub_.disconnect(ids_[name], true, clock_.now(), out_); }
  // Resumes on a connection called NAME'. Returns the rooms, or why this is not possible.
  std::string resumes(const std::string& name) { return resumes_with(name, secret(name)); }
  std::string resumes_with(const std::string& name, std::string_view secret) {
    const ConnectionId connection = next_connection_++;
    const auto result = hub_.resume(secret, connection, address("198.51.100.1"), clock_.now(), out_);
    if (!result) return std::string(code_of(result.error()));
    lines_[connection] = name + "'";
    CHECK(result->id == ids_[name]);
    CHECK(result->quota_user == name + "'s quota");
    replaced_ = result->replaced == 0 ? "" : lines_.at(result->replaced);
    std::string rooms;
    for (const std::string& room : result->rooms) rooms += (rooms.empty() ? "" : " ") + room;
    return rooms;
  }
  std::string secret(const std::string& name) const { return hub_.resume_secret(ids_.at(name)); }
  // Returns the former connection of the last member that has resumed.
  const std::string& replaced() const { return replaced_; }
  std::string peers(const std::string& name, std::string_view room) {
    return names(hub_.peers_of(ids_[name], room));
  }

  // Lets time pass, and calls the hub at each of its deadlines.
  Meeting& advance(Duration duration) {
    const SteadyTime until = clock_.now().steady + duration;
    for (SteadyTime next = hub_.next_deadline(); next <= until; next = hub_.next_deadline()) {
      clock_.advance(std::max(next - clock_.now().steady, Duration::zero()));
      hub_.on_timeout(clock_.now(), out_);
      REQUIRE(hub_.next_deadline() > clock_.now().steady);
    }
    clock_.advance(until - clock_.now().steady);
    return *this;
  }
  // Lets time pass, and calls the hub only at the end.
  Meeting& oversleep(Duration duration) {
    clock_.advance(duration);
    hub_.on_timeout(clock_.now(), out_);
    return *this;
  }

  std::string heard() {
    std::string all;
    for (const Delivery& delivery : out_.deliveries)
      all += (all.empty() ? "" : "; ") + lines_.at(delivery.to) + ": " + told(*delivery.event);
    out_.clear();
    return all;
  }
  Hub& hub() { return hub_; }
  const Hub::Output& out() const { return out_; }
  TimePoint now() const { return clock_.now(); }
  MemberId id(const std::string& name) { return ids_[name]; }

 private:
  static std::string names(const std::vector<Hub::Peer>& peers) {
    std::string all;
    for (const Hub::Peer& peer : peers)
      all += (all.empty() ? "" : " ") + peer.name + (peer.role.empty() ? "" : "=" + peer.role);
    return all;
  }
  std::string told(const Event& event) const {
    CHECK(ids_.at(event.name) == event.from);
    switch (event.kind) {
      case Event::Kind::peer_joined:
        return event.name + " joined " + event.room + (event.role.empty() ? "" : " as " + event.role);
      case Event::Kind::peer_left: return event.name + (event.lost ? " lost " : " left ") + event.room;
      case Event::Kind::peer_renamed: return "now " + event.name;
      case Event::Kind::signal: return event.room + event.name + " " + event.message.payload;
      case Event::Kind::broadcast: return event.name + " to " + event.room + " " + event.message.payload;
    }
    return "?";
  }

  ScriptedRandom random_;
  ManualClock clock_;
  Hub hub_;
  Hub::Output out_;
  std::map<std::string, MemberId> ids_;
  std::map<ConnectionId, std::string> lines_;
  ConnectionId next_connection_ = 1;
  std::string replaced_;
};

// --- Coming and going
TEST_CASE("who comes and goes is told to the others of the room", "[signaling]") {
  Meeting m;
  m.enters("ann").enters("bob").enters("carl").enters("dora");
  CHECK(m.joins("ann", "blue").empty());
  CHECK(m.heard().empty());
  CHECK(m.joins("dora", "red").empty());
  CHECK(m.joins("bob", "blue") == "ann");
  CHECK(m.heard() == "ann: bob joined blue");
  CHECK(m.joins("carl", "blue") == "ann bob");
  CHECK(m.heard() == "ann: carl joined blue; bob: carl joined blue");
  CHECK(m.peers("bob", "blue") == "ann carl");
  CHECK(m.peers("dora", "red").empty());
  CHECK(m.leaves("ann", "blue"));
  CHECK(m.heard() == "bob: ann left blue; carl: ann left blue");
  CHECK(m.peers("bob", "blue") == "carl");
  m.removed("carl");
  CHECK(m.heard() == "bob: carl left blue");
  CHECK(m.hub().members() == 3);
  CHECK(m.hub().rooms() == 2);
  CHECK(m.leaves("bob", "blue"));
  CHECK(m.heard().empty());
  CHECK(m.hub().rooms() == 1);
  CHECK(m.joins("ann", "blue").empty());
}

TEST_CASE("a role is shown with the name", "[signaling]") {
  Meeting m;
  m.enters("ann", "198.51.100.1", "host").enters("bob");
  m.joins("bob", "blue");
  m.joins("ann", "blue");
  CHECK(m.heard() == "bob: ann joined blue as host");
  CHECK(m.peers("bob", "blue") == "ann=host");
  m.drops("ann");
  m.advance(3s);
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.heard() == "bob: ann lost blue; bob: ann joined blue as host");
}

TEST_CASE("joining a room twice changes nothing", "[signaling]") {
  Meeting m({.members_per_room = 2, .rooms_per_member = 1});
  m.gather("blue", {"ann", "bob"});
  CHECK(m.joins("ann", "blue") == "bob");
  CHECK(m.heard().empty());
  CHECK(m.leaves("ann", "blue"));
  CHECK(m.heard() == "bob: ann left blue");
  CHECK_FALSE(m.leaves("ann", "blue"));
  CHECK(m.heard().empty());
}

TEST_CASE("what nobody is part of cannot be left", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann"}).gather("red", {"bob"});
  CHECK_FALSE(m.leaves("ann", "red"));
  CHECK_FALSE(m.leaves("ann", "green"));
  CHECK_FALSE(m.leaves("nobody", "blue"));
  CHECK(m.joins("nobody", "blue") == "not-joined");
  m.removed("nobody");
  m.drops("nobody");
  m.says_goodbye("nobody");
  CHECK(m.hub().resume_secret(MemberId()).empty());
  CHECK(m.heard().empty());
  CHECK(m.hub().members() == 2);
  CHECK(m.hub().next_deadline() == SteadyTime::max());
}

TEST_CASE("names of rooms are compared octet by octet", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann"}).enters("bob");
  for (const std::string room : {"Blue", "blue ", " blue", "blu", "blue\u0301"}) {
    CAPTURE(room);
    CHECK(m.joins("bob", room).empty());
  }
  CHECK(m.hub().rooms() == 6);
}

// --- What members say
TEST_CASE("a signal goes to one member of a room that both are in", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl"}).gather("red", {"dora", "carl"}).enters("eve");
  CHECK(m.signals("ann", "bob", R"({"sdp": 1.0})").empty());
  CHECK(m.heard() == R"(bob: ann {"sdp": 1.0})");
  CHECK(m.signals("carl", "ann", "1").empty());
  CHECK(m.signals("carl", "dora", "2").empty());
  CHECK(m.heard() == "ann: carl 1; dora: carl 2");
  CHECK(m.signals("ann", "dora", "x") == "no-such-peer");    // of another room
  CHECK(m.signals("ann", "ann", "x") == "no-such-peer");     // itself
  CHECK(m.signals("ann", "eve", "x") == "no-such-peer");     // in no room
  CHECK(m.signals("ann", "nobody", "x") == "no-such-peer");  // unknown
  CHECK(m.signals("eve", "ann", "x") == "not-joined");
  CHECK(m.signals("nobody", "ann", "x") == "not-joined");
  m.leaves("bob", "blue");
  m.heard();
  CHECK(m.signals("ann", "bob", "x") == "no-such-peer");
  CHECK(m.signals("bob", "ann", "x") == "not-joined");
  m.removed("carl");
  m.heard();
  CHECK(m.signals("ann", "carl", "x") == "no-such-peer");
  CHECK(m.heard().empty());
}

TEST_CASE("a broadcast goes to everybody else in the room", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl"}).gather("red", {"dora", "carl"}).enters("eve");
  CHECK(m.broadcasts("ann", "blue", "1").empty());
  CHECK(m.heard() == "bob: ann to blue 1; carl: ann to blue 1");
  CHECK(m.broadcasts("carl", "red", "[2]").empty());
  CHECK(m.heard() == "dora: carl to red [2]");
  CHECK(m.broadcasts("ann", "red", "x") == "not-joined");
  CHECK(m.broadcasts("ann", "green", "x") == "not-joined");
  CHECK(m.broadcasts("eve", "blue", "x") == "not-joined");
  CHECK(m.broadcasts("nobody", "blue", "x") == "not-joined");
  CHECK(m.heard().empty());
  m.broadcasts("ann", "blue", "1");
  REQUIRE(m.out().deliveries.size() == 2);
  CHECK(m.out().deliveries[0].event == m.out().deliveries[1].event);  // one for both
}

// --- Limits
TEST_CASE("a room has a limit of members, and a member that leaves frees a place", "[signaling]") {
  Meeting m({.members_per_room = 2});
  m.gather("blue", {"ann", "bob"}).enters("carl");
  CHECK(m.joins("carl", "blue") == "room-full");
  CHECK(m.heard().empty());
  CHECK(m.joins("carl", "red").empty());
  m.leaves("ann", "blue");
  m.heard();
  CHECK(m.joins("carl", "blue") == "bob");
  CHECK(m.heard() == "bob: carl joined blue");
  CHECK(m.joins("ann", "blue") == "room-full");
}

TEST_CASE("a member that is cut off keeps its place until somebody notices", "[signaling]") {
  Meeting m({.members_per_room = 2});
  m.gather("blue", {"ann", "bob"}).enters("carl");
  m.drops("ann");
  m.advance(2999ms);
  CHECK(m.joins("carl", "blue") == "room-full");
  m.advance(1ms);
  CHECK(m.joins("carl", "blue") == "bob");
}

TEST_CASE("nobody comes back to a place that was taken", "[signaling]") {
  Meeting m({.members_per_room = 2});
  m.gather("blue", {"ann", "bob"}).enters("carl");
  m.says_goodbye("ann");
  CHECK(m.joins("carl", "blue") == "bob");
  m.heard();
  CHECK(m.resumes("ann") == "room-full");
  CHECK(m.heard().empty());
  CHECK(m.peers("bob", "blue") == "carl");
  m.broadcasts("bob", "blue", "1");
  m.leaves("carl", "blue");
  m.heard();
  CHECK(m.resumes("ann") == "blue");  // now there is one
  CHECK(m.heard() == "bob: ann joined blue; ann': bob to blue 1");
}

TEST_CASE("a member has a limit of rooms", "[signaling]") {
  Meeting m({.rooms_per_member = 2});
  m.gather("blue", {"ann", "bob"}).gather("red", {"ann"});
  CHECK(m.joins("ann", "green") == "too-many-rooms");
  CHECK(m.hub().rooms() == 2);
  CHECK(m.joins("bob", "green").empty());
  CHECK(m.joins("ann", "green") == "too-many-rooms");
  m.leaves("ann", "red");
  CHECK(m.joins("ann", "green") == "bob");
}

TEST_CASE("an address has a limit of rooms, and empty rooms do not count", "[signaling]") {
  Meeting m({.rooms_per_address = 2});
  m.enters("ann", "198.51.100.1").enters("bob", "198.51.100.1").enters("carl", "198.51.100.2");
  m.enters("dora", "2001:db8::1");
  CHECK(m.joins("ann", "blue").empty());
  CHECK(m.joins("bob", "red").empty());
  CHECK(m.joins("ann", "green") == "too-many-rooms");
  CHECK(m.joins("bob", "green") == "too-many-rooms");
  CHECK(m.joins("bob", "blue") == "ann");  // it is there already
  CHECK(m.joins("carl", "green").empty());
  CHECK(m.joins("dora", "white").empty());
  CHECK(m.joins("ann", "green") == "carl");
  // A room counts while somebody is in it, even after the member that opened it has left.
  CHECK(m.joins("carl", "blue") == "ann bob");
  m.leaves("ann", "blue");
  m.leaves("bob", "blue");
  CHECK(m.joins("ann", "black") == "too-many-rooms");
  m.leaves("carl", "blue");
  CHECK(m.joins("ann", "black").empty());
  CHECK(m.joins("bob", "grey") == "too-many-rooms");
  m.removed("bob");  // and with it the room red
  CHECK(m.joins("ann", "grey").empty());
}

TEST_CASE("a room refused is not counted", "[signaling]") {
  Meeting m({.members_per_room = 1, .rooms_per_member = 1, .rooms_per_address = 1});
  m.enters("ann").enters("bob");
  for (int i = 0; i < 3; ++i) {
    CHECK(m.joins("ann", "blue").empty());
    CHECK(m.joins("ann", "red") == "too-many-rooms");
    CHECK(m.joins("bob", "red") == "too-many-rooms");
    CHECK(m.joins("bob", "blue") == "room-full");
    CHECK(m.leaves("ann", "blue"));
    CHECK(m.hub().rooms() == 0);
  }
}

TEST_CASE("a member that is forgotten no longer counts for its rooms", "[signaling]") {
  Meeting m({.rooms_per_address = 1});
  m.gather("blue", {"ann"}).enters("bob");
  m.says_goodbye("ann");
  m.advance(2min - 1ms);
  CHECK(m.joins("bob", "red") == "too-many-rooms");
  m.advance(1ms);
  CHECK(m.hub().rooms() == 0);
  CHECK(m.joins("bob", "red").empty());
}

TEST_CASE("limits of 0 mean no limits", "[signaling]") {
  Meeting m({.members_per_room = 0,
             .rooms_per_member = 0,
             .rooms_per_address = 0,
             .missed_messages = 0,
             .missed_bytes = 0});
  for (int i = 0; i < 200; ++i) {
    const std::string name = "member " + std::to_string(i);
    m.gather("blue", {name});
    m.gather("room " + std::to_string(i), {"ann", name});
  }
  CHECK(m.hub().members() == 201);
  CHECK(m.hub().rooms() == 201);
  m.drops("ann");
  for (int i = 0; i < 1000; ++i) CHECK(m.signals("member 7", "ann", std::string(1000, '1')).empty());
  m.advance(1s);
  CHECK(m.resumes("ann").size() > 200);
  CHECK(m.out().deliveries.size() == 1000);
}

// --- Lost connections
TEST_CASE("a loss is not reported for three seconds", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl"});
  m.drops("ann");
  CHECK(m.heard().empty());
  CHECK(m.hub().next_deadline() == m.now().steady + 3s);
  m.advance(2999ms);
  CHECK(m.heard().empty());
  CHECK(m.peers("bob", "blue") == "ann carl");
  m.advance(1ms);
  CHECK(m.heard() == "bob: ann lost blue; carl: ann lost blue");
  CHECK(m.peers("bob", "blue") == "carl");
  m.advance(2min - 3s - 1ms);
  CHECK(m.hub().members() == 3);
  m.advance(1ms);
  CHECK(m.hub().members() == 2);
  CHECK(m.heard().empty());  // they know
  CHECK(m.hub().next_deadline() == SteadyTime::max());
}

TEST_CASE("a goodbye is told at once", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"});
  m.says_goodbye("ann");
  CHECK(m.heard() == "bob: ann left blue");
  CHECK(m.peers("bob", "blue").empty());
  m.advance(2min - 1ms);
  CHECK(m.hub().members() == 2);
  m.advance(1ms);
  CHECK(m.heard().empty());
  CHECK(m.hub().members() == 1);
}

TEST_CASE("a loss is told in every room, once", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"}).gather("red", {"ann", "carl"});
  m.drops("ann");
  m.drops("ann");
  m.says_goodbye("ann");  // it has no connection to say so on
  CHECK(m.heard().empty());
  m.advance(3s);
  CHECK(m.heard() == "bob: ann lost blue; carl: ann lost red");
  CHECK(m.resumes("ann") == "blue red");
  CHECK(m.heard() == "bob: ann joined blue; carl: ann joined red");
  m.says_goodbye("ann");
  CHECK(m.heard() == "bob: ann left blue; carl: ann left red");
}

TEST_CASE("a hub that is woken late still reports a loss", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"});
  m.drops("ann");
  m.oversleep(5min);
  CHECK(m.heard() == "bob: ann lost blue");
  CHECK(m.hub().members() == 1);
  CHECK(m.hub().next_deadline() == SteadyTime::max());
}

TEST_CASE("a member in no room may come back too", "[signaling]") {
  Meeting m;
  m.enters("ann").enters("bob");
  const std::string secret = m.secret("ann");
  m.drops("ann");
  m.says_goodbye("bob");
  CHECK(m.heard().empty());
  CHECK(m.resumes_with("ann", secret).empty());
  m.drops("ann");
  m.oversleep(3min);
  CHECK(m.hub().members() == 0);
  CHECK(m.hub().next_deadline() == SteadyTime::max());
  CHECK(m.resumes_with("ann", secret) == "resume-unknown");
}

TEST_CASE("a member that is cut off can be removed and taken out of rooms", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl"});
  m.drops("ann");
  m.removed("ann");
  CHECK(m.heard() == "bob: ann left blue; carl: ann left blue");
  m.says_goodbye("bob");
  CHECK(m.heard() == "carl: bob left blue");
  m.removed("bob");
  CHECK(m.heard().empty());
  CHECK(m.hub().next_deadline() == SteadyTime::max());
  m.advance(2min);
  CHECK(m.hub().members() == 1);
}

TEST_CASE("each of several lost members has its own deadlines", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl", "dora"});
  m.drops("ann");
  m.advance(1s);
  m.drops("bob");
  m.drops("carl");
  m.advance(1s);
  CHECK(m.resumes("bob") == "blue");
  m.advance(1s);
  CHECK(m.heard() == "bob': ann lost blue; dora: ann lost blue");
  m.advance(1s);
  CHECK(m.heard() == "bob': carl lost blue; dora: carl lost blue");
  m.advance(2min - 4s);
  CHECK(m.hub().members() == 3);
  m.advance(1s);
  CHECK(m.hub().members() == 2);
}

// --- Coming back
TEST_CASE("a member that comes back in time was never away for the others", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl"});
  m.drops("ann");
  CHECK(m.signals("bob", "ann", "1").empty());
  CHECK(m.broadcasts("carl", "blue", "2.0").empty());
  CHECK(m.signals("carl", "ann", "3").empty());
  CHECK(m.heard() == "bob: carl to blue 2.0");
  m.advance(2999ms);
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.replaced().empty());
  CHECK(m.heard() == "ann': bob 1; ann': carl to blue 2.0; ann': carl 3");
  CHECK(m.hub().next_deadline() == SteadyTime::max());
  m.advance(3min);
  CHECK(m.heard().empty());
  CHECK(m.signals("bob", "ann", "4").empty());
  CHECK(m.heard() == "ann': bob 4");
}

TEST_CASE("a member that comes back later joins again as itself, and then gets what it missed",
          "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob", "carl"});
  m.drops("ann");
  m.signals("bob", "ann", "1");
  m.advance(3s);
  CHECK(m.heard() == "bob: ann lost blue; carl: ann lost blue");
  CHECK(m.signals("bob", "ann", "2").empty());  // a member that has not yet been told may still write
  m.broadcasts("carl", "blue", "3");
  m.heard();
  m.advance(2min - 3s - 1ms);
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.heard() ==
        "bob: ann joined blue; carl: ann joined blue; ann': bob 1; ann': bob 2; ann': carl to blue 3");
  CHECK(m.peers("bob", "blue") == "ann carl");
  // A message that the member has received is not kept.
  m.drops("ann");
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.heard().empty());
}

TEST_CASE("after two minutes a lost member is unknown", "[signaling]") {
  for (const bool clean : {false, true}) {
    CAPTURE(clean);
    Meeting m;
    m.gather("blue", {"ann", "bob"});
    const std::string secret = m.secret("ann");
    clean ? m.says_goodbye("ann") : m.drops("ann");
    m.advance(2min);
    m.heard();
    CHECK(m.resumes_with("ann", secret) == "resume-unknown");
    CHECK(m.heard().empty());
  }
}

TEST_CASE("the two minutes start anew with each loss", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"});
  for (int i = 0; i < 3; ++i) {
    m.drops("ann");
    m.advance(2min - 1ms);
    CHECK(m.resumes("ann") == "blue");
    CHECK(m.heard() == "bob: ann lost blue; bob: ann joined blue");
  }
}

TEST_CASE("a member that closed its connection may come back in the same way", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"});
  m.says_goodbye("ann");
  m.broadcasts("bob", "blue", "1");
  m.heard();
  m.advance(1s);
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.heard() == "bob: ann joined blue; ann': bob to blue 1");
}

TEST_CASE("a member may come back while its old connection still seems to work", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"});
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.replaced() == "ann");
  CHECK(m.heard().empty());
  m.signals("bob", "ann", "1");
  CHECK(m.heard() == "ann': bob 1");
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.replaced() == "ann'");
}

TEST_CASE("who comes and goes is not missed, only what was said", "[signaling]") {
  Meeting m({.missed_messages = 1});
  m.gather("blue", {"ann", "bob", "carl"}).enters("dora");
  m.drops("ann");
  m.joins("dora", "blue");
  m.leaves("carl", "blue");
  m.says_goodbye("bob");
  m.resumes("bob");
  m.signals("bob", "ann", "1");
  m.heard();
  CHECK(m.resumes("ann") == "blue");
  CHECK(m.heard() == "ann': bob 1");
  CHECK(m.peers("ann", "blue") == "bob dora");
}

TEST_CASE("what was missed once is not missed again", "[signaling]") {
  Meeting m({.missed_messages = 3, .missed_bytes = 100});
  m.gather("blue", {"ann", "bob"});
  for (const std::string said : {"1", "2", "3"}) {
    m.drops("ann");
    CHECK(m.broadcasts("bob", "blue", said + std::string(59, '0'))
              .empty());  // two of these are too many octets
    CHECK(m.resumes("ann") == "blue");
    CHECK(m.heard() == "ann': bob to blue " + said + std::string(59, '0'));
  }
}

TEST_CASE("the rooms of a member that came back count for the address where it is now", "[signaling]") {
  Meeting m({.rooms_per_address = 1});
  m.enters("ann", "198.51.100.9").enters("bob", "198.51.100.1");
  m.joins("bob", "red");
  m.drops("ann");
  CHECK(m.resumes("ann").empty());  // at bob's address
  CHECK(m.joins("ann", "blue") == "too-many-rooms");
}

TEST_CASE("a room whose members are all away is in no list of rooms", "[signaling]") {
  Meeting m;
  m.gather("red", {"ann", "bob"}).gather("blue", {"ann"});
  CHECK(m.hub().room_names() == std::vector<std::string>{"blue", "red"});
  m.drops("ann");
  CHECK(m.hub().room_names().size() == 2);  // nobody has noticed it yet
  m.advance(3s);
  CHECK(m.hub().room_names() == std::vector<std::string>{"red"});
  m.resumes("ann");
  CHECK(m.hub().room_names().size() == 2);
}

// --- Revocation
TEST_CASE("who holds what is revoked is removed, and nobody else", "[signaling]") {
  using Kind = auth::Revocation::Kind;
  Meeting m;
  const WallTime now = m.now().wall;
  m.enters_by("early", "ann", "a", now - 1s).enters_by("same", "ann", "b", now);
  m.enters_by("late", "ann", "c", now + 1ms).enters_by("undated", "ann", "d", std::nullopt);
  m.enters_by("away", "ann", "e", now - 1s).enters_by("other", "bob", "f", now - 1s);
  m.gather("blue", {"early", "same", "late", "undated", "away", "other"});
  m.drops("away");
  CHECK(m.revokes(Kind::subject, "bob ann", now) == "/");
  CHECK(m.revokes(Kind::subject, "ann", now) ==
        "early same undated / ann");  // whoever came later has a newer token
  CHECK(m.peers("other", "blue") == "late");
  CHECK(m.resumes("away") == "resume-unknown");
  CHECK(m.revokes(Kind::token, "c", now) == "late / ann");  // whenever it was issued
  CHECK(m.peers("other", "blue").empty());
}

TEST_CASE("a revocation is about the token that a member has now", "[signaling]") {
  using Kind = auth::Revocation::Kind;
  Meeting m;
  const WallTime now = m.now().wall;
  m.enters_by("ann", "ann", "old", now - 1s).gather("blue", {"ann"});
  m.hub().renew_token(m.id("ann"), "ann", std::nullopt, "new", now + 1s);
  CHECK(m.revokes(Kind::token, "old", now) == "/");
  CHECK(m.revokes(Kind::subject, "ann", now) == "/");
  CHECK(m.revokes(Kind::token, "new", now) == "ann / ann");
}

TEST_CASE("only the right secret lets a member come back", "[signaling]") {
  Meeting m;
  m.gather("blue", {"ann", "bob"});
  m.drops("ann");
  const std::string ann = m.secret("ann");
  const std::string bob = m.secret("bob");
  REQUIRE(ann.size() == 44);
  CHECK(ann != bob);
  const std::string id = m.id("ann").to_string();
  std::string padded = ann;
  padded.back() = static_cast<char>(padded.back() + 1);  // a bit that base64 leaves unused
  const std::string wrong[] = {
      "",
      "x",
      id,
      id + id,
      ann.substr(0, 43),
      ann + "A",
      " " + ann,
      ann.substr(0, 22) + bob.substr(22),
      bob.substr(0, 22) + ann.substr(22),
      ann.substr(22) + ann.substr(0, 22),
      std::string(44, 'A'),
      std::string(44, '='),
      std::string(44, '\0'),
      padded,
  };
  for (const std::string& secret : wrong) {
    CAPTURE(secret);
    CHECK(m.resumes_with("ann", secret) == "resume-unknown");
  }
  for (std::size_t at = 0; at < ann.size(); ++at) {
    std::string other = ann;
    other[at] = other[at] == 'Q' ? 'A' : 'Q';
    CHECK(m.resumes_with("ann", other) == "resume-unknown");
  }
  CHECK(m.heard().empty());
  CHECK(m.resumes("ann") == "blue");
  m.removed("ann");
  CHECK(m.resumes_with("ann", ann) == "resume-unknown");
}

// --- Too much to miss
TEST_CASE("a member that has missed too many messages is forgotten", "[signaling]") {
  Meeting m({.missed_messages = 3});
  m.gather("blue", {"ann", "bob"});
  const std::string secret = m.secret("ann");
  m.drops("ann");
  for (const std::string text : {"1", "2", "3"}) CHECK(m.signals("bob", "ann", text).empty());
  SECTION("but for the last that fits") {
    CHECK(m.resumes("ann") == "blue");
    CHECK(m.heard() == "ann': bob 1; ann': bob 2; ann': bob 3");
  }
  SECTION("at once, and it was lost") {
    CHECK(m.signals("bob", "ann", "4").empty());
    CHECK(m.hub().next_deadline() <= m.now().steady);
    CHECK(m.resumes_with("ann", secret) == "resume-unknown");
    m.signals("bob", "ann", "5");
    m.broadcasts("bob", "blue", "6");
    m.advance(0s);
    CHECK(m.heard() == "bob: ann lost blue");
    CHECK(m.hub().members() == 1);
    CHECK(m.hub().next_deadline() == SteadyTime::max());
    CHECK(m.resumes_with("ann", secret) == "resume-unknown");
    CHECK(m.signals("bob", "ann", "7") == "no-such-peer");
  }
  SECTION("also when the others know already") {
    m.advance(3s);
    CHECK(m.heard() == "bob: ann lost blue");
    m.broadcasts("bob", "blue", "4");
    m.advance(0s);
    CHECK(m.heard().empty());
    CHECK(m.hub().members() == 1);
  }
}

TEST_CASE("a member that has missed too many bytes is forgotten", "[signaling]") {
  Meeting m({.missed_bytes = 100});
  m.gather("blue", {"ann", "bob", "carl"});
  m.drops("ann");
  m.signals("bob", "ann", std::string(60, '1'));
  m.broadcasts("bob", "blue", std::string(40, '2'));
  m.heard();
  SECTION("but for the last that fits") {
    CHECK(m.resumes("ann") == "blue");
    CHECK(m.heard() == "ann': bob " + std::string(60, '1') + "; ann': bob to blue " + std::string(40, '2'));
    // The count begins again.
    m.drops("ann");
    m.signals("bob", "ann", std::string(100, '3'));
    CHECK(m.resumes("ann") == "blue");
    CHECK(m.heard() == "ann': bob " + std::string(100, '3'));
  }
  SECTION("at once") {
    m.signals("carl", "ann", "3");
    CHECK(m.resumes("ann") == "resume-unknown");
    m.advance(0s);
    CHECK(m.heard() == "bob: ann lost blue; carl: ann lost blue");
  }
  SECTION("and its room may be closed by that") {
    m.removed("bob");
    m.signals("carl", "ann", "3");
    m.removed("carl");
    m.heard();
    m.advance(0s);
    CHECK(m.hub().members() == 0);
    CHECK(m.hub().rooms() == 0);
  }
}

TEST_CASE("one message may be too much by itself", "[signaling]") {
  Meeting m({.missed_bytes = 100});
  m.gather("blue", {"ann", "bob"});
  m.drops("ann");
  CHECK(m.signals("bob", "ann", std::string(101, '1')).empty());
  CHECK(m.resumes("ann") == "resume-unknown");
  m.advance(2min);
  CHECK(m.hub().members() == 1);
}

}  // namespace
}  // namespace turnpike::signaling
