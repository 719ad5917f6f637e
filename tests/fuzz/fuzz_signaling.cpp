// Fuzzes PlainProtocol on a Hub: the input is a story of several connections, with one line for each step.
// Its first character names the connection, and the second the event: `+` opens the connection, `-` cuts it
// off, `.` closes it normally, and `~` with a number lets that many milliseconds pass (`!` does the same,
// without calling the server). Anything else is a text frame, in which <n> means the id of the member of
// connection n, <rn> its secret to resume, <t> a token, and a vertical tab a line break. After each step,
// what each connection was told of its room must be true.
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <set>
#include <string>

#include "fuzz/expect.hpp"
#include "support/manual_clock.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/signaling/json_slice.hpp"
#include "turnpike/signaling/plain_protocol.hpp"

namespace turnpike::fuzz {
namespace {

using namespace std::chrono_literals;
using namespace signaling;
namespace json = boost::json;
using Output = PlainProtocol::Output;

constexpr std::size_t kCallers = 6;
constexpr std::size_t kSteps = 100;
constexpr Limits kLimits{.members_per_room = 3,
                         .rooms_per_member = 1,
                         .rooms_per_address = 2,
                         .missed_messages = 4,
                         .missed_bytes = 64};
constexpr std::string_view kTypes[] = {"joined",    "peer-joined", "peer-left", "signal",
                                       "broadcast", "ice-servers", "ack",       "error"};

IceParams ice() {
  IceParams params;
  params.listeners = {{Transport::udp, *Endpoint::parse("0.0.0.0:3478")},
                      {Transport::tls, *Endpoint::parse("[::]:5349")}};
  params.default_address = IpAddress::parse("192.0.2.1");
  params.secret = "north";
  return params;
}

std::string token() { return sign_token(R"({"exp":1735693200,"sub":"ann","role":"host"})", "south"); }

// The slices of a text that a parser accepted must agree with the parser's result.
void check_slices(std::string_view text, const json::value& value) {
  const auto parts = json_elements(text);
  expect(parts.size() == (value.is_array() ? value.get_array().size() : 0), "each element is found");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    expect(lies_inside(as_bytes(parts[i]), as_bytes(text)), "an element lies in the text");
    expect(json::parse(parts[i]) == value.get_array()[i], "an element is what it is");
    check_slices(parts[i], value.get_array()[i]);
  }
  if (!value.is_object()) return expect(!json_member(text, ""), "only objects have members");
  const bool escaped = text.find('\\') != std::string_view::npos;  // perhaps in a name
  for (const auto& [name, member] : value.get_object()) {
    const auto slice = json_member(text, name);
    expect(slice || escaped, "each member is found");
    if (!slice) continue;
    expect(lies_inside(as_bytes(*slice), as_bytes(text)), "a member lies in the text");
    const json::value parsed = json::parse(*slice);
    if (escaped) continue;
    expect(parsed == member, "a member is what it is");
    check_slices(*slice, parsed);
  }
}

class World {
 public:
  explicit World(Access access)
      : protocol_({.hub = hub_,
                   .ice_servers = ice_servers_,
                   .tokens = tokens_,
                   .minting = no_limit_,
                   .access = access}) {}

  // All inputs use one server. It is as new after each input: when all have left, time alone frees
  // everything.
  void play(std::string_view story) {
    for (std::size_t steps = 0; steps < kSteps && !story.empty(); ++steps) {
      const std::size_t end = std::min(story.find('\n'), story.size());
      step(story.substr(0, end));
      story.remove_prefix(std::min(end + 1, story.size()));
      check_books();
    }
    for (std::size_t i = 0; i < kCallers; ++i) {
      closes(i, true);
      check_books();
    }
    clock_.advance(Membership::kRecovery);
    wake();
    expect(hub_.members() == 0 && hub_.rooms() == 0, "in the end nothing is left");
    expect(protocol_.next_deadline() == SteadyTime::max(), "and nothing is waited for");
    clock_ = {};
    random_ = test::ScriptedRandom();
    callers_ = {};
    saved_ = {};
  }

 private:
  struct Caller {
    ConnectionId connection = 0;  // 0: closed
    std::string room;             // empty until it has joined
    bool resumed_elsewhere = false;
    MemberId self;
    std::map<std::string, std::string> peers;  // id → name, as it was told
  };
  // What the test stores of a member, for later lines.
  struct Saved {
    std::string id = "nobody";
    std::string secret = "nothing";
  };

  void step(std::string_view line) {
    if (line.empty()) return;
    const std::size_t who = static_cast<unsigned char>(line[0] - '0') % kCallers;
    line.remove_prefix(1);
    switch (line.empty() ? '\0' : line[0]) {
      case '+': return opens(who);
      case '-': return closes(who, false);
      case '.': return closes(who, true);
      case '~': clock_.advance(duration(line.substr(1))); return wake();
      case '!': return clock_.advance(duration(line.substr(1)));
      default: return says(who, line);
    }
  }

  static Duration duration(std::string_view digits) {
    std::uint32_t milliseconds = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
    return Duration(milliseconds % 8'000'000);
  }

  void opens(std::size_t who) {
    if (callers_[who].connection != 0) return;
    callers_[who].connection = ++connections_;
    // Two connections share each address, and the last one names no host.
    protocol_.on_open(connections_,
                      {.address = IpAddress::v4(static_cast<std::uint32_t>(0xC6336401 + who / 2)),
                       .host = who + 1 == kCallers ? "" : "relay.example",
                       .token = {}},
                      clock_.now());
  }

  void closes(std::size_t who, bool clean) {
    if (callers_[who].connection == 0) return;
    const ConnectionId connection = std::exchange(callers_[who], {}).connection;
    Output out;
    protocol_.on_closed(connection, clean, clock_.now(), out);
    take(out, kCallers, {});
    out.clear();
    protocol_.on_text(connection, R"({"type":"leave"})", clock_.now(), out);
    expect(out.sends.empty() && out.closes.empty(), "of a closed connection nothing is heard");
  }

  void says(std::size_t who, std::string_view line) {
    std::string text(line);
    std::ranges::replace(text, '\v', '\n');
    for (std::size_t i = 0; i < kCallers; ++i) {
      replace(text, '<' + std::to_string(i) + '>', saved_[i].id);
      replace(text, "<r" + std::to_string(i) + '>', saved_[i].secret);
    }
    replace(text, "<t>", token_);
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (!error) check_slices(text, value);

    Output out;
    protocol_.on_text(callers_[who].connection, text, clock_.now(), out);
    if (callers_[who].connection == 0)
      return expect(out.sends.empty() && out.closes.empty(), "who is not there says nothing");
    // After a request to leave, the member has left. An ack alone tells this, or nothing does.
    const bool left = !error && is_leave(value) && !callers_[who].room.empty();
    if (left && !has_error_for(out, callers_[who].connection)) forget_room(callers_[who]);
    take(out, who, text);
  }

  static bool is_leave(const json::value& value) {
    const json::object* object = value.if_object();
    const json::value* type = object ? object->if_contains("type") : nullptr;
    return type && *type == "leave";
  }
  static bool has_error_for(const Output& out, ConnectionId connection) {
    return std::ranges::any_of(out.sends, [&](const Output::Send& send) {
      return send.to == connection && send.text->starts_with(R"({"type":"error")");
    });
  }
  static void forget_room(Caller& caller) {
    caller.room.clear();
    caller.self = {};
    caller.peers.clear();
  }

  void wake() {
    Output out;
    protocol_.on_timeout(clock_.now(), out);
    expect(protocol_.next_deadline() > clock_.now().steady, "what was due is done");
    take(out, kCallers, {});
  }

  static void replace(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
      text.replace(at, what.size(), by);
  }

  // --- What must hold
  // `who` sent `said`; kCallers means nobody.
  void take(const Output& out, std::size_t who, std::string_view said) {
    for (const Output::Send& send : out.sends) {
      Caller& to = caller_of(send.to);
      boost::system::error_code error;
      const json::value value = json::parse(*send.text, error);
      expect(!error && value.is_object(), "what is sent is JSON");
      const json::object& message = value.get_object();
      const std::string type(message.at("type").as_string());
      expect(std::ranges::find(kTypes, type) != std::end(kTypes), "of a known type");
      // A name of 64 characters is six times as long when each of its characters is escaped.
      expect(send.text->size() <= 4096 + said.size() || type == "signal" || type == "broadcast",
             "and no longer than it should be");
      learn(to, *send.text, message, who, said);
    }
    for (const Output::Close& close : out.closes) {
      Caller& to = caller_of(close.to);
      expect(close.code == 4000 || close.code == 1008, "it is closed in form");
      to = {};
      Output after;
      protocol_.on_closed(close.to, true, clock_.now(), after);
      expect(after.sends.empty() && after.closes.empty(), "and then that is old news");
    }
    expect(std::ranges::none_of(callers_, &Caller::resumed_elsewhere), "a member has one connection");
  }

  Caller& caller_of(ConnectionId connection) {
    const auto found = std::ranges::find(callers_, connection, &Caller::connection);
    expect(connection != 0 && found != callers_.end(), "whoever is sent something is there");
    return *found;
  }

  void learn(Caller& to, const std::string& text, const json::object& message, std::size_t who,
             std::string_view said) {
    const std::string_view type(message.at("type").as_string());
    if (type == "joined") return learn_joined(to, message);
    const json::value* code = message.if_contains("code");
    if (code && *code == "token-expired" && who == kCallers) {
      return expect(!to.room.empty(), "a member is told that its token has expired");
    }
    if (type == "ack" || type == "error")
      return expect(who < kCallers && &to == &callers_[who], "an answer goes to who asked");
    expect(!to.room.empty(), "anything else goes to members of rooms");
    if (type == "peer-joined") {
      const json::object& peer = message.at("peer").as_object();
      const bool news = to.peers.emplace(peer.at("id").as_string(), peer.at("name").as_string()).second;
      expect(news, "nobody joins twice");
    } else if (type == "peer-left") {
      expect(to.peers.erase(std::string(message.at("id").as_string())) == 1, "who leaves was there");
    } else if (type != "ice-servers") {
      const std::string from(message.at("from").as_string());
      expect(from != to.self.to_string(), "nobody hears itself");
      expect(who < kCallers, "somebody said it");
      const bool resumed = &to == &callers_[who];  // it may be long ago
      if (resumed) return;
      expect(from == callers_[who].self.to_string(), "under its own name");
      expect(callers_[who].room == to.room, "in the same room");
      const std::string_view data = std::string_view(text).substr(text.find(R"("data":)") + 7);
      expect(said.find(data.substr(0, data.size() - 1)) != std::string_view::npos, "letter by letter");
    }
  }

  void learn_joined(Caller& to, const json::object& message) {
    expect(to.room.empty(), "nobody joins twice");
    to.room = message.at("room").as_string();
    to.self = MemberId::parse(message.at("self").as_string()).value();
    to.peers.clear();
    for (const json::value& peer : message.at("peers").as_array())
      to.peers.emplace(peer.at("id").as_string(), peer.at("name").as_string());
    // A connection whose member has resumed elsewhere is closed in this step.
    for (Caller& other : callers_) {
      if (&other == &to || other.self != to.self) continue;
      forget_room(other);
      other.resumed_elsewhere = true;
    }
    Saved& saved = saved_[static_cast<std::size_t>(&to - callers_.data())];
    saved = {to.self.to_string(), std::string(message.at("resume").as_string())};
    expect(saved.secret == hub_.resume_secret(to.self), "the secret is the hub's");
  }

  void check_books() {
    std::map<std::string, std::size_t> rooms;
    std::map<std::string, std::set<MemberId>> members;
    for (const Caller& caller : callers_) {
      if (caller.room.empty()) continue;
      ++rooms[caller.room];
      expect(members[caller.room].insert(caller.self).second, "a member has one connection");
      std::map<std::string, std::string> peers;
      for (const Hub::Peer& peer : hub_.peers_of(caller.self, caller.room))
        peers.emplace(peer.id.to_string(), peer.name);
      expect(peers == caller.peers, "everybody knows who is there");
      expect(peers.size() < kLimits.members_per_room, "and they are no more than may");
    }
    expect(hub_.rooms() >= rooms.size(), "each room is there");
    expect(hub_.members() >= hub_.rooms(), "and none is empty");
    expect(hub_.rooms() <= kCallers / 2 * kLimits.rooms_per_address, "an address opens so many");
  }

  test::ManualClock clock_;
  test::ScriptedRandom random_;
  Hub hub_{kLimits, random_};
  IceServers ice_servers_{ice()};
  TokenVerifier tokens_{{"south"}};
  AddressLimiter no_limit_{0, 0, HashKey{1, 0}};
  PlainProtocol protocol_;
  const std::string token_ = token();
  std::array<Caller, kCallers> callers_;
  std::array<Saved, kCallers> saved_;
  ConnectionId connections_ = 0;
};

}  // namespace
}  // namespace turnpike::fuzz

// With a first line `token`, the server requires a token.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static turnpike::fuzz::World open(turnpike::signaling::Access::open);
  static turnpike::fuzz::World guarded(turnpike::signaling::Access::token);
  constexpr std::string_view kGuarded = "token\n";
  std::string_view story = turnpike::as_text({data, size});
  const bool asks = story.starts_with(kGuarded);
  if (asks) story.remove_prefix(kGuarded.size());
  (asks ? guarded : open).play(story);
  return 0;
}
