// An Engine.IO server and its clients in one test, without sockets and without a real clock. The results of a
// step are lines: "ann 200 ok" answers a request, "ann: 2" is a text frame, "ann# \1\2" is a binary frame,
// "ann says when this is sent" asks for has_sent(), "ann closed" is the end of a WebSocket. The octet 0x1e is
// written as |, and a known id as <ann>.
#pragma once

#include <algorithm>
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
#include "turnpike/signaling/engine_io.hpp"

namespace turnpike::test {

using namespace std::chrono_literals;
using namespace std::string_literals;

// The results of one step.
class Lines {
 public:
  int line = 0;  // line of the step in the test
  std::vector<std::string> all;

  // Expects exactly these lines in this order.
  const Lines& expect(std::initializer_list<std::string> expected) const {
    INFO("step in line " << line);
    CHECK(all == std::vector<std::string>(expected));
    return *this;
  }
  // Expects exactly these lines in any order.
  const Lines& expect_unordered(std::initializer_list<std::string> expected) const {
    INFO("step in line " << line);
    CHECK(std::multiset<std::string>(all.begin(), all.end()) == std::multiset<std::string>(expected));
    return *this;
  }
  const Lines& expect_silence() const { return expect({}); }
  std::size_t count(std::string_view part) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const std::string& text) { return text.find(part) != std::string::npos; }));
  }
};

class EngineIoScenario {
 public:
  using Output = signaling::EngineIo::Output;

  EngineIoScenario(signaling::EngineIo::Application& application, crypto::Random& random,
                   const signaling::EngineIo::Params& params = {})
      : engine_(params, random, application) {}
  EngineIoScenario(const EngineIoScenario&) = delete;
  EngineIoScenario& operator=(const EngineIoScenario&) = delete;
  virtual ~EngineIoScenario() = default;

  // --- Steps over HTTP. A name means a session. At most one GET of a session waits.
  Lines opens(const std::string& name, std::string token = {}, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      opening_ = name;
      engine_.open(request(name), opening(std::move(token)), now(), out);
    });
  }
  Lines gets(const std::string& name, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      last_get_[name] = request(name);
      engine_.get(sid(name), last_get_[name], now(), out);
    });
  }
  Lines posts(const std::string& name, std::string_view body, int line = __builtin_LINE()) {
    std::string text(body);
    std::ranges::replace(text, '|', '\x1e');
    text = with_ids(text);
    return step(line, [&](Output& out) { engine_.post(sid(name), request(name), text, now(), out); });
  }
  // The header of a POST has come; the numbers of these requests are the caller's. "ann is refused" means
  // that the body need not come.
  Lines begins_post(const std::string& name, signaling::RequestId number, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      if (!engine_.begin_post(sid(name), number, now(), out)) note(name + " is refused");
    });
  }
  void ends_post(const std::string& name, signaling::RequestId number) {
    engine_.end_post(sid(name), number);
  }
  Lines has_post_refused(const std::string& name, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) { engine_.on_post_refused(sid(name), now(), out); });
  }
  // The client gives up its last GET.
  Lines aborts(const std::string& name, int line = __builtin_LINE()) {
    aborted_.insert(last_get_.at(name));
    return step(line, [&](Output& out) { engine_.on_aborted(last_get_.at(name), now(), out); });
  }

  // --- Steps over WebSockets. A WebSocket has the name of its session, or another name when it only tries to
  // get one.
  Lines opens_wire(const std::string& name, std::string token = {}, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      opening_ = name;
      engine_.open_web_socket(wire(name), opening(std::move(token)), now(), out);
    });
  }
  bool is_known(const std::string& name) const { return engine_.is_known(sid(name), now()); }
  Lines opens_base64_wire(const std::string& name, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      opening_ = name;
      engine_.open_web_socket(wire(name), opening({}, true), now(), out);
    });
  }
  Lines upgrades(const std::string& name, const std::string& as = {}, int line = __builtin_LINE()) {
    return upgrades(name, as, false, line);
  }
  // A WebSocket that accepts binary messages only as text.
  Lines upgrades_base64(const std::string& name, int line = __builtin_LINE()) {
    return upgrades(name, name, true, line);
  }
  Lines frames(const std::string& name, std::string_view data, bool binary = false,
               int line = __builtin_LINE()) {
    const std::string text = binary ? std::string(data) : with_ids(std::string(data));
    return step(line, [&](Output& out) { engine_.on_frame(wires_.at(name), text, binary, now(), out); });
  }
  // What the WebSocket was given is on its way.
  Lines has_sent(const std::string& name, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) { engine_.on_sent(wires_.at(name), now(), out); });
  }
  Lines loses_wire(const std::string& name, bool clean = false, int line = __builtin_LINE()) {
    const signaling::WebSocketId number = wires_.at(name);
    open_.erase(number);
    return step(line, [&](Output& out) { engine_.on_web_socket_closed(number, clean, now(), out); });
  }

  // --- Steps of the server itself
  Lines all_closed(int line = __builtin_LINE()) {
    return step(line, [&](Output& out) { engine_.close_all(now(), out); });
  }
  // Time passes; the server is called at each deadline.
  Lines advance(Duration duration, int line = __builtin_LINE()) {
    const SteadyTime until = now().steady + duration;
    return step(line, [&](Output& out) {
      for (SteadyTime next = next_deadline(); next <= until; next = next_deadline()) {
        clock_.advance(std::max(next - now().steady, Duration::zero()));
        wake(out);
        REQUIRE(next_deadline() > now().steady);
      }
      clock_.advance(until - now().steady);
    });
  }
  // Time passes, and the server is not called.
  void advance_asleep(Duration duration) { clock_.advance(duration); }

  // Any other step with output.
  template <class Does>
  Lines step(int line, Does&& does) {
    Output out;
    lines_ = {};
    lines_.line = line;
    does(out);
    settle(out);
    take(out);
    for (std::string& note : std::exchange(notes_, {})) say(std::move(note));
    return std::exchange(lines_, {});
  }

  // --- State
  signaling::EngineIo& engine() { return engine_; }
  TimePoint now() const { return clock_.now(); }
  const std::string& id(const std::string& name) const { return ids_.at(name); }
  const std::string& sid(const std::string& name) const { return sids_.at(name); }
  std::string with_ids(std::string text) const {
    for (const auto& [name, id] : ids_) replace(text, '<' + name + '>', id);
    return text;
  }
  bool is_open(const std::string& name) const { return open_.contains(wires_.at(name)); }
  std::size_t slow = 0;     // sessions that ended since too much waited for them, as the log is told
  std::size_t crowded = 0;  // sessions that were refused since their address had enough, likewise

 protected:
  virtual void wake(Output& out) { engine_.on_timeout(now(), out); }
  virtual SteadyTime next_deadline() const { return engine_.next_deadline(); }
  // Called before the output is read.
  virtual void settle(Output&) {}
  // Reads the ids in a message; see learn().
  virtual void read(const std::string&, std::string_view) {}

  // Adds the line of another event to the step; it follows the output.
  void note(std::string text) { notes_.push_back(std::move(text)); }
  void say(std::string text) { lines_.all.push_back(shown(std::move(text))); }
  void learn(const std::string& name, const std::string& id) { ids_[name] = id; }
  const std::string& opening_name() const { return opening_; }

 private:
  Lines upgrades(const std::string& name, const std::string& as, bool base64, int line) {
    const std::string wire_name = as.empty() ? name : as;
    return step(line, [&](Output& out) { engine_.upgrade(sid(name), wire(wire_name), base64, now(), out); });
  }
  static signaling::EngineIo::Opening opening(std::string token, bool base64 = false) {
    return {.address = address("198.51.100.1"), .host = {}, .token = std::move(token), .base64 = base64};
  }
  signaling::RequestId request(const std::string& name) {
    requests_[++last_request_] = name;
    return last_request_;
  }
  signaling::WebSocketId wire(const std::string& name) {
    wires_[name] = ++last_wire_;
    wire_names_[last_wire_] = name;
    open_.insert(last_wire_);
    return last_wire_;
  }

  void take(const Output& out) {
    INFO("step in line " << lines_.line);
    slow += out.slow.size();
    crowded += out.crowded.size();
    for (const auto& answer : out.answers) {
      const auto asked = requests_.find(answer.to);
      REQUIRE(asked != requests_.end());  // only one answer is allowed
      REQUIRE_FALSE(aborted_.contains(answer.to));
      const std::string name = asked->second;
      requests_.erase(asked);
      if (answer.status == 200) {
        std::string_view rest = answer.body;
        for (;;) {
          const std::size_t end = rest.find('\x1e');
          hear(name, rest.substr(0, end));
          if (end == std::string_view::npos) break;
          rest.remove_prefix(end + 1);
        }
      }
      say(name + ' ' + std::to_string(answer.status) + ' ' + answer.body);
    }
    for (const auto& frame : out.frames) {
      REQUIRE(open_.contains(frame.to));
      const std::string& name = wire_names_.at(frame.to);
      if (!frame.binary) hear(name, *frame.data);
      say(name + (frame.binary ? "# " : ": ") + *frame.data);
    }
    for (const signaling::WebSocketId wire : out.asks_when_sent) {
      REQUIRE(open_.contains(wire));
      say(wire_names_.at(wire) + " says when this is sent");
    }
    for (const signaling::WebSocketId wire : out.closes) close(wire, " closed");
    for (const signaling::WebSocketId wire : out.closes_after_next)
      close(wire, " closes after its next message");
  }

  void close(signaling::WebSocketId wire, const char* how) {
    REQUIRE(open_.erase(wire) == 1);
    say(wire_names_.at(wire) + how);
    // The owner of the WebSocket reports that it is closed. That must have no more effect.
    Output after;
    engine_.on_web_socket_closed(wire, true, now(), after);
    CHECK((after.answers.empty() && after.frames.empty() && after.closes.empty() &&
           after.closes_after_next.empty()));
  }

  void hear(const std::string& name, std::string_view packet) {
    constexpr std::string_view kOpen = R"(0{"sid":")";
    if (packet.starts_with(kOpen)) {
      sids_[name] = packet.substr(kOpen.size(), packet.find('"', kOpen.size()) - kOpen.size());
      CHECK(sids_[name].size() == 22);
      learn(name + "'s sid", sids_[name]);
    }
    read(name, packet);
  }

  std::string shown(std::string text) const {
    for (const auto& [name, id] : ids_) replace(text, id, '<' + name + '>');
    std::ranges::replace(text, '\x1e', '|');
    return text;
  }
  static void replace(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
      text.replace(at, what.size(), by);
  }

  ManualClock clock_;
  signaling::EngineIo engine_;
  Lines lines_;
  std::vector<std::string> notes_;
  std::string opening_;                      // the session that is being opened
  std::map<std::string, std::string> sids_;  // ids of sessions, by name
  std::map<std::string, std::string> ids_;   // all ids that lines show by name
  signaling::RequestId last_request_ = 0;
  std::map<signaling::RequestId, std::string> requests_;  // without an answer yet
  std::set<signaling::RequestId> aborted_;
  std::map<std::string, signaling::RequestId> last_get_;
  signaling::WebSocketId last_wire_ = 0;
  std::map<std::string, signaling::WebSocketId> wires_;
  std::map<signaling::WebSocketId, std::string> wire_names_;
  std::set<signaling::WebSocketId> open_;
};

}  // namespace turnpike::test
