// A signaling server and its clients in one test: s.connects("ann").joins("blue"); s["ann"].drops();
// s.advance(3s).expect({peer_left("bob", "ann", "lost")}); It uses no socket and no real clock. In messages,
// <ann> means the id of the member that joined by the connection "ann", and <ann's secret> the secret with
// which it can resume.
#pragma once

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/manual_clock.hpp"
#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/signaling/plain_protocol.hpp"

namespace turnpike::test {

namespace json = boost::json;

using namespace std::chrono_literals;
using namespace std::string_literals;

// A text or a close, with the connection that got it. The credentials in `joined` and `ice-servers` and the
// secret in `joined` were checked already and are left out.
struct Told {
  std::string to;
  std::string text;
};

inline Told joined(std::string to, const std::string& room, std::initializer_list<std::string> peers = {},
                   const std::string& self = {}) {
  std::string list;
  for (const std::string& peer : peers)
    list += (list.empty() ? "" : ",") + R"({"id":"<)"s + peer + R"(>","name":")" + peer + "\"}";
  const std::string id = self.empty() ? to : self;
  return {std::move(to), R"({"type":"joined","room":")" + room + R"(","self":"<)" + id + R"(>","peers":[)" +
                             list + (self.empty() ? "]}" : R"(],"resumed":true})")};
}
inline Told resumed(std::string to, const std::string& room, const std::string& self,
                    std::initializer_list<std::string> peers = {}) {
  return joined(std::move(to), room, peers, self);
}
// The answer to a client whose token has expired.
inline Told resumed_without_credentials(std::string to, const std::string& room, const std::string& self,
                                        std::initializer_list<std::string> peers = {}) {
  Told told = joined(std::move(to), room, peers, self);
  told.text.insert(told.text.size() - 1, R"(,"iceServers":null)");
  return told;
}
inline Told peer_joined(std::string to, const std::string& who) {
  return {std::move(to), R"({"type":"peer-joined","peer":{"id":"<)" + who + R"(>","name":")" + who + "\"}}"};
}
inline Told peer_left(std::string to, const std::string& who, const std::string& reason) {
  return {std::move(to), R"({"type":"peer-left","id":"<)" + who + R"(>","reason":")" + reason + "\"}"};
}
inline Told signal(std::string to, const std::string& from, const std::string& data) {
  return {std::move(to), R"({"type":"signal","from":"<)" + from + R"(>","data":)" + data + "}"};
}
inline Told broadcast(std::string to, const std::string& from, const std::string& data) {
  return {std::move(to), R"({"type":"broadcast","from":"<)" + from + R"(>","data":)" + data + "}"};
}
inline Told new_credentials(std::string to) { return {std::move(to), R"({"type":"ice-servers"})"}; }
inline Told ack(std::string to, const std::string& id) {
  return {std::move(to), R"({"type":"ack","id":)" + id + "}"};
}
inline Told error(std::string to, signaling::Refusal refusal, const std::string& id = {}) {
  return {std::move(to), R"({"type":"error",)" + (id.empty() ? "" : R"("id":)" + id + ",") + R"("code":")" +
                             std::string(code_of(refusal)) + R"(","message":")" +
                             std::string(message_of(refusal)) + "\"}"};
}
inline Told closed(std::string to, int code, const std::string& reason) {
  return {std::move(to), "closed: " + std::to_string(code) + " " + reason};
}

// The messages of the server in one step.
class Heard {
 public:
  int line = 0;  // line of the step in the test
  std::vector<Told> told;
  std::vector<std::shared_ptr<const std::string>> texts;  // in their original form

  // Expects exactly these messages in this order.
  const Heard& expect(std::initializer_list<Told> expected) const {
    INFO("step in line " << line);
    CHECK(in_lines(told) == in_lines(expected));
    return *this;
  }
  const Heard& expect_silence() const { return expect({}); }
  // The number of messages with this `type`, to all connections.
  std::size_t count(std::string_view type) const {
    const std::string head = R"({"type":")" + std::string(type) + '"';
    return static_cast<std::size_t>(
        std::ranges::count_if(told, [&](const Told& t) { return t.text.starts_with(head); }));
  }

 private:
  static std::string in_lines(const auto& list) {
    std::string lines;
    for (const Told& t : list) lines += t.to + ": " + t.text + '\n';
    return lines;
  }
};

inline signaling::PlainProtocol::Opening opening(std::string_view source, std::string host = {},
                                                 std::string token = {}) {
  return {.address = address(source), .host = std::move(host), .token = std::move(token)};
}

struct SignalingSetup {
  signaling::Limits limits = {};
  signaling::Access access = signaling::Access::open;
  std::vector<std::string> token_secrets = {};
  signaling::IceParams ice{.listeners = {{Transport::udp, endpoint("0.0.0.0:3478")}},
                           .host = "turn.example.org",
                           .certificate_name = {},
                           .advertise = {},
                           .default_address = {},
                           .secret = "north"};
  std::uint32_t mints_per_second = 0;
  std::uint64_t mints_at_once = 0;
  Duration connect_timeout = 45s;
};

class SignalingScenario {
 public:
  // A connection, identified by its name.
  class Caller {
   public:
    Caller(SignalingScenario& s, std::string name) : s_(s), name_(std::move(name)) {}

    Heard says(std::string_view text, int line = __builtin_LINE()) { return s_.says(name_, text, line); }
    // Joins with the name of the connection; `more` are further members of the request.
    Heard joins(const std::string& room, const std::string& more = {}, int line = __builtin_LINE()) {
      return says(R"({"type":"join","room":")" + room + R"(","name":")" + name_ + '"' +
                      (more.empty() ? "" : "," + more) + "}",
                  line);
    }
    Heard signals(const std::string& to, const std::string& data, int line = __builtin_LINE()) {
      return says(R"({"type":"signal","to":"<)" + to + R"(>","data":)" + data + "}", line);
    }
    Heard broadcasts(const std::string& data, int line = __builtin_LINE()) {
      return says(R"({"type":"broadcast","data":)" + data + "}", line);
    }
    Heard leaves(int line = __builtin_LINE()) { return says(R"({"type":"leave"})", line); }
    Heard resumes(const std::string& member, int line = __builtin_LINE()) {
      return says(R"({"type":"resume","resume":"<)" + member + R"('s secret>"})", line);
    }
    Heard brings(const std::string& token, int line = __builtin_LINE()) {
      return says(R"({"type":"token","id":7,"token":")" + token + "\"}", line);
    }
    Heard asks_for_credentials(int line = __builtin_LINE()) {
      return says(R"({"type":"ice-servers"})", line);
    }
    Heard drops(int line = __builtin_LINE()) { return s_.ends(name_, false, line); }
    Heard says_goodbye(int line = __builtin_LINE()) { return s_.ends(name_, true, line); }

   private:
    SignalingScenario& s_;
    std::string name_;
  };

  struct Credentials {
    WallTime expires;
    std::string user;  // after the expiry in the user name
    std::string urls;  // of STUN and TURN, separated by spaces
  };

  explicit SignalingScenario(SignalingSetup setup = {})
      : setup_(std::move(setup)),
        hub_(setup_.limits, random_),
        ice_servers_(setup_.ice),
        tokens_(setup_.token_secrets),
        minting_(setup_.mints_per_second, setup_.mints_at_once, HashKey{7, 0}),
        protocol_({.hub = hub_,
                   .ice_servers = ice_servers_,
                   .tokens = tokens_,
                   .minting = minting_,
                   .access = setup_.access,
                   .connect_timeout = setup_.connect_timeout}) {}
  SignalingScenario(const SignalingScenario&) = delete;
  SignalingScenario& operator=(const SignalingScenario&) = delete;

  // When all connections have ended, the server must have no state left.
  ~SignalingScenario() {
    while (!open_.empty()) ends(std::string(open_.begin()->first), true, 0);  // ends() erases it
    advance(2min, 0);
    CHECK(hub_.members() == 0);
    CHECK(hub_.rooms() == 0);
    CHECK(protocol_.next_deadline() == SteadyTime::max());
  }

  // --- Steps
  Caller connects(const std::string& name, signaling::PlainProtocol::Opening how = opening("198.51.100.1")) {
    REQUIRE_FALSE(numbers_.contains(name));
    const signaling::ConnectionId number = numbers_.size() + 1;
    numbers_[name] = open_[name] = number;
    protocol_.on_open(number, std::move(how), clock_.now());
    return {*this, name};
  }
  Caller operator[](const std::string& name) { return {*this, name}; }

  // Time passes; the server is called at each deadline.
  Heard advance(Duration duration, int line = __builtin_LINE()) {
    const SteadyTime until = clock_.now().steady + duration;
    Heard heard;
    heard.line = line;
    for (SteadyTime next = next_deadline(); next <= until; next = next_deadline()) {
      clock_.advance(std::max(next - clock_.now().steady, Duration::zero()));
      signaling::PlainProtocol::Output out;
      protocol_.on_timeout(clock_.now(), out);
      take(out, heard);
      INFO("step in line " << line);
      REQUIRE(next_deadline() > clock_.now().steady);
    }
    clock_.advance(until - clock_.now().steady);
    return heard;
  }
  // Sets the access, as a reload does.
  void set_access(signaling::Access access) { protocol_.set(access, std::chrono::seconds(45)); }
  void set_wall_back(Duration duration) { clock_.set_wall(-duration); }
  // Time passes, and the server is not called.
  void advance_asleep(Duration duration) { clock_.advance(duration); }

  std::string refused;  // lines for the log

  // --- State
  SteadyTime next_deadline() const { return protocol_.next_deadline(); }
  TimePoint now() const { return clock_.now(); }
  bool is_open(const std::string& name) const { return open_.contains(name); }
  const signaling::Hub& hub() const { return hub_; }
  // The latest credentials of a connection.
  const Credentials& credentials(const std::string& name) const { return credentials_.at(name); }
  const std::string& resume_secret(const std::string& member) const { return secrets_.at(member); }
  std::string id(const std::string& member) const { return ids_.at(member); }

 private:
  using Output = signaling::PlainProtocol::Output;

  Heard says(const std::string& name, std::string_view text, int line) {
    std::string said(text);
    for (const auto& [member, id] : ids_) replace(said, "<" + member + ">", id);
    for (const auto& [member, secret] : secrets_) replace(said, "<" + member + "'s secret>", secret);
    Output out;
    protocol_.on_text(numbers_.at(name), said, clock_.now(), out);
    Heard heard;
    heard.line = line;
    take(out, heard);
    return heard;
  }

  Heard ends(const std::string& name, bool clean, int line) {
    Output out;
    open_.erase(name);
    protocol_.on_closed(numbers_.at(name), clean, clock_.now(), out);
    Heard heard;
    heard.line = line;
    take(out, heard);
    return heard;
  }

  void take(const Output& out, Heard& heard) {
    INFO("step in line " << heard.line);
    for (const signaling::Refused& one : out.refused) {
      refused.append(code_of(one.why)).append(" ").append(one.client.to_string());
      refused.append(" (").append(key_of(one.why)).append(")\n");
    }
    for (const auto& send : out.sends) {
      const std::string to = name_of(send.to);
      heard.texts.push_back(send.text);
      heard.told.push_back({to, read(to, *send.text)});
    }
    for (const auto& close : out.closes) {
      const std::string to = name_of(close.to);
      heard.told.push_back(closed(to, close.code, std::string(close.reason)));
      // The owner of the connection closes it and reports that. This must have no more effect.
      open_.erase(to);
      Output after;
      protocol_.on_closed(close.to, true, clock_.now(), after);
      CHECK((after.sends.empty() && after.closes.empty()));
    }
  }

  std::string name_of(signaling::ConnectionId number) const {
    const auto known = std::ranges::find(open_, number, [](const auto& entry) { return entry.second; });
    REQUIRE(known != open_.end());
    return known->first;
  }

  // Converts a text to the form of tests, and stores what its receiver learns from it.
  std::string read(const std::string& to, const std::string& text) {
    CAPTURE(to, text);
    boost::system::error_code failure;
    const json::value value = json::parse(text, failure);
    REQUIRE_FALSE(failure);
    const json::object& message = value.as_object();
    const std::string type(message.at("type").as_string());
    std::string shown = text;
    if (type == "joined") {
      const bool has_credentials = message.contains("iceServers");
      if (has_credentials) learn_credentials(to, message);
      const std::string self(message.at("self").as_string());
      const auto known = std::ranges::find(names_, self, [](const auto& entry) { return entry.first; });
      const std::string member = known == names_.end() ? to : known->second;
      names_[self] = member;
      ids_[member] = self;
      secrets_[member] = message.at("resume").as_string();
      json::object rest{
          {"type", type}, {"room", message.at("room")}, {"self", self}, {"peers", message.at("peers")}};
      if (message.contains("resumed")) rest["resumed"] = message.at("resumed");
      CHECK(message.size() == rest.size() + (has_credentials ? 3 : 1));
      if (!has_credentials) rest["iceServers"] = nullptr;
      shown = json::serialize(rest);
    } else if (type == "ice-servers") {
      learn_credentials(to, message);
      CHECK(message.size() == 3);
      shown = R"({"type":"ice-servers"})";
    }
    for (const auto& [id, member] : names_) replace(shown, id, "<" + member + ">");
    return shown;
  }

  // The credentials must be valid for one lifetime from now, and the relay must accept them.
  void learn_credentials(const std::string& to, const json::object& message) {
    const json::array& servers = message.at("iceServers").as_array();
    Credentials learnt;
    for (const json::value& server : servers) {
      for (const json::value& url : server.as_object().at("urls").as_array())
        learnt.urls += (learnt.urls.empty() ? "" : " ") + std::string(url.as_string());
    }
    REQUIRE_FALSE(servers.empty());
    const json::object& turn = servers.back().as_object();
    const std::string username(turn.at("username").as_string());
    crypto::Digester digester;
    CHECK(std::string(turn.at("credential").as_string()) ==
          auth::rest_password(digester, setup_.ice.secret, username));
    const auto name = auth::parse_rest_name(username);
    REQUIRE(name);
    learnt.expires = name->expires;
    learnt.user = name->user;
    CHECK(learnt.expires ==
          std::chrono::floor<std::chrono::seconds>(clock_.now().wall + setup_.ice.lifetime));
    CHECK(std::string(message.at("expiresAt").as_string()) == signaling::to_rfc3339(learnt.expires));
    credentials_[to] = learnt;
  }

  static void replace(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
      text.replace(at, what.size(), by);
  }

  SignalingSetup setup_;
  ManualClock clock_;
  ScriptedRandom random_;
  signaling::Hub hub_;
  signaling::IceServers ice_servers_;
  signaling::TokenVerifier tokens_;
  AddressLimiter minting_;
  signaling::PlainProtocol protocol_;
  std::map<std::string, signaling::ConnectionId> numbers_;  // of all connections that ever existed
  std::map<std::string, signaling::ConnectionId> open_;
  std::map<std::string, std::string> names_;    // names of members, by id
  std::map<std::string, std::string> ids_;      // the latest ids, by name
  std::map<std::string, std::string> secrets_;  // the same for secrets
  std::map<std::string, Credentials> credentials_;
};

}  // namespace turnpike::test
