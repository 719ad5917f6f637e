#include "turnpike/signaling/engine_io.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "support/engine_io_scenario.hpp"

namespace turnpike::signaling {
namespace {

using namespace test;

// Adds what it hears to the lines: "app: ann hello", "app: ann# \1", "app: ann left" after a normal close, or
// "app: ann lost". Messages that a test waits for are answered during the call.
struct Recorder : EngineIo::Application {
  void on_session(SessionKey session, const EngineIo::Opening&, TimePoint) override { last = session; }
  void on_message(SessionKey session, std::string_view data, bool binary, TimePoint,
                  EngineIo::Output& out) override {
    say(session, (binary ? "# " : " ") + std::string(data));
    if (heard) heard(session, data, out);
  }
  void on_session_closed(SessionKey session, bool clean, TimePoint, EngineIo::Output& out) override {
    say(session, clean ? " left" : " lost");
    if (closed) closed(session, out);
  }

  SessionKey last = 0;
  std::function<void(SessionKey, const std::string&)> say;
  std::function<void(SessionKey, std::string_view, EngineIo::Output&)> heard;
  std::function<void(SessionKey, EngineIo::Output&)> closed;
};

struct Parts {
  Recorder app;
  ScriptedRandom random;
};

class Scenario : public Parts, public EngineIoScenario {
 public:
  explicit Scenario(const EngineIo::Params& params = {}) : EngineIoScenario(app, random, params) {
    app.say = [this](SessionKey key, const std::string& text) { note("app: " + names_[key] + text); };
  }
  // When all sessions have ended, nothing is left.
  ~Scenario() override {
    app.heard = {};
    app.closed = {};
    all_closed(0);
    CHECK(engine().sessions() == 0);
    CHECK(engine().next_deadline() == SteadyTime::max());
  }

  // Opens a session, and takes the events until now.
  void polls(const std::string& name) {
    opens(name);
    names_[app.last] = name;
  }
  void has_wire(const std::string& name) {
    opens_wire(name);
    names_[app.last] = name;
  }
  void has_base64_wire(const std::string& name) {
    opens_base64_wire(name);
    names_[app.last] = name;
  }
  Lines sends(const std::string& name, std::string_view data, bool binary = false,
              int line = __builtin_LINE()) {
    return step(line, [&](Output& out) { engine().send(key(name), data, binary, out); });
  }
  // Before anything of it goes out.
  Lines sends_at_once(const std::string& name, const std::vector<std::string>& texts,
                      int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      for (const std::string& text : texts) engine().send(key(name), text, false, out);
    });
  }
  Lines closes(const std::string& name, int line = __builtin_LINE()) {
    return step(line, [&](Output&) { engine().close(key(name)); });
  }
  SessionKey key(const std::string& name) const {
    return std::ranges::find(names_, name, [](const auto& entry) { return entry.second; })->first;
  }

 private:
  std::map<SessionKey, std::string> names_;
};

const std::string kUnknown = R"( 400 {"code":1,"message":"Session ID unknown"})";
const std::string kBad = R"( 400 {"code":3,"message":"Bad request"})";

// --- Opening
TEST_CASE("a session opens with what a client needs to know", "[signaling]") {
  Scenario s;
  s.opens("ann").expect(
      {R"(ann 200 0{"sid":"<ann's sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,)"
       R"("maxPayload":65536})"});
  s.opens_wire("bob").expect(
      {R"(bob: 0{"sid":"<bob's sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536})"});
  CHECK(s.sid("ann") != s.sid("bob"));
  CHECK(s.engine().sessions() == 2);
  // The recorder does not know the names of these sessions.
  s.app.say = [](SessionKey, const std::string&) {};
}

TEST_CASE("the handshake tells what is configured", "[signaling]") {
  Scenario s({.ping_interval = 300ms, .ping_timeout = 200ms, .max_payload = 1000});
  CHECK(s.opens("ann").count(R"("pingInterval":300,"pingTimeout":200,"maxPayload":1000})") == 1);
  s.app.say = [](SessionKey, const std::string&) {};
}

TEST_CASE("each error has its number", "[signaling]") {
  CHECK(to_json(EngineIoError::transport_unknown) == R"({"code":0,"message":"Transport unknown"})");
  CHECK(to_json(EngineIoError::session_unknown) == R"({"code":1,"message":"Session ID unknown"})");
  CHECK(to_json(EngineIoError::bad_handshake_method) == R"({"code":2,"message":"Bad handshake method"})");
  CHECK(to_json(EngineIoError::bad_request) == R"({"code":3,"message":"Bad request"})");
  CHECK(to_json(EngineIoError::forbidden) == R"({"code":4,"message":"Forbidden"})");
  CHECK(to_json(EngineIoError::unsupported_version) ==
        R"({"code":5,"message":"Unsupported protocol version"})");
}

TEST_CASE("an unknown session id is refused", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.posts("ann", "1").expect({"ann 200 ok", "app: ann left"});
  s.gets("ann").expect({"ann" + kUnknown});
  s.posts("ann", "4x").expect({"ann" + kUnknown});
  CHECK_FALSE(s.is_known("ann"));
  s.upgrades("ann").expect({"ann closed"});
}

TEST_CASE("a session whose pong is overdue is unknown, though the server has not looked yet", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.advance(25s);
  s.advance_asleep(20s - 1ms);
  CHECK(s.is_known("ann"));
  s.advance_asleep(1ms);
  CHECK_FALSE(s.is_known("ann"));
}

// --- Polling
TEST_CASE("a GET waits until there is something to say", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann").expect_silence();
  s.sends("ann", "hello").expect({"ann 200 4hello"});
  s.sends("ann", "a").expect_silence();
  s.sends("ann", "\1\2\3\4", true).expect_silence();
  s.sends("ann", "").expect_silence();
  s.gets("ann").expect({"ann 200 4a|bAQIDBA==|4"});
  s.gets("ann").expect_silence();
  s.aborts("ann").expect({"app: ann lost"});
}

TEST_CASE("a POST carries one packet or several", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.posts("ann", "4hello").expect({"ann 200 ok", "app: ann hello"});
  s.posts("ann", "4a|bAQIDBA==|6|4").expect({"ann 200 ok", "app: ann a", "app: ann# \1\2\3\4", "app: ann "});
}

TEST_CASE("a malformed body ends the session, and none of its packets is used", "[signaling]") {
  for (const std::string body : {"", "abc", "4ok|9", "4ok|", "bA", "4\xff", "4ok|4\xed\xa0\x80"}) {
    CAPTURE(body);
    Scenario s;
    s.polls("ann");
    s.gets("ann");
    s.posts("ann", body).expect({"ann" + kBad, "ann 200 1", "app: ann lost"});
    s.gets("ann").expect({"ann" + kUnknown});
  }
}

TEST_CASE("a ping of a client ends the session, and what stands behind it is not read", "[signaling]") {
  for (const std::string packet : {"2", "2probe"}) {
    CAPTURE(packet);
    Scenario s;
    s.polls("ann");
    s.posts("ann", "4a|" + packet + "|4b").expect({"ann 200 ok", "app: ann a", "app: ann lost"});
    s.has_wire("bob");
    s.frames("bob", packet).expect({"bob closed", "app: bob lost"});
  }
}

TEST_CASE("packets that mean nothing in a session are ignored", "[signaling]") {
  for (const std::string packet : {"0", "5", "5x", "6"}) {
    CAPTURE(packet);
    Scenario s;
    s.polls("ann");
    s.posts("ann", packet + "|4a").expect({"ann 200 ok", "app: ann a"});
    s.has_wire("bob");
    s.frames("bob", packet).expect_silence();
    s.frames("bob", "4b").expect({"app: bob b"});
  }
}

TEST_CASE("a second POST before the first has ended ends the session", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.begins_post("ann", 101).expect_silence();
  s.posts("ann", "4x").expect({"ann 200 ok", "app: ann x"});
  s.ends_post("ann", 101);
  s.begins_post("ann", 102).expect_silence();
  s.ends_post("ann", 101);  // another one's end
  s.gets("ann").expect_silence();
  s.begins_post("ann", 103).expect({"ann 200 1", "app: ann lost", "ann is refused"});
  s.ends_post("ann", 102);
  s.posts("ann", "4y").expect({"ann" + kUnknown});
  s.begins_post("ann", 104).expect_silence();  // its answer is that there is no such session
}

TEST_CASE("a POST that is refused ends the session, which would go on without what was in it",
          "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann").expect_silence();
  s.has_post_refused("ann").expect({"ann 200 1", "app: ann lost"});
  s.gets("ann").expect({"ann" + kUnknown});
  s.has_post_refused("ann").expect_silence();
  s.polls("bob");
  s.upgrades("bob");
  s.frames("bob", "5");
  s.has_post_refused("bob").expect_silence();  // it has no POSTs any more
  s.frames("bob", "4still here").expect({"app: bob still here"});
}

TEST_CASE("a second GET ends the session", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann").expect_silence();
  s.gets("ann").expect({"ann" + kBad, "ann 200 1", "app: ann lost"});
  CHECK(s.engine().sessions() == 0);
}

TEST_CASE("a GET that is given up ends the session, one that was answered does not", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.aborts("ann").expect({"app: ann lost"});
  s.polls("bob");
  s.gets("bob");
  s.sends("bob", "x").expect({"bob 200 4x"});
  s.aborts("bob").expect_silence();
  s.gets("bob").expect_silence();
}

TEST_CASE("over a WebSocket a frame is a packet", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.frames("ann", "4hello").expect({"app: ann hello"});
  s.frames("ann", "\1\2", true).expect({"app: ann# \1\2"});
  s.frames("ann", "", true).expect({"app: ann# "});
  s.sends("ann", "hello").expect({"ann: 4hello"});
  s.sends("ann", "\3\4", true).expect({"ann# \3\4"});
  // The client must not poll at the same time.
  s.gets("ann").expect({"ann" + kBad});
  s.posts("ann", "4x").expect({"ann" + kBad});
  s.frames("ann", "4still here").expect({"app: ann still here"});
}

TEST_CASE("a client that takes no binary frames is served in base64", "[signaling]") {
  Scenario s;
  s.has_base64_wire("ann");
  s.frames("ann", "bAQID").expect({"app: ann# \1\2\3"});
  s.frames("ann", "b").expect({"app: ann# "});
  s.sends("ann", "\1\2\3", true).expect({"ann: bAQID"});
  s.sends("ann", "", true).expect({"ann: b"});
  s.sends("ann", "hello").expect({"ann: 4hello"});
  s.polls("bob");
  s.upgrades_base64("bob");
  s.frames("bob", "2probe");
  s.sends("bob", "\1\2\3", true).expect_silence();
  s.frames("bob", "5").expect({"bob: bAQID"});
  s.sends("bob", "\1", true).expect({"bob: bAQ=="});
  // One of the two clients may ask for text, and the server accepts text from both.
  s.has_wire("carl");
  s.frames("carl", "bAQID").expect({"app: carl# \1\2\3"});
  s.sends("carl", "\1\2\3", true).expect({"carl# \1\2\3"});
}

TEST_CASE("a frame that is no packet ends the session", "[signaling]") {
  for (const std::string frame : {"", "9", "abc", "b!", "bAQI", "7"}) {
    CAPTURE(frame);
    Scenario s;
    s.has_wire("ann");
    s.frames("ann", frame).expect({"ann closed", "app: ann lost"});
    s.frames("ann", "4late").expect_silence();
  }
}

// --- Pings
TEST_CASE("the server pings, and waits for a limited time", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.advance(25s - 1ms).expect_silence();
  s.advance(1ms).expect({"ann: 2"});
  s.advance(20s - 1ms).expect_silence();
  s.frames("ann", "3").expect_silence();
  s.advance(25s - 1ms).expect_silence();
  s.advance(1ms).expect({"ann: 2"});
  s.advance(20s - 1ms).expect_silence();
  s.advance(1ms).expect({"ann closed", "app: ann lost"});
}

TEST_CASE("a pong is due when it is due, however late the ping was", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.advance_asleep(25s + 100ms);
  s.advance(0s).expect({"ann 200 2"});
  s.gets("ann").expect_silence();
  s.advance(20s - 101ms).expect_silence();
  s.advance(1ms).expect({"ann 200 1", "app: ann lost"});
}

TEST_CASE("whoever is pinged much too late has half of the time left", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.has_wire("bob");
  s.advance_asleep(60s);
  s.advance(0s).expect_unordered({"ann: 2", "bob: 2"});
  s.advance(10s - 1ms).expect_silence();
  s.frames("ann", "3").expect_silence();
  s.advance(1ms).expect({"bob closed", "app: bob lost"});
}

TEST_CASE("another packet of the client does not count as a pong", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.advance(25s).expect({"ann: 2"});
  s.advance(19s);
  s.frames("ann", "4x").expect({"app: ann x"});
  s.frames("ann", "6").expect_silence();
  s.advance(1s).expect({"ann closed", "app: ann lost"});
}

TEST_CASE("a held GET gets the ping", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.advance(25s).expect({"ann 200 2"});
  s.posts("ann", "3").expect({"ann 200 ok"});
  s.advance(25s).expect_silence();
  s.gets("ann").expect({"ann 200 2"});
  s.gets("ann").expect_silence();
  s.advance(20s).expect({"ann 200 1", "app: ann lost"});
}

TEST_CASE("a client that never polls is dropped at last", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.advance(45s - 1ms).expect_silence();
  CHECK(s.engine().sessions() == 1);
  s.advance(1ms).expect({"app: ann lost"});
}

TEST_CASE("deadlines hold where a request comes before the timer did", "[signaling]") {
  const auto late = [](Scenario& s) {
    s.advance(25s);
    s.advance_asleep(20s);
  };
  SECTION("a GET") {
    Scenario s;
    s.polls("ann");
    late(s);
    s.gets("ann").expect({"ann" + kUnknown, "app: ann lost"});
  }
  SECTION("a pong by POST") {
    Scenario s;
    s.polls("ann");
    s.gets("ann");
    late(s);
    s.posts("ann", "3").expect({"ann" + kUnknown, "app: ann lost"});
  }
  SECTION("a GET that was there") {
    Scenario s;
    s.polls("ann");
    late(s);
    s.advance_asleep(-20s);
    s.gets("ann").expect({"ann 200 2"});
    s.gets("ann");
    s.advance_asleep(20s);
    s.posts("ann", "3").expect({"ann 200 1", "ann" + kUnknown, "app: ann lost"});
  }
  SECTION("a pong in a frame") {
    Scenario s;
    s.has_wire("ann");
    late(s);
    s.frames("ann", "3").expect({"ann closed", "app: ann lost"});
  }
  SECTION("an upgrade") {
    Scenario s;
    s.polls("ann");
    late(s);
    s.upgrades("ann").expect({"ann closed", "app: ann lost"});
  }
  SECTION("just in time") {
    Scenario s;
    s.has_wire("ann");
    s.advance(25s).expect({"ann: 2"});
    s.advance_asleep(20s - 1ms);
    s.frames("ann", "3").expect_silence();
    s.advance(25s).expect({"ann: 2"});
  }
}

// --- Upgrades
TEST_CASE("a client upgrades from polling to a WebSocket", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  CHECK(s.is_known("ann"));
  s.upgrades("ann").expect_silence();
  s.frames("ann", "2probe").expect_unordered({"ann: 3probe", "ann 200 6"});
  s.sends("ann", "one").expect_silence();
  s.sends("ann", "\2", true).expect_silence();
  s.sends("ann", "three").expect_silence();
  s.frames("ann", "5").expect({"ann: 4one", "ann# \2", "ann: 4three"});
  s.sends("ann", "four").expect({"ann: 4four"});
  s.frames("ann", "4hello").expect({"app: ann hello"});
  s.gets("ann").expect({"ann" + kBad});
  CHECK(s.is_known("ann"));
  s.upgrades("ann", "second").expect({"second closed"});
  s.advance(25s).expect({"ann: 2"});
  s.frames("ann", "3");
  s.loses_wire("ann").expect({"app: ann lost"});
}

TEST_CASE("until it is upgraded a session polls on", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.upgrades("ann");
  s.gets("ann").expect_silence();
  s.sends("ann", "one").expect({"ann 200 4one"});
  s.posts("ann", "4hello").expect({"ann 200 ok", "app: ann hello"});
  s.frames("ann", "2probe").expect({"ann: 3probe"});
  // The client waits for its last GET, so this one is answered at once.
  s.gets("ann").expect({"ann 200 6"});
  s.sends("ann", "two").expect_silence();
  s.gets("ann").expect({"ann 200 4two"});
  s.posts("ann", "4again").expect({"ann 200 ok", "app: ann again"});
  s.frames("ann", "5").expect_silence();
  s.sends("ann", "three").expect({"ann: 4three"});
}

TEST_CASE("a WebSocket that goes away before it took over changes nothing", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.upgrades("ann");
  s.frames("ann", "2probe").expect({"ann: 3probe"});
  s.loses_wire("ann").expect_silence();
  s.gets("ann").expect_silence();
  s.sends("ann", "x").expect({"ann 200 4x"});
  s.upgrades("ann", "again");
  s.frames("again", "2probe").expect({"again: 3probe"});
  s.frames("again", "5");
  s.sends("ann", "y").expect({"again: 4y"});
}

TEST_CASE("a WebSocket that does not know how is closed, and the session polls on", "[signaling]") {
  for (const std::string frame : {"4x", "2", "2probes", "3probe", "0", "1", "6", "", "9"}) {
    CAPTURE(frame);
    Scenario s;
    s.polls("ann");
    s.upgrades("ann");
    s.frames("ann", frame).expect({"ann closed"});
    s.frames("ann", "2probe").expect_silence();
    s.gets("ann").expect_silence();
    s.sends("ann", "x").expect({"ann 200 4x"});
  }
  Scenario s;
  s.polls("ann");
  s.upgrades("ann");
  s.frames("ann", "2probe", true).expect({"ann closed"});
  s.upgrades("ann", "again");
  s.frames("again", "2probe");
  s.frames("again", "4x").expect({"again closed"});
  s.upgrades("ann", "third");
  s.frames("third", "3probe").expect({"third closed"});  // what the others did is not its own
}

TEST_CASE("a WebSocket takes over without a probe too, as those of microcontrollers do", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.sends("ann", "one").expect_silence();
  s.upgrades("ann");
  s.frames("ann", "5").expect({"ann: 4one"});
  s.frames("ann", "4hello").expect({"app: ann hello"});
  s.frames("ann", "5").expect_silence();
  s.gets("ann").expect({"ann" + kBad});
  s.polls("bob");
  s.gets("bob").expect_silence();
  s.upgrades("bob");
  s.frames("bob", "5").expect({"bob 200 6"});
  s.sends("bob", "two").expect({"bob: 4two"});
}

TEST_CASE("a session has one WebSocket at a time", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.upgrades("ann");
  s.upgrades("ann", "second").expect({"second closed"});
  s.frames("second", "2probe").expect_silence();
  s.frames("ann", "2probe").expect({"ann: 3probe"});
  s.frames("ann", "5");
  s.upgrades("ann", "third").expect({"third closed"});
  s.sends("ann", "x").expect({"ann: 4x"});
}

TEST_CASE("a WebSocket has ten seconds to send its probe", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.upgrades("ann");
  s.gets("ann").expect_silence();
  s.advance(10s - 1ms).expect_silence();
  s.advance(1ms).expect({"ann closed"});
  s.sends("ann", "x").expect({"ann 200 4x"});
  s.upgrades("ann", "again");
  s.advance_asleep(10s);  // the time counts even when the timer is late
  SECTION("and its frames come too late then") {
    for (const std::string frame : {"2probe", "5"}) {
      s.frames("again", frame).expect({"again closed"});
      s.upgrades("ann", "again");
      s.advance_asleep(10s);
    }
    s.gets("ann").expect({"again closed"});
  }
  SECTION("and another one is let in") {
    s.upgrades("ann", "third").expect({"again closed"});
    s.gets("ann").expect_silence();
    s.frames("third", "2probe").expect_unordered({"third: 3probe", "ann 200 6"});
  }
}

// The answers to the last requests of a client may take long: much waits for it, its requests are held back,
// or its network stands still. If its WebSocket closed meanwhile, it would not notice that, and would wait
// for a ping.
TEST_CASE("a WebSocket whose probe was answered has the time that its client needs", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann").expect_silence();
  s.upgrades("ann");
  s.advance(10s - 1ms).expect_silence();
  s.frames("ann", "2probe").expect_unordered({"ann: 3probe", "ann 200 6"});
  SECTION("to take over") {
    s.advance(10s).expect_silence();
    s.posts("ann", "4hello").expect({"ann 200 ok", "app: ann hello"});
    s.sends("ann", "one").expect_silence();
    s.frames("ann", "5").expect({"ann: 4one"});
    s.gets("ann").expect({"ann" + kBad});
    s.advance(5s).expect_silence();
    s.advance(1ms).expect({"ann: 2"});
  }
  SECTION("also when the timer is late") {
    s.advance_asleep(10s);
    s.frames("ann", "5").expect_silence();
    s.sends("ann", "one").expect({"ann: 4one"});
  }
  SECTION("until a pong is overdue") {
    s.advance(15s + 1ms + 20s - 1ms).expect_silence();
    s.advance(1ms).expect({"ann closes after its next message", "app: ann lost"});
  }
  SECTION("but it is closed when the client polls on") {
    s.gets("ann").expect({"ann 200 6"});
    s.advance(1ms).expect_silence();
    s.gets("ann").expect({"ann closed"});
    s.sends("ann", "one").expect({"ann 200 4one"});
  }
  SECTION("and when the client tries another one") {
    s.upgrades("ann", "second").expect({"second closed"});
    s.advance(1ms).expect_silence();
    s.upgrades("ann", "third").expect({"ann closed"});
    s.frames("third", "2probe").expect({"third: 3probe"});
    s.advance(10s - 1ms).expect_silence();
    s.gets("ann").expect({"ann 200 6"});
  }
  SECTION("or closes it") {
    s.advance(1ms).expect_silence();
    s.loses_wire("ann").expect_silence();
    s.gets("ann").expect_silence();
    s.sends("ann", "one").expect({"ann 200 4one"});
  }
}

TEST_CASE("a ping that waits goes with the upgrade", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.advance(20s);
  s.upgrades("ann");
  s.frames("ann", "2probe");
  s.sends("ann", "a");
  s.advance(5s).expect_silence();
  s.sends("ann", "b");
  s.frames("ann", "5").expect({"ann: 4a", "ann: 2", "ann: 4b"});
  s.advance(20s).expect({"ann closed", "app: ann lost"});
}

TEST_CASE("a session that ends takes its WebSocket with it, also one that only probes", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.upgrades("ann");
  s.posts("ann", "1").expect({"ann 200 ok", "ann 200 6", "ann closed", "app: ann left"});
  s.frames("ann", "2probe").expect_silence();
}

// Socket.IO's client does not poll again after the answer to its probe, and notices the end of a WebSocket
// only when it has taken it.
TEST_CASE("a WebSocket whose probe was answered stays open until its client has taken it", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.upgrades("ann");
  s.frames("ann", "2probe").expect_unordered({"ann: 3probe", "ann 200 6"});
  SECTION("when everything ends") {
    s.all_closed().expect({"ann closes after its next message", "app: ann lost"});
  }
  SECTION("when the application ends the session") {
    s.closes("ann");
    s.advance(0s).expect({"ann closes after its next message", "app: ann lost"});
  }
  SECTION("when the client's own request does") {
    s.posts("ann", "9").expect({"ann" + kBad, "ann closes after its next message", "app: ann lost"});
  }
  SECTION("but not when the client says that it leaves") {
    s.posts("ann", "1").expect({"ann 200 ok", "ann closed", "app: ann left"});
  }
  s.frames("ann", "5").expect_silence();
  s.gets("ann").expect({"ann" + kUnknown});
}

// --- Closing
TEST_CASE("a client closes in form", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.posts("ann", "4bye|1|4late").expect({"ann 200 ok", "ann 200 6", "app: ann bye", "app: ann left"});
  s.has_wire("bob");
  s.frames("bob", "1").expect({"bob closed", "app: bob left"});
  s.has_wire("carl");
  s.loses_wire("carl", true).expect({"app: carl left"});
  s.has_wire("dora");
  s.loses_wire("dora").expect({"app: dora lost"});
  CHECK(s.engine().sessions() == 0);
  CHECK(s.engine().next_deadline() == SteadyTime::max());
}

TEST_CASE("the application closes, and hears of it in time", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.closes("ann").expect_silence();
  s.sends("ann", "nobody hears this").expect_silence();
  CHECK(s.engine().next_deadline() <= s.now().steady);
  s.advance(0s).expect({"ann closed", "app: ann lost"});
  s.polls("bob");
  s.gets("bob");
  s.closes("bob");
  s.advance(0s).expect({"bob 200 1", "app: bob lost"});
  s.closes("bob").expect_silence();
  s.sends("bob", "x").expect_silence();
}

TEST_CASE("the application sends and closes from within its calls", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.polls("bob");
  s.gets("bob");
  s.app.heard = [&](SessionKey session, std::string_view data, EngineIo::Output& out) {
    if (data == "echo") s.engine().send(session, data, false, out);
    if (data == "other") s.engine().send(s.key("bob"), data, false, out);
    if (data == "me") s.engine().close(session);
    if (data == "him") s.engine().close(s.key("bob"));
  };
  s.frames("ann", "4echo").expect({"ann: 4echo", "app: ann echo"});
  s.frames("ann", "4other").expect_unordered({"app: ann other", "bob 200 4other"});
  s.posts("bob", "4echo|4me|4echo")
      .expect_unordered({"bob 200 ok", "app: bob echo", "app: bob me", "app: bob lost"});
  s.polls("bob2");
  s.frames("ann", "4him").expect({"app: ann him"});
  s.frames("ann", "4me").expect({"ann closed", "app: ann me", "app: ann lost"});
}

TEST_CASE("the application closes another one, which may still speak until it is gone", "[signaling]") {
  Scenario s;
  s.has_wire("ann");
  s.polls("bob");
  s.app.heard = [&](SessionKey, std::string_view data, EngineIo::Output&) {
    if (data == "him") s.engine().close(s.key("bob"));
  };
  SECTION("by time") {
    s.frames("ann", "4him");
    s.gets("bob").expect_silence();
    s.advance(0s).expect({"bob 200 1", "app: bob lost"});
  }
  SECTION("by what it says itself") {
    s.frames("ann", "4him");
    s.posts("bob", "3|4never").expect({"bob 200 ok", "app: bob lost"});
  }
  SECTION("with a WebSocket on the way") {
    s.upgrades("bob");
    s.frames("bob", "2probe");
    s.frames("ann", "4him");
    s.frames("bob", "5");
    s.advance(0s).expect({"bob closed", "app: bob lost"});
  }
}

TEST_CASE("what the application says in a session's last moment goes to the others", "[signaling]") {
  Scenario s;
  for (const std::string name : {"ann", "bob", "carl"}) s.has_wire(name);
  s.app.closed = [&](SessionKey gone, EngineIo::Output& out) {
    for (const std::string name : {"ann", "bob", "carl"}) s.engine().send(s.key(name), "bye", false, out);
    s.engine().close(gone);
    s.engine().close(s.key("carl"));
  };
  s.frames("ann", "1").expect({"bob: 4bye", "carl: 4bye", "ann closed", "app: ann left"});
  s.advance(0s);
  CHECK_FALSE(s.is_open("carl"));
  CHECK(s.engine().sessions() == 1);
}

TEST_CASE("an address has a limit of sessions, and one that ends frees its place", "[signaling]") {
  Scenario s({.sessions_per_address = 2});
  const IpAddress from = address("198.51.100.1");
  s.polls("ann");
  CHECK_FALSE(s.engine().is_full(from));
  s.has_wire("bob");
  CHECK(s.engine().is_full(from));
  s.opens("carl").expect({"carl 429 " + EngineIo::too_many_sessions()});
  s.opens_wire("dora").expect({"dora closed"});
  CHECK(s.crowded == 2);
  s.loses_wire("bob");
  CHECK_FALSE(s.engine().is_full(from));
  s.polls("eve");
  s.engine().set_params({.sessions_per_address = 3});
  s.polls("finn");
  CHECK(s.opens("gus").count("gus 429") == 1);
  CHECK(s.engine().sessions() == 3);
}

TEST_CASE("all sessions can be closed", "[signaling]") {
  Scenario s;
  s.polls("ann");
  s.gets("ann");
  s.has_wire("bob");
  s.polls("carl");
  s.upgrades("carl");
  s.app.closed = [&](SessionKey, EngineIo::Output&) {
    for (const std::string name : {"ann", "bob", "carl"}) s.engine().close(s.key(name));
  };
  s.all_closed().expect_unordered(
      {"ann 200 1", "bob closed", "carl closed", "app: ann lost", "app: bob lost", "app: carl lost"});
  CHECK(s.engine().sessions() == 0);
  CHECK(s.engine().next_deadline() == SteadyTime::max());
}

TEST_CASE("when all sessions are closed, none hears of the others' ends", "[signaling]") {
  Scenario s;
  for (const std::string name : {"ann", "bob"}) s.has_wire(name);
  s.polls("carl");
  s.gets("carl");
  s.app.closed = [&](SessionKey, EngineIo::Output& out) {
    for (const std::string name : {"ann", "bob", "carl"}) s.engine().send(s.key(name), "bye", false, out);
  };
  s.all_closed().expect_unordered(
      {"ann closed", "bob closed", "carl 200 1", "app: ann lost", "app: bob lost", "app: carl lost"});
}

// --- Clients that do not read
std::string repeated(char c, std::size_t size) { return std::string(size, c); }

TEST_CASE("a client has ten seconds to fetch something when more waits than always may", "[signaling]") {
  Scenario s({.max_waiting = 100});
  s.polls("ann");
  s.sends("ann", repeated('a', 60));
  s.sends("ann", repeated('b', 40));
  s.gets("ann").expect({"ann 200 4" + repeated('a', 60) + "|4" + repeated('b', 40)});
  s.sends("ann", repeated('c', 100)).expect_silence();
  s.advance(11s).expect_silence();
  s.sends("ann", "d").expect_silence();
  s.advance(9'999ms).expect_silence();
  s.sends("ann", "e").expect_silence();
  s.advance(1ms).expect({"app: ann lost"});
  CHECK(s.slow == 1);
  s.gets("ann").expect({"ann" + kUnknown});
}

TEST_CASE("a client that fetches in time gets a burst of any size that may wait, part by part",
          "[signaling]") {
  Scenario s({.ping_interval = 10min, .max_waiting = 100});
  s.polls("ann");
  for (const char c : {'a', 'b', 'c', 'd'}) s.sends("ann", repeated(c, 60)).expect_silence();
  s.advance(9s).expect_silence();
  s.gets("ann").expect({"ann 200 4" + repeated('a', 60)});
  s.advance(9s).expect_silence();
  s.gets("ann").expect({"ann 200 4" + repeated('b', 60)});
  s.sends("ann", repeated('e', 30)).expect_silence();
  s.gets("ann").expect({"ann 200 4" + repeated('c', 60)});
  // What is left may always wait.
  s.advance(1min).expect_silence();
  s.gets("ann").expect({"ann 200 4" + repeated('d', 60) + "|4" + repeated('e', 30)});
  s.gets("ann").expect_silence();
  s.sends("ann", "f").expect({"ann 200 4f"});
  CHECK(s.slow == 0);
}

TEST_CASE("a client that changes to a WebSocket has fetched what waits", "[signaling]") {
  Scenario s({.max_waiting = 10});
  s.polls("ann");
  s.upgrades("ann");
  s.frames("ann", "2probe");
  s.sends("ann", repeated('a', 16));
  s.frames("ann", "5").expect({"ann: 4" + repeated('a', 16)});
  s.advance(11s).expect_silence();
  CHECK(s.slow == 0);
}

TEST_CASE("a WebSocket that takes over gets what waits in parts that it may hold, and the rest behind them",
          "[signaling]") {
  Scenario s({.ping_interval = 10min, .max_waiting = 100});
  s.polls("ann");
  s.upgrades("ann");
  s.frames("ann", "2probe");
  for (const char c : {'a', 'b', 'c', 'd'}) s.sends("ann", repeated(c, 20));
  s.sends("ann", repeated('e', 300));
  const std::string more = "ann says when this is sent";
  s.frames("ann", "5").expect({"ann: 4" + repeated('a', 20), "ann: 4" + repeated('b', 20), more});
  s.sends("ann", "f").expect_silence();
  s.advance(9s).expect_silence();
  s.has_sent("ann").expect({"ann: 4" + repeated('c', 20), "ann: 4" + repeated('d', 20), more});
  s.advance(9s).expect_silence();
  s.has_sent("ann").expect({"ann: 4" + repeated('e', 300), more});
  SECTION("until nothing waits") {
    s.has_sent("ann").expect({"ann: 4f"});
    s.sends("ann", "g").expect({"ann: 4g"});
    s.advance(1min).expect_silence();
    CHECK(s.slow == 0);
  }
  SECTION("at any time, while no more waits than may") {
    s.advance(1min).expect_silence();
    s.has_sent("ann").expect({"ann: 4f"});
    CHECK(s.slow == 0);
  }
  SECTION("while it sends one in ten seconds, when more waits") {
    for (int i = 0; i < 3; ++i) s.sends("ann", repeated('x', 100)).expect_silence();
    s.advance(0s).expect_silence();
    s.advance(9s).expect_silence();
    s.advance(1s).expect({"ann closed", "app: ann lost"});
    CHECK(s.slow == 1);
  }
  SECTION("while not too much waits") {
    for (int i = 0; i < 8; ++i) s.sends("ann", repeated('x', 100)).expect_silence();
    s.advance(0s).expect({"ann closed", "app: ann lost"});
    CHECK(s.slow == 1);
  }
  SECTION("while it is there") {
    s.loses_wire("ann").expect({"app: ann lost"});
    s.has_sent("ann").expect_silence();
  }
}

TEST_CASE("a ping passes what waits for a WebSocket that takes over", "[signaling]") {
  Scenario s({.ping_interval = 5s, .ping_timeout = 5s, .max_waiting = 100});
  s.polls("ann");
  s.upgrades("ann");
  s.frames("ann", "2probe");
  s.sends("ann", repeated('a', 60));
  s.sends("ann", repeated('b', 30));
  s.frames("ann", "5").expect({"ann: 4" + repeated('a', 60), "ann says when this is sent"});
  s.advance(5s).expect({"ann: 2"});
  s.frames("ann", "3").expect_silence();
  s.has_sent("ann").expect({"ann: 4" + repeated('b', 30)});
}

TEST_CASE("the parts for a WebSocket count empty messages too", "[signaling]") {
  Scenario s({.max_waiting = 20, .max_packets = 6});
  s.polls("ann");
  s.upgrades("ann");
  for (int i = 0; i < 4; ++i) s.sends("ann", "");
  s.frames("ann", "5").expect({"ann: 4", "ann: 4", "ann: 4", "ann says when this is sent"});
  s.has_sent("ann").expect({"ann: 4"});
}

TEST_CASE("the octets that wait for a client are limited, however soon it fetches them", "[signaling]") {
  Scenario s({.max_waiting = 100});
  s.polls("ann");
  for (int i = 0; i < 8; ++i) s.sends("ann", repeated('a', 100)).expect_silence();
  s.advance(0s).expect_silence();
  s.sends("ann", "b").expect_silence();
  s.sends("ann", "c").expect_silence();
  s.advance(0s).expect({"app: ann lost"});
  CHECK(s.slow == 1);
}

TEST_CASE("what waits beyond the limits of all clients together is limited", "[signaling]") {
  Scenario s({.max_waiting = EngineIoQueue::kMaxExcess / 4});
  for (const std::string name : {"ann", "bob", "carl"}) s.polls(name);
  s.sends("ann", repeated('a', EngineIoQueue::kMaxExcess / 4 * 5)).expect_silence();
  s.sends("bob", repeated('b', EngineIoQueue::kMaxExcess / 4)).expect_silence();
  s.advance(0s).expect_silence();
  s.sends("bob", "b").expect_silence();
  s.advance(0s).expect({"app: bob lost"});
  CHECK(s.gets("ann").all.size() == 1);
  s.sends("carl", repeated('c', EngineIoQueue::kMaxExcess / 4 + 1)).expect_silence();
  s.advance(0s).expect_silence();
  CHECK(s.slow == 1);
}

TEST_CASE("a client that asks in time gets all that comes at once, before anything has to wait",
          "[signaling]") {
  Scenario s({.max_waiting = 100});
  s.polls("ann");
  s.gets("ann").expect_silence();
  s.sends_at_once(
       "ann", {repeated('a', 40), repeated('b', 40), repeated('c', 60), repeated('d', 10), repeated('e', 30)})
      .expect({"ann 200 4" + repeated('a', 40) + "|4" + repeated('b', 40)});
  s.gets("ann").expect(
      {"ann 200 4" + repeated('c', 60) + "|4" + repeated('d', 10) + "|4" + repeated('e', 30)});
  // Nothing has to wait of what goes at once, whatever its size.
  s.gets("ann").expect_silence();
  s.sends("ann", repeated('g', 101)).expect({"ann 200 4" + repeated('g', 101)});
  // That answer has left, so what comes now waits for the next.
  s.sends("ann", "f").expect_silence();
  s.gets("ann").expect({"ann 200 4f"});
  s.gets("ann").expect_silence();
  s.sends_at_once("ann", {repeated('a', 90), repeated('b', 60), repeated('c', 60)})
      .expect({"ann 200 4" + repeated('a', 90)});
  s.advance(10s).expect({"app: ann lost"});
  CHECK(s.slow == 1);
}

TEST_CASE("the packets that wait for a client that does not read are limited", "[signaling]") {
  Scenario s({.max_packets = 3});
  s.polls("ann");
  for (int i = 0; i < 3; ++i) s.sends("ann", "");
  s.advance(11s).expect_silence();
  s.sends("ann", "");
  s.advance(9s).expect_silence();
  s.gets("ann").expect({"ann 200 4|4|4|4"});
  for (int i = 0; i < 4; ++i) s.sends("ann", "");
  SECTION("for longer than ten seconds") {
    s.posts("ann", "3");
    s.advance(10s).expect({"app: ann lost"});
  }
  SECTION("or when there are far more of them") {
    for (int i = 4; i < 25; ++i) s.sends("ann", "");
    s.gets("ann").expect_silence();
    s.advance(0s).expect({"ann 200 1", "app: ann lost"});
  }
  CHECK(s.slow == 1);
}

TEST_CASE("a client that makes too much for itself is ended by that very request", "[signaling]") {
  Scenario s({.max_waiting = 10});
  s.polls("ann");
  s.app.heard = [&](SessionKey session, std::string_view, EngineIo::Output& out) {
    s.engine().send(session, repeated('x', 27), false, out);
  };
  s.posts("ann", "4one|4two|4three|4never")
      .expect({"ann 200 ok", "app: ann one", "app: ann two", "app: ann three", "app: ann lost"});
  CHECK(s.slow == 1);
}

TEST_CASE("a ping may exceed the limit of waiting packets", "[signaling]") {
  Scenario s({.max_packets = 1});
  s.polls("ann");
  s.sends("ann", "x");
  s.advance(25s).expect_silence();
  s.gets("ann").expect({"ann 200 4x|2"});
}

}  // namespace
}  // namespace turnpike::signaling
