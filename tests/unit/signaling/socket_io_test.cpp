#include "turnpike/signaling/socket_io.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "support/nested_json.hpp"
#include "support/socket_io_scenario.hpp"

namespace turnpike::signaling {
namespace {

using namespace test;

const SocketIoSetup kEcho{.preset = Preset::echo};

// --- Connecting
TEST_CASE("CONNECT is answered with an id of its own", "[signaling]") {
  SocketIoScenario s;
  s.connects("ann").expect({R"(ann: 40{"sid":"<ann>"})"});
  CHECK(s.id("ann") != s.sid("ann"));
  s.connects("bob", R"({"token":"x","a":1.10})").expect({R"(bob: 40{"sid":"<bob>"})"});
  CHECK(s.hub.members() == 2);
}

TEST_CASE("CONNECT is answered over polling too", "[signaling]") {
  SocketIoScenario s;
  s.opens("ann");
  s.gets("ann").expect_silence();
  s.posts("ann", "40").expect({"ann 200 ok", R"(ann 200 40{"sid":"<ann>"})"});
  s.posts("ann", R"(421["join_room","blue"]|422["nickname","Ann"])").expect({"ann 200 ok"});
  s.gets("ann").expect({"ann 200 431[]|432[]"});
}

TEST_CASE("a preset decides on namespaces; CONNECT's payload comes back letter by letter", "[signaling]") {
  SocketIoScenario s(kEcho);
  s.connects("ann").expect({R"(ann: 40{"sid":"<ann>"})", R"(ann: 42["auth",{}])"});
  s.frames("ann", R"(40/custom,{ "a" :1.10})")
      .expect({R"(ann: 40/custom,{"sid":"<ann>"})", R"(ann: 42/custom,["auth",{ "a" :1.10}])"});
  s.frames("ann", "40/x").expect({R"(ann: 44/x,{"message":"Invalid namespace"})"});
  s.frames("ann", R"(42/custom,["message",1])").expect({R"(ann: 42/custom,["message-back",1])"});
  s.emits("ann", R"(["message",2])").expect({R"(ann: 42["message-back",2])"});
  SocketIoScenario course;
  course.connects("ann");
  course.frames("ann", "40/custom,{}").expect({R"(ann: 44/custom,{"message":"Invalid namespace"})"});
}

TEST_CASE("a malformed packet, or one at the wrong time, ends the session", "[signaling]") {
  for (const std::string text : {"40", R"(42/custom,["x"])", "41/custom,", R"(43/custom,1[])", "4", "47",
                                 "40[]", R"(44{"message":"x"})", R"(42["disconnect"])", R"(42["x")", "42[]",
                                 R"(451-["x"])", R"(451-/custom,["x",{"_placeholder":true,"num":0}])"}) {
    CAPTURE(text);
    SocketIoScenario s(kEcho);
    s.connects("ann");
    s.frames("ann", text).expect({"ann closed"});
    CHECK(s.hub.members() == 0);
  }
}

TEST_CASE("before CONNECT, no other packet is accepted", "[signaling]") {
  for (const std::string text : {R"(42["x"])", "41", "431[]", R"(42/custom,["x"])", R"(450-["x"])",
                                 R"(451-["x",{"_placeholder":true,"num":0}])"}) {
    CAPTURE(text);
    SocketIoScenario s;
    s.opens_wire("ann");
    s.frames("ann", text).expect({"ann closed"});
  }
  SocketIoScenario s;
  s.opens_wire("ann");
  s.frames("ann", "\1", true).expect({"ann closed"});
}

TEST_CASE("CONNECT has a deadline", "[signaling]") {
  SocketIoScenario s;
  s.opens_wire("ann");
  s.frames("ann", "40/x").expect({R"(ann: 44/x,{"message":"Invalid namespace"})"});
  s.opens_wire("bob");
  s.frames("bob", "40");
  s.advance(25s).expect_unordered({"ann: 2", "bob: 2"});
  s.frames("ann", "3");
  s.frames("bob", "3");
  s.advance(20s - 1ms).expect_silence();
  s.advance(1ms).expect({"ann closed"});
  CHECK(s.is_open("bob"));
}

TEST_CASE("DISCONNECT leaves a namespace, and the session stays", "[signaling]") {
  SocketIoScenario s(kEcho);
  s.connects("ann");
  s.frames("ann", "40/custom");
  s.frames("ann", "41").expect_silence();
  CHECK(s.hub.members() == 1);
  s.frames("ann", R"(42/custom,["message",1])").expect({R"(ann: 42/custom,["message-back",1])"});
  s.frames("ann", "40").expect({R"(ann: 40{"sid":"<ann>"})", R"(ann: 42["auth",{}])"});
  s.frames("ann", "41");
  s.emits("ann", R"(["message",1])").expect({"ann closed"});
}

// --- Events and acknowledgements
TEST_CASE("events come back letter by letter", "[signaling]") {
  SocketIoScenario s(kEcho);
  s.connects("ann");
  for (const std::string json : {"1", "1.0,-0,1e400", "null", R"("a\u0041é\"]")", R"({ "b" : 1.10 },[ ],{})",
                                 R"({"_placeholder":true,"num":7})"}) {
    CAPTURE(json);
    s.emits("ann", R"(["message",)" + json + "]").expect({R"(ann: 42["message-back",)" + json + "]"});
    s.frames("ann", R"(427["message-with-ack",)" + json + "]").expect({"ann: 437[" + json + "]"});
  }
  s.emits("ann", R"(["message"])").expect({R"(ann: 42["message-back"])"});
  s.emits("ann", " [ \"message\" ,\t1 ] ").expect({R"(ann: 42["message-back",1])"});
  s.frames("ann", R"(421["message-with-ack"])").expect({"ann: 431[]"});
  s.frames("ann", R"(42["message-with-ack",1])").expect_silence();
  s.frames("ann", R"(4218446744073709551615["message-with-ack"])").expect({"ann: 4318446744073709551615[]"});
  s.frames("ann", "437[1]").expect_silence();  // of something that nobody asked for
  s.emits("ann", R"(["message",)" + nested_arrays(31) + "]")
      .expect({R"(ann: 42["message-back",)" + nested_arrays(31) + "]"});
  s.emits("ann", R"(["message",)" + nested_arrays(32) + "]").expect({"ann closed"});
}

TEST_CASE("an ack id that no number holds closes", "[signaling]") {
  SocketIoScenario s(kEcho);
  s.connects("ann");
  s.frames("ann", R"(4218446744073709551616["message-with-ack"])").expect({"ann closed"});
}

// --- Attachments
TEST_CASE("octets follow their packet", "[signaling]") {
  SocketIoScenario s(kEcho);
  s.connects("ann");
  s.frames("ann", R"(452-["message",{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}])")
      .expect_silence();
  s.frames("ann", "\1\2", true).expect_silence();
  s.frames("ann", "", true)
      .expect(
          {R"(ann: 452-["message-back",{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}])",
           "ann# \1\2", "ann# "});
  s.frames("ann", R"(451-/,9["message-with-ack",{"_placeholder":true,"num":0}])");
  s.frames("ann", "x", true).expect({R"(ann: 461-9[{"_placeholder":true,"num":0}])", "ann# x"});
  s.frames("ann", R"(450-["message",1])").expect({R"(ann: 42["message-back",1])"});
  s.frames("ann", R"(461-1[{"_placeholder":true,"num":0}])");
  s.frames("ann", "x", true).expect_silence();
}

TEST_CASE("nothing comes between a packet and its octets", "[signaling]") {
  for (const std::string text : {R"(42["message"])", "41", "40/custom"}) {
    SocketIoScenario s(kEcho);
    s.connects("ann");
    s.frames("ann", R"(451-["message",{"_placeholder":true,"num":0}])");
    s.frames("ann", text).expect({"ann closed"});
  }
  SocketIoScenario s(kEcho);
  s.connects("ann");
  s.frames("ann", "\1", true).expect({"ann closed"});
  s.connects("bob");
  s.frames("bob", R"(451-["message",{"_placeholder":true,"num":0}])");
  s.frames("bob", "\1", true);
  s.frames("bob", "\2", true).expect({"bob closed"});
  // A pong may come between them, because it belongs to Engine.IO.
  s.connects("carl");
  s.frames("carl", R"(451-["message",{"_placeholder":true,"num":0}])");
  s.frames("carl", "3").expect_silence();
  CHECK(s.frames("carl", "\2", true).count("carl# ") == 1);
}

TEST_CASE("the octets of a packet that is not whole yet are limited", "[signaling]") {
  SocketIoScenario s(kEcho);
  s.connects("ann");
  s.frames(
      "ann",
      R"(453-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}])");
  const std::string mebibyte(1 << 20, 'x');
  s.frames("ann", mebibyte, true).expect_silence();
  s.frames("ann", mebibyte, true).expect_silence();
  CHECK(s.frames("ann", mebibyte, true).count("ann closed") == 1);
  const std::vector<Refused> refused = s.socket_io.take_refused();
  REQUIRE(refused.size() == 1);
  CHECK(code_of(refused[0].why) == "message");
  CHECK(key_of(refused[0].why) == "signaling.max_payload");
}

TEST_CASE("attachments may be as long together as one message", "[signaling]") {
  constexpr std::uint32_t kLongest = 3 << 20;
  SocketIoScenario s({.preset = Preset::echo, .engine = {.max_payload = kLongest}});
  s.connects("ann");
  const std::string event = R"(451-["message",{"_placeholder":true,"num":0}])";
  s.frames("ann", event);
  CHECK(s.frames("ann", std::string(kLongest, 'x'), true).count("message-back") == 1);
  s.step(__LINE__, [&](EngineIo::Output& out) {
    s.socket_io.set({.preset = Preset::echo, .max_payload = 1}, s.now(), out);
  });
  s.frames("ann", event);
  CHECK(s.frames("ann", std::string(kLongest, 'x'), true).count("message-back") == 1);  // as it was told
  s.connects("bob");
  s.frames("bob", event);
  s.frames("bob", std::string(kLongest, 'x'), true).expect({"bob closed"});
}

// --- Tokens
TEST_CASE("a token is asked for, in CONNECT or in the header", "[signaling]") {
  const std::string token = sign_token(R"({"exp":1735693200,"room":"blue"})", "south");
  SocketIoScenario s({.access = Access::token, .token_secrets = {"south"}, .list_rooms = false});
  s.connects("ann").expect(
      {R"(ann: 44{"message":"This server requires a token.","data":{"code":"token-required"}})"});
  CHECK(s.frames("ann", R"(40{"token":"wrong"})").count(R"({"code":"token-invalid"})") == 1);
  CHECK(s.frames("ann", R"(40{"token":5})").count(R"({"code":"token-required"})") == 1);
  CHECK(s.hub.members() == 0);
  s.frames("ann", R"(40{"token":")" + token + "\"}").expect({R"(ann: 40{"sid":"<ann>"})"});
  s.frames("ann", R"(421["join_room","red"])").expect({R"(ann: 431[{"error":"token-invalid"}])"});
  s.frames("ann", R"(422["join_room","blue"])").expect({"ann: 432[]"});
  s.opens_wire("bob", token);
  s.frames("bob", "40").expect({R"(bob: 40{"sid":"<bob>"})"});
  s.opens_wire("carl", token);
  CHECK(s.frames("carl", R"(40{"token":"wrong"})").count("token-invalid") == 1);
  s.advance_asleep(2h);
  s.opens_wire("dora", token);
  CHECK(s.frames("dora", "40").count("token-expired") == 1);
}

// --- Recovery
const SocketIoSetup kRecovering{.recovery = 2min};

// Ann and Bob are in blue, and the events until now are taken.
struct Recovering : SocketIoScenario {
  explicit Recovering(const SocketIoSetup& setup = kRecovering) : SocketIoScenario(setup) {
    join("blue", {"ann", "bob"});
  }
  Lines chats(const std::string& text, int line = __builtin_LINE()) {
    return emits("bob", R"(["chat",")" + text + R"(","blue"])", line);
  }
  Lines comes_back(const std::string& as, const std::string& offset, int line = __builtin_LINE()) {
    return connects(as, R"({"pid":"<ann's pid>","offset":")" + offset + "\"}", line);
  }
};

// Returns the answer to CONNECT.
std::string answer(const std::string& who) {
  return who + R"(: 40{"sid":"<)" + who + R"(>","pid":"<)" + who + "'s pid>\"}";
}

TEST_CASE("CONNECT tells what to come back with, and events count", "[signaling]") {
  SocketIoScenario s(kRecovering);
  s.connects("ann").expect({answer("ann")});
  CHECK(s.id("ann's pid") != s.id("ann"));
  s.connects("bob");
  s.emits("ann", R"(["join_room","blue"])");
  s.emits("bob", R"(["join_room","blue"])").expect({R"(ann: 42["welcome","Anon",2,"1"])"});
  s.emits("bob", R"(["chat","x","blue"])").expect({R"(ann: 42["chat","x","2"])"});
}

TEST_CASE("a socket that was cut off gets the events that it has missed", "[signaling]") {
  Recovering s;  // ann was welcomed bob with offset 1
  s.chats("seen").expect({R"(ann: 42["chat","seen","2"])"});
  s.chats("lost on the way").expect({R"(ann: 42["chat","lost on the way","3"])"});
  const std::string id = s.id("ann");
  s.loses_wire("ann").expect_silence();
  s.chats("while away").expect_silence();
  s.advance(2s).expect_silence();
  const Lines back = s.comes_back("ann", "2");
  back.expect(
      {answer("ann"), R"(ann: 42["chat","lost on the way","3"])", R"(ann: 42["chat","while away","4"])"});
  CHECK(s.id("ann") == id);
  s.chats("again").expect({R"(ann: 42["chat","again","5"])"});
  s.emits("ann", R"(["chat","hi","blue"])").expect({R"(bob: 42["chat","hi","1"])"});
}

TEST_CASE("a socket whose loss was reported is welcomed back", "[signaling]") {
  Recovering s;
  s.loses_wire("ann");
  s.advance(3s).expect({R"(bob: 42["bye","Anon",1,"1"])", R"(bob: 42["leave_room","<ann>","Anon","2"])"});
  s.chats("while away").expect_silence();
  s.comes_back("ann", "1")
      .expect({answer("ann"), R"(bob: 42["welcome","Anon",2,"3"])", R"(ann: 42["chat","while away","2"])"});
}

TEST_CASE("a CONNECT with other values makes a new socket", "[signaling]") {
  Recovering s;
  s.chats("x");
  const std::string id = s.id("ann");
  std::string auth = R"({"pid":"<ann's pid>","offset":"2"})";
  SECTION("another pid") { auth = R"({"pid":"AAAAAAAAAAAAAAAAAAAAAA","offset":"2"})"; }
  SECTION("no pid") { auth = R"({"offset":"2"})"; }
  SECTION("the id in its place") { auth = R"({"pid":"<ann>","offset":"2"})"; }
  SECTION("an offset to come") { auth = R"({"pid":"<ann's pid>","offset":"3"})"; }
  SECTION("no text") { auth = R"({"pid":"<ann's pid>","offset":2})"; }
  SECTION("no number") { auth = R"({"pid":"<ann's pid>","offset":"2x"})"; }
  SECTION("too large a number") { auth = R"({"pid":"<ann's pid>","offset":"99999999999999999999"})"; }
  s.loses_wire("ann");
  auth = s.with_ids(auth);
  s.connects("new", auth).expect({answer("new")});
  CHECK(s.id("new") != id);
  CHECK(s.emits("new", R"(["chat","x","blue"])").count("not-joined") == 1);
}

TEST_CASE("a socket with too old an offset, or after its time, is a new one", "[signaling]") {
  SECTION("too many events") {
    Recovering s;
    for (int i = 0; i < 1000; ++i) s.chats("x");
    s.loses_wire("ann");
    const std::string pid = s.id("ann's pid");
    s.connects("new", R"({"pid":")" + pid + R"("})").expect({answer("new")});
    const Lines back = s.connects("old", R"({"pid":")" + pid + R"(","offset":"1"})");
    CHECK(back.all.size() == 1001);
    CHECK(s.hub.members() == 3);
  }
  SECTION("too many octets") {
    Recovering s;
    const std::string large(60'000, 'x');
    for (int i = 0; i < 5; ++i) s.chats(large);  // offsets 2 to 6, of which four are kept
    s.loses_wire("ann");
    const std::string pid = s.id("ann's pid");
    s.connects("new", R"({"pid":")" + pid + R"(","offset":"1"})").expect({answer("new")});
    CHECK(s.connects("old", R"({"pid":")" + pid + R"(","offset":"2"})").all.size() == 5);
  }
  SECTION("too late") {
    Recovering s;
    s.loses_wire("ann");
    s.advance(2min - 1ms);
    CHECK(s.hub.members() == 2);
    s.advance(1ms);
    CHECK(s.hub.members() == 1);
    const std::string id = s.id("ann");
    s.comes_back("ann", "1").expect({answer("ann")});
    CHECK(s.id("ann") != id);
  }
  SECTION("after DISCONNECT") {
    Recovering s;
    s.frames("ann", "41");
    const std::string id = s.id("ann");
    s.comes_back("ann", "1");
    CHECK(s.id("ann") != id);
  }
}

TEST_CASE("a socket may come back before its old session is known to have ended", "[signaling]") {
  Recovering s;
  s.chats("x");
  const std::string id = s.id("ann");
  s.comes_back("new", "1")
      .expect({R"(new: 40{"sid":"<ann>","pid":"<ann's pid>"})", R"(new: 42["chat","x","2"])"});
  CHECK(s.id("new") == id);
  s.chats("y").expect({R"(new: 42["chat","y","3"])"});
  s.advance(0s).expect({"ann closed"});
  CHECK(s.hub.members() == 2);
  s.chats("z").expect({R"(new: 42["chat","z","4"])"});
  s.loses_wire("new");
  s.advance(3s);
  CHECK(s.chats("w").all.empty());
}

TEST_CASE("a namespace recovers its own sockets", "[signaling]") {
  SocketIoScenario s({.preset = Preset::echo, .recovery = 2min});
  s.connects("ann");
  const std::string pid = s.id("ann's pid");
  const std::string id = s.id("ann");
  s.frames("ann", "40/custom");
  s.loses_wire("ann");
  s.opens_wire("new");
  s.frames("new", R"(40/custom,{"pid":")" + pid + R"(","offset":"1"})");
  CHECK(s.hub.members() == 3);
  s.frames("new", R"(40{"pid":")" + pid + R"(","offset":"1"})");
  CHECK(s.id("ann") != id);
  CHECK(s.hub.members() == 3);
  s.emits("new", R"(["message",1])").expect({R"(new: 42["message-back",1,"2"])"});
}

TEST_CASE("attachments count among what is kept for a socket that is cut off", "[signaling]") {
  Recovering s;
  s.loses_wire("ann");
  const std::string large(60'000, 'x');
  for (int i = 0; i < 5; ++i) {
    s.frames("bob", R"(451-["photo",{"_placeholder":true,"num":0},"blue"])");
    s.frames("bob", large, true);
  }
  s.advance(0s);
  CHECK(s.hub.members() == 1);  // it would have come back with gaps
  const std::string id = s.id("ann");
  s.comes_back("ann", "1");
  CHECK(s.id("ann") != id);
}

}  // namespace
}  // namespace turnpike::signaling
