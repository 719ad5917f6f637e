#include <catch2/catch.hpp>
#include <string>

#include "support/socket_io_scenario.hpp"

namespace turnpike::signaling {
namespace {

using namespace test;

// Returns the event that a client gets that asked for no acknowledgement.
std::string told(const std::string& who, const std::string& event, Refusal refusal) {
  return who + R"(: 42["error",{"event":")" + event + R"(","code":")" + std::string(code_of(refusal)) +
         R"(","message":")" + std::string(message_of(refusal)) + "\"}]";
}

// Ann and Bob are in blue, and all earlier events are taken.
struct Course : SocketIoScenario {
  explicit Course(std::initializer_list<std::string> who, const SocketIoSetup& setup = {})
      : SocketIoScenario(setup) {
    join("blue", who);
  }
};

TEST_CASE("rooms are joined by either event, acked, and others are told", "[signaling]") {
  SocketIoScenario s;
  for (const std::string name : {"ann", "bob", "carl"}) s.connects(name);
  s.frames("ann", R"(421["join_room","blue"])").expect({"ann: 431[]"});
  s.emits("bob", R"(["nickname","Bob"])").expect_silence();
  s.frames("bob", R"(422["enter_room","blue"])")
      .expect_unordered({"bob: 432[]", R"(ann: 42["welcome","Bob",2])"});
  s.frames("bob", R"(423["enter_room","blue"])").expect({"bob: 433[]"});
  s.emits("carl", R"(["join_room","blue"])")
      .expect_unordered({R"(ann: 42["welcome","Anon",3])", R"(bob: 42["welcome","Anon",3])"});
}

TEST_CASE("a member with a nickname gets the list of members, with itself at the end", "[signaling]") {
  SocketIoScenario s({.limits = {.members_per_room = 2}});
  for (const std::string name : {"ann", "bob", "carl"}) s.connects(name);
  s.emits("ann", R"(["join_room","blue","Ann"])")
      .expect({R"(ann: 42["accept_join",[{"socketId":"<ann>","nickname":"Ann"}]])"});
  s.frames("bob", R"(425["enter_room","blue","Bob"])")
      .expect(
          {R"(bob: 42["accept_join",[{"socketId":"<ann>","nickname":"Ann"},{"socketId":"<bob>","nickname":"Bob"}]])",
           "bob: 435[]", R"(ann: 42["welcome","Bob",2])"});
  s.emits("carl", R"(["join_room","blue","Carl"])").expect({R"(carl: 42["reject_join"])"});
  s.frames("carl", R"(421["join_room","blue"])")
      .expect({R"(carl: 42["reject_join"])", R"(carl: 431[{"error":"room-full"}])"});
  s.emits("carl", R"(["chat","x","blue"])").expect({told("carl", "chat", Refusal::not_joined)});
  s.emits("bob", R"(["leave_room","blue"])")
      .expect({R"(ann: 42["bye","Bob",1])", R"(ann: 42["leave_room","<bob>","Bob"])"});
  s.emits("carl", R"(["join_room","blue"])").expect({R"(ann: 42["welcome","Carl",2])"});
}

TEST_CASE("names of rooms and members are checked", "[signaling]") {
  SocketIoScenario s({.limits = {.rooms_per_member = 1}});
  s.connects("ann");
  const std::string long_name(65, 'x');
  for (const std::string room : {"\"\"", "true", "null", "\"a\\n\"", "{}", "[5]"}) {
    CAPTURE(room);
    s.frames("ann", R"(421["join_room",)" + room + "]").expect({R"(ann: 431[{"error":"bad-room"}])"});
  }
  s.frames("ann", R"(421["join_room"])").expect({R"(ann: 431[{"error":"bad-room"}])"});
  s.frames("ann", R"(421["join_room",")" + long_name + "\"]").expect({R"(ann: 431[{"error":"bad-room"}])"});
  s.frames("ann", R"(421["join_room","blue",")" + long_name + "\"]")
      .expect({R"(ann: 431[{"error":"bad-name"}])"});
  s.emits("ann", R"(["join_room"])").expect({told("ann", "join_room", Refusal::bad_room)});
  s.frames("ann", R"(421["join_room","blue"])").expect({"ann: 431[]"});
  s.frames("ann", R"(421["join_room","red"])").expect({R"(ann: 431[{"error":"too-many-rooms"}])"});
  s.frames("ann", R"(421["leave_room","green"])").expect({"ann: 431[]"});
  CHECK(s.hub.rooms() == 1);
  // The answer has no octets, although the question had some.
  s.frames("ann", R"(451-7["join_room",{"_placeholder":true,"num":0}])");
  s.frames("ann", "x", true).expect({R"(ann: 437[{"error":"bad-room"}])"});
}

TEST_CASE("members of the plain protocol hear of a new nickname", "[signaling]") {
  Course s({"ann", "bob"});
  s.plain_joins("pat", "blue");
  s.emits("ann", R"(["nickname","A \"nn\""])")
      .expect({R"(pat> {"type":"peer-renamed","id":"<ann>","name":"A \"nn\""})"});
  s.emits("ann", R"(["nickname","A \"nn\""])").expect_silence();
  s.emits("ann", R"(["nickname",""])").expect({R"(pat> {"type":"peer-renamed","id":"<ann>","name":""})"});
  s.emits("ann", R"(["join_room","blue","Anna"])")
      .expect_unordered(
          {R"(ann: 42["accept_join",[{"socketId":"<bob>","nickname":"Anon"},{"socketId":"<pat>","nickname":"pat"},{"socketId":"<ann>","nickname":"Anna"}]])",
           R"(pat> {"type":"peer-renamed","id":"<ann>","name":"Anna"})"});
}

TEST_CASE("a name does not reorder the text around it", "[signaling]") {
  SocketIoScenario s;
  s.connects("ann");
  for (const std::string character : {"\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066", "\u2067",
                                      "\u2068", "\u2069", "\xC2\x85"}) {
    CAPTURE(character);
    s.frames("ann", "421[\"nickname\",\"a" + character + "b\"]")
        .expect({R"(ann: 431[{"error":"bad-name"}])"});
    s.frames("ann", "421[\"join_room\",\"a" + character + "b\"]")
        .expect({R"(ann: 431[{"error":"bad-room"}])"});
  }
  // These names are emoji of several characters, and texts from right to left with their marks.
  for (const std::string name : {"\U0001F469\u200D\U0001F4BB", "\u05D0\u05DC\u200F!",
                                 "\u0645\u0631\u061C\u062D\u0628\u0627", "a\u200Eb"}) {
    CAPTURE(name);
    s.frames("ann", "421[\"nickname\",\"" + name + "\"]").expect({"ann: 431[]"});
  }
}

TEST_CASE("messages are signed, chat is not", "[signaling]") {
  Course s({"ann", "bob", "carl"});
  s.frames("ann", R"(421["new_message","hello","blue"])")
      .expect_unordered({"ann: 431[]", R"(bob: 42["new_message","Anon: hello"])",
                         R"(carl: 42["new_message","Anon: hello"])"});
  s.frames("ann", R"(422["nickname","Ann"])").expect({"ann: 432[]"});
  s.emits("ann", R"(["nickname",{}])").expect({told("ann", "nickname", Refusal::bad_name)});
  s.frames("ann", R"(423["nickname","a\nb"])").expect({R"(ann: 433[{"error":"bad-name"}])"});
  s.emits("ann", R"(["new_message","\u00e9 \"q\"","blue"])")
      .expect_unordered(
          {R"(bob: 42["new_message","Ann: é \"q\""])", R"(carl: 42["new_message","Ann: é \"q\""])"});
  s.emits("ann", R"(["chat","plain\u0041","blue"])")
      .expect_unordered({R"(bob: 42["chat","plain\u0041"])", R"(carl: 42["chat","plain\u0041"])"});
  s.emits("ann", R"(["new_message",5,"blue"])")
      .expect_unordered({R"(bob: 42["new_message","Ann: 5"])", R"(carl: 42["new_message","Ann: 5"])"});
  struct Case {
    std::string name, arguments;
    Refusal refusal;
  };
  const Case cases[] = {
      {"chat", R"(,"x","red")", Refusal::not_joined},
      {"new_message", R"(,"x","red")", Refusal::not_joined},
      {"chat", R"(,"x")", Refusal::bad_room},
      {"new_message", R"(,"x")", Refusal::bad_room},
      {"new_message", R"(,{},"blue")", Refusal::bad_message},
      {"chat", "", Refusal::bad_room},
      {"leave_room", "", Refusal::bad_room},
  };
  for (const auto& [name, arguments, refusal] : cases) {
    CAPTURE(name, arguments);
    const std::string event = "[\"" + name + '"' + arguments + ']';
    s.emits("ann", event).expect({told("ann", name, refusal)});
    s.frames("ann", "429" + event)
        .expect({"ann: 439[{\"error\":\"" + std::string(code_of(refusal)) + "\"}]"});
  }
}

TEST_CASE("offers go to a room or to a socket, with the sender's id", "[signaling]") {
  Course s({"ann", "bob", "carl"});
  for (const std::string event : {"offer", "answer", "ice", "candidate", "anything"}) {
    const std::string head = ": 42[\"" + event + "\",";
    for (const std::string data : {R"({"type":"offer","sdp":"v=0\r\n"})", "null", "1.10", "[ 1 ]"}) {
      CAPTURE(event, data);
      s.emits("ann", "[\"" + event + "\"," + data + R"(,"blue"])")
          .expect_unordered({"bob" + head + data + R"(,"<ann>"])", "carl" + head + data + R"(,"<ann>"])"});
      s.emits("ann", "[\"" + event + "\"," + data + R"(,"<carl>"])")
          .expect({"carl" + head + data + R"(,"<ann>"])"});
      s.frames("ann", "427[\"" + event + "\"," + data + R"(,"<bob>","Ann", 1.0 ,null])")
          .expect_unordered({"ann: 437[]", "bob" + head + data + R"(,"<ann>","Ann",1.0,null])"});
    }
  }
  for (const std::string event : {R"(["offer"])", R"(["offer",1])", R"(["offer",1,null])"}) {
    s.emits("ann", event).expect({told("ann", "offer", Refusal::bad_message)});
  }
  for (const std::string event : {R"(["offer",1,2])", R"(["offer",1,"red"])"}) {
    s.emits("ann", event).expect({told("ann", "offer", Refusal::not_joined)});
  }
  for (const std::string event : {R"(["offer",1,"<ann>"])", R"(["offer",1,"AAAAAAAAAAAAAAAAAAAAAA"])"}) {
    s.emits("ann", event).expect({told("ann", "offer", Refusal::no_such_peer)});
    s.frames("ann", "421" + event).expect({R"(ann: 431[{"error":"no-such-peer"}])"});
  }
}

TEST_CASE("what only the server says is not said by members", "[signaling]") {
  Course s({"ann", "bob"});
  s.plain_joins("pat", "blue");
  for (const std::string event : {"accept_join", "error", "going_away", "reject_join", "room_change",
                                  "token_expired", "token_revoked"}) {
    CAPTURE(event);
    for (const std::string target : {"blue", "<bob>"}) {
      const std::string said = "[\"" + event + "\",1,\"" + target + "\"]";
      s.emits("ann", said).expect({told("ann", event, Refusal::servers_event)});
      s.frames("ann", "427" + said).expect({R"(ann: 437[{"error":"servers-event"}])"});
    }
    s.plain_says("pat", R"({"type":"signal","to":"<bob>","event":")" + event + R"(","data":1})")
        .expect({R"(bob: 42["signal",1,"<pat>"])"});
  }
  // A front end would take it for the end of the member with this id.
  s.plain_says("pat", R"({"type":"signal","to":"<bob>","event":"leave_room","data":"<ann>"})")
      .expect({R"(bob: 42["signal","<ann>","<pat>"])"});
  // Front ends send these events to each other too.
  for (const std::string event : {"welcome", "bye", "auth", "message"}) {
    s.emits("ann", "[\"" + event + R"(",1,"<bob>"])").expect({"bob: 42[\"" + event + R"(",1,"<ann>"])"});
  }
}

TEST_CASE("an event's name may be a number", "[signaling]") {
  Course s({"ann", "bob"});
  s.emits("ann", R"([5,1,"blue"])").expect({R"(bob: 42["5",1,"<ann>"])"});
  s.emits("ann", R"([1.5,1,"blue"])").expect({R"(bob: 42["1.5",1,"<ann>"])"});
}

TEST_CASE("octets are relayed", "[signaling]") {
  Course s({"ann", "bob"});
  s.frames("ann", R"(452-3["photo",{"_placeholder":true,"num":1},"blue",{"_placeholder":true,"num":0}])")
      .expect_silence();
  s.frames("ann", "\1", true).expect_silence();
  s.frames("ann", "\2", true)
      .expect({"ann: 433[]",
               R"(bob: 452-["photo",{"_placeholder":true,"num":1},"<ann>",{"_placeholder":true,"num":0}])",
               "bob# \1", "bob# \2"});
}

TEST_CASE("octets go with the chat, those that it has placeholders for", "[signaling]") {
  Course s({"ann", "bob"});
  s.plain_joins("pat", "blue");
  s.frames("ann", R"(451-3["chat",{"_placeholder":true,"num":0},"blue"])").expect_silence();
  s.frames("ann", "\1\2\3", true)
      .expect_unordered(
          {"ann: 433[]", R"(bob: 451-["chat",{"_placeholder":true,"num":0}])", "bob# \1\2\3",
           R"(pat> {"type":"broadcast","from":"<ann>","event":"chat","data":{"base64":"AQID"}})"});
  // Arguments that are not relayed lose their octets, and the rest gets new numbers.
  s.frames("ann", R"(452-["chat",[1.0,{"_placeholder":true,"num":1}],"blue",{"_placeholder":true,"num":0}])");
  s.frames("ann", "\1", true).expect_silence();
  s.frames("ann", "\2", true)
      .expect_unordered(
          {R"(bob: 451-["chat",[1.0,{"_placeholder":true,"num":0}]])", "bob# \2",
           R"(pat> {"type":"broadcast","from":"<ann>","event":"chat","data":[1.0,{"base64":"Ag=="}]})"});
  s.frames("ann", R"(451-["chat","text","blue",{"_placeholder":true,"num":0}])");
  s.frames("ann", "\1", true)
      .expect_unordered({R"(bob: 42["chat","text"])",
                         R"(pat> {"type":"broadcast","from":"<ann>","event":"chat","data":"text"})"});
}

TEST_CASE("a placeholder without its octets goes to nobody", "[signaling]") {
  Course s({"ann", "bob"});
  s.plain_joins("pat", "blue");
  const std::string placeholder = R"({"_placeholder":true,"num":0})";
  const std::vector<std::string> with_placeholders{placeholder, "[1,{\"a\":" + placeholder + "}]",
                                                   R"({"\u005fplaceholder":true,"num":0})"};
  for (const std::string event : {"chat", "offer", "anything"}) {
    for (const std::string& data : with_placeholders) {
      CAPTURE(event, data);
      s.frames("ann", "427[\"" + event + "\"," + data + R"(,"blue"])")
          .expect({R"(ann: 437[{"error":"bad-message"}])"});
    }
  }
  s.emits("ann", R"(["offer",1,"blue",)" + placeholder + "]")
      .expect({told("ann", "offer", Refusal::bad_message)});
}

TEST_CASE("octets reach members of the plain protocol in base64", "[signaling]") {
  Course s({"ann"});
  s.plain_joins("pat", "blue");
  s.frames("ann",
           R"(452-["photo",{"a":{"_placeholder":true,"num":1}},"<pat>",{"_placeholder":true,"num":0}])");
  s.frames("ann", "\1", true);
  s.frames("ann", "\xff\xfe\x80", true)
      .expect(
          {R"(pat> {"type":"signal","from":"<ann>","event":"photo","data":{"a":{"base64":"//6A"}},"rest":[{"base64":"AQ=="}]})"});
  s.plain_drops("pat").expect_silence();
}

TEST_CASE("all arguments reach members of the plain protocol", "[signaling]") {
  Course s({"ann"});
  s.plain_joins("pat", "blue");
  s.emits("ann", R"(["offer",{},"blue",{"k": 1.0},"Ann",null])")
      .expect(
          {R"(pat> {"type":"broadcast","from":"<ann>","event":"offer","data":{},"rest":[{"k": 1.0},"Ann",null]})"});
  s.emits("ann", R"(["offer",1,"<pat>","Ann"])")
      .expect({R"(pat> {"type":"signal","from":"<ann>","event":"offer","data":1,"rest":["Ann"]})"});
  s.emits("ann", R"(["offer",1,"<pat>"])")
      .expect({R"(pat> {"type":"signal","from":"<ann>","event":"offer","data":1})"});
}

TEST_CASE("a room may be a number", "[signaling]") {
  SocketIoScenario s;
  s.connects("ann");
  s.connects("bob");
  s.frames("ann", R"(421["join_room",5])").expect({"ann: 431[]"});
  s.emits("bob", R"(["join_room","5"])").expect({R"(ann: 42["welcome","Anon",2])"});
  s.emits("bob", R"(["chat","x",5])").expect({R"(ann: 42["chat","x"])"});
  s.emits("bob", R"(["new_message","x",5])").expect({R"(ann: 42["new_message","Anon: x"])"});
  s.emits("bob", R"(["offer","x",5])").expect({R"(ann: 42["offer","x","<bob>"])"});
  s.emits("bob", R"(["leave_room",5])")
      .expect({R"(ann: 42["bye","Anon",1])", R"(ann: 42["leave_room","<bob>","Anon"])"});
}

TEST_CASE("a room, a name and a text may be wrapped, as the first lesson does it", "[signaling]") {
  SocketIoScenario s;
  s.connects("ann");
  s.connects("bob");
  s.frames("ann", R"(421["enter_room",{"payload":"blue"}])").expect({"ann: 431[]"});
  s.frames("bob", R"(421["nickname",{ "payload" : "B\u006fb" }])").expect({"bob: 431[]"});
  s.emits("bob", R"(["join_room","blue"])").expect({R"(ann: 42["welcome","Bob",2])"});
  s.emits("bob", R"(["new_message",{"payload":"hi"},"blue"])")
      .expect({R"(ann: 42["new_message","Bob: hi"])"});
  s.emits("bob", R"(["join_room",{"payload":5}])").expect_silence();
  s.frames("bob", R"(422["leave_room",5])").expect({"bob: 432[]"});
  CHECK(s.hub.rooms() == 1);
  for (const std::string room :
       {R"({"payload":{"payload":"blue"}})", R"({"payload":null})", R"({"room":"blue"})"}) {
    CAPTURE(room);
    s.frames("bob", R"(423["enter_room",)" + room + "]").expect({R"(bob: 433[{"error":"bad-room"}])"});
  }
}

TEST_CASE("a text that was cut inside an emoji is passed on as it came", "[signaling]") {
  Course s({"ann", "bob"});
  s.plain_joins("pat", "blue");
  s.emits("ann", R"(["new_message","cut \ud83d","blue"])")
      .expect_unordered(
          {"bob: 42[\"new_message\",\"Anon: cut \uFFFD\"]",
           "pat> {\"type\":\"broadcast\",\"from\":\"<ann>\",\"event\":\"new_message\",\"data\":\"Anon: cut "
           "\uFFFD\"}"});
  s.emits("ann", R"(["chat","cut \ud83d","blue"])")
      .expect_unordered({R"(bob: 42["chat","cut \ud83d"])",
                         R"(pat> {"type":"broadcast","from":"<ann>","event":"chat","data":"cut \ud83d"})"});
  s.plain_says("pat", R"({"type":"broadcast","data":{"\ude42":"\ud83d"}})")
      .expect_unordered({R"(ann: 42["broadcast",{"\ude42":"\ud83d"},"<pat>"])",
                         R"(bob: 42["broadcast",{"\ude42":"\ud83d"},"<pat>"])"});
  s.frames("ann", "421[\"join_room\",\"r\\ud83d\"]").expect({"ann: 431[]"});
  s.emits("bob", "[\"join_room\",\"r\uFFFD\"]").expect({R"(ann: 42["welcome","Anon",2])"});
}

TEST_CASE("who leaves or drops is missed, in every room", "[signaling]") {
  Course s({"ann", "bob", "carl"});
  s.emits("ann", R"(["nickname","Ann"])");
  for (const std::string name : {"ann", "bob"}) s.emits(name, R"(["join_room","red"])");
  s.loses_wire("ann").expect_unordered(
      {R"(bob: 42["bye","Ann",2])", R"(bob: 42["leave_room","<ann>","Ann"])", R"(carl: 42["bye","Ann",2])",
       R"(carl: 42["leave_room","<ann>","Ann"])", R"(bob: 42["bye","Ann",1])",
       R"(bob: 42["leave_room","<ann>","Ann"])"});
  s.frames("bob", "41").expect({R"(carl: 42["bye","Anon",1])", R"(carl: 42["leave_room","<bob>","Anon"])"});
  s.emits("carl", R"(["offer",1,"<bob>"])").expect({told("carl", "offer", Refusal::no_such_peer)});
}

TEST_CASE("the list of rooms is sent only if this is configured", "[signaling]") {
  Course s({}, {.list_rooms = true});
  s.connects("ann");
  s.connects("bob");
  s.emits("ann", R"(["join_room","blue"])")
      .expect_unordered({R"(ann: 42["room_change",["blue"]])", R"(bob: 42["room_change",["blue"]])"});
  CHECK(s.emits("bob", R"(["join_room","a \"b\""])").count(R"(42["room_change",["a \"b\"","blue"]])") == 2);
  CHECK(s.emits("ann", R"(["leave_room","blue"])").count(R"(42["room_change",["a \"b\""]])") == 2);
  s.loses_wire("bob").expect({R"(ann: 42["room_change",[]])"});
}

TEST_CASE("the list of rooms is sent when it is switched on, and when somebody leaves a room",
          "[signaling]") {
  SocketIoScenario s;
  s.join("blue", {"ann"});
  const auto sets = [&](bool list_rooms, int line = __builtin_LINE()) {
    return s.step(line,
                  [&](EngineIo::Output& out) { s.socket_io.set({.list_rooms = list_rooms}, s.now(), out); });
  };
  sets(false).expect_silence();
  sets(true).expect({R"(ann: 42["room_change",["blue"]])"});
  sets(true).expect_silence();
  s.connects("bob");
  s.loses_wire("bob").expect_silence();  // from no room
}

// A member that joins and leaves all the time would cause a list of 800 bytes for 50 sockets each time: 16 MB
// in all.
TEST_CASE("lists of rooms cost what they weigh, and changes are put together", "[signaling]") {
  Course s({}, {.list_rooms = true});
  for (int i = 0; i < 50; ++i) s.connects("s" + std::to_string(i));
  for (int i = 0; i < 12; ++i)
    s.emits("s0", R"(["join_room",")" + std::string(60, static_cast<char>('a' + i)) + "\"]");
  std::size_t lists = 0;
  for (int i = 0; i < 200; ++i) {
    lists += s.emits("s1", R"(["join_room","x"])").count("room_change");
    lists += s.emits("s1", R"(["leave_room","x"])").count("room_change");
  }
  CHECK(lists <= 50 * 25);  // of 50 * 400; a second's worth at once
  const std::uint64_t before = s.socket_io.counters().room_lists;
  CHECK(s.socket_io.counters().room_lists_put_off >= 375);
  s.emits("s1", R"(["join_room","last"])");
  // The last change is told once, to everybody, when the earlier lists are paid for.
  const auto told = s.advance(1s);
  CHECK(told.count("room_change") == 50);
  CHECK(told.count(R"("last")") == 50);
  CHECK(s.socket_io.counters().room_lists == before + 1);
  s.advance(1s).expect({});
}

TEST_CASE("members of other rooms are not reached", "[signaling]") {
  Course s({"ann", "bob"});
  s.connects("eve");
  s.emits("eve", R"(["join_room","red"])");
  s.emits("eve", R"(["offer",1,"blue"])").expect({told("eve", "offer", Refusal::not_joined)});
  s.emits("eve", R"(["offer",1,"<ann>"])").expect({told("eve", "offer", Refusal::no_such_peer)});
  s.emits("eve", R"(["chat","x","blue"])").expect({told("eve", "chat", Refusal::not_joined)});
  s.emits("eve", R"(["new_message","x","blue"])").expect({told("eve", "new_message", Refusal::not_joined)});
  s.emits("eve", R"(["new_message","x","<ann>"])").expect({told("eve", "new_message", Refusal::not_joined)});
  s.emits("eve", R"(["leave_room","blue"])").expect_silence();
  s.emits("ann", R"(["offer",1,"<eve>"])").expect({told("ann", "offer", Refusal::no_such_peer)});
  // A room whose name is somebody's id is still a room.
  s.emits("eve", R"(["join_room","<ann>"])").expect_silence();
  s.emits("bob", R"(["offer",1,"<ann>"])").expect({R"(ann: 42["offer",1,"<bob>"])"});
}

TEST_CASE("sockets and members of the plain protocol meet", "[signaling]") {
  Course s({"ann", "bob"});
  s.emits("ann", R"(["nickname","Ann"])");
  s.plain_joins("pat", "blue")
      .expect_unordered(
          {R"(ann: 42["welcome","pat",3])", R"(bob: 42["welcome","pat",3])", R"(pat> {"type":"joined"})"});
  s.emits("ann", R"(["offer",{"sdp":1.0},"<pat>"])")
      .expect({R"(pat> {"type":"signal","from":"<ann>","event":"offer","data":{"sdp":1.0}})"});
  s.plain_says("pat", R"({"type":"signal","to":"<ann>","event":"answer","data":1.10})")
      .expect({R"(ann: 42["answer",1.10,"<pat>"])"});
  s.plain_says("pat", R"({"type":"signal","to":"<ann>","data":1})")
      .expect({R"(ann: 42["signal",1,"<pat>"])"});
  s.plain_says("pat", R"({"type":"broadcast","data":2})")
      .expect_unordered({R"(ann: 42["broadcast",2,"<pat>"])", R"(bob: 42["broadcast",2,"<pat>"])"});
  s.emits("ann", R"(["new_message","hi","blue"])")
      .expect_unordered(
          {R"(bob: 42["new_message","Ann: hi"])",
           R"(pat> {"type":"broadcast","from":"<ann>","event":"new_message","data":"Ann: hi"})"});
  s.loses_wire("bob").expect_unordered({R"(ann: 42["bye","Anon",2])",
                                        R"(ann: 42["leave_room","<bob>","Anon"])",
                                        R"(pat> {"type":"peer-left","id":"<bob>","reason":"left"})"});
  s.plain_drops("pat").expect_silence();
  s.advance(3s).expect({R"(ann: 42["bye","pat",1])", R"(ann: 42["leave_room","<pat>","pat"])"});
}

TEST_CASE("nobody puts a socket's client off by a reserved name", "[signaling]") {
  Course s({"ann"});
  s.plain_joins("pat", "blue");
  for (const std::string name :
       {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
    CAPTURE(name);
    s.plain_says("pat", R"({"type":"signal","to":"<ann>","event":")" + name + R"(","data":1})")
        .expect({R"(ann: 42["signal",1,"<pat>"])"});
    s.plain_says("pat", R"({"type":"broadcast","event":")" + name + R"(","data":1})")
        .expect({R"(ann: 42["broadcast",1,"<pat>"])"});
  }
}

TEST_CASE("a client that never polls is dropped, and others are not affected", "[signaling]") {
  Course s({"ann", "bob"}, {.engine = {.max_waiting = 1000}});
  s.opens("carl");
  s.posts("carl", "40");
  s.gets("carl").expect({R"(carl 200 40{"sid":"<carl>"})"});
  s.posts("carl", R"(42["join_room","blue"])");
  for (int i = 0; i < 12; ++i)
    s.emits("ann", R"(["chat",")" + std::string(100, 'x') + R"(","blue"])")
        .expect({R"(bob: 42["chat",")" + std::string(100, 'x') + "\"]"});
  s.advance(10s).expect_unordered({R"(ann: 42["bye","Anon",2])", R"(ann: 42["leave_room","<carl>","Anon"])",
                                   R"(bob: 42["bye","Anon",2])", R"(bob: 42["leave_room","<carl>","Anon"])"});
  CHECK(s.engine().sessions() == 2);
}

// --- Tokens
struct GuardedCourse : SocketIoScenario {
  explicit GuardedCourse(Duration recovery = {})
      : SocketIoScenario({.access = Access::token,
                          .token_secrets = {"south"},
                          .recovery = recovery,
                          .engine = {.ping_interval = 10min}}) {}
  // Returns a token that, with the leeway, is valid for one minute.
  std::string token(const std::string& claims = {}) const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now().wall.time_since_epoch()).count();
    return sign_token(R"({"exp":)" + std::to_string(seconds) + (claims.empty() ? "" : "," + claims) + "}",
                      "south");
  }
  Lines connects_by(const std::string& name, const std::string& token) {
    return connects(name, R"({"token":")" + token + "\"}");
  }
};

TEST_CASE("a socket is told that its token has expired, and joins no more rooms", "[signaling]") {
  GuardedCourse s;
  s.connects_by("ann", s.token());
  s.emits("ann", R"(["join_room","blue"])").expect({});
  s.advance(59'999ms).expect({});
  s.advance(1ms).expect({R"(ann: 42["token_expired"])"});
  s.frames("ann", R"(421["join_room","red"])").expect({R"(ann: 431[{"error":"token-expired"}])"});
  s.frames("ann", R"(422["token","x"])").expect({R"(ann: 432[{"error":"token-invalid"}])"});
  s.frames("ann", R"(423["token"])").expect({R"(ann: 433[{"error":"token-invalid"}])"});
  s.frames("ann", R"(424["token",")" + s.token(R"("room":"red")") + "\"]")
      .expect({R"(ann: 434[{"error":"token-invalid"}])"});  // it is in blue
  s.frames("ann", R"(425["token",")" + s.token() + "\"]").expect({"ann: 435[]"});
  s.frames("ann", R"(426["join_room","red"])").expect({"ann: 436[]"});
}

TEST_CASE("the role in a socket's token is shown to members of the plain protocol", "[signaling]") {
  GuardedCourse s;
  s.plain_joins("pat", "blue");
  s.connects_by("ann", s.token(R"("role":"host")"));
  s.emits("ann", R"(["join_room","blue"])")
      .expect({R"(pat> {"type":"peer-joined","peer":{"id":"<ann>","name":"","role":"host"}})"});
}

TEST_CASE("a socket that comes back does so by the token that it brings", "[signaling]") {
  GuardedCourse s(2min);
  s.connects_by("ann", s.token(R"("room":"blue")"));
  s.emits("ann", R"(["join_room","blue"])");
  s.loses_wire("ann");
  const std::string id = s.id("ann");
  const std::string place = R"(","pid":")" + s.id("ann's pid") + R"(","offset":""})";
  const auto comes_back = [&](const std::string& claims) {
    return s.connects("ann", R"({"token":")" + s.token(claims) + place);
  };
  SECTION("which lasts longer than the former one") {
    s.advance(50s);
    comes_back(R"("room":"blue")");
    CHECK(s.id("ann") == id);
    s.advance(59'999ms).expect({});
    s.advance(1ms).expect({R"(ann: 42["token_expired","1"])"});
  }
  SECTION("and need not hear that the former one expired meanwhile") {
    s.advance(70s);
    comes_back(R"("room":"blue")").expect({R"(ann: 40{"sid":"<ann>","pid":"<ann's pid>"})"});
    CHECK(s.id("ann") == id);
  }
  SECTION("but not when this one is for other rooms") {
    comes_back(R"("room":"red")");
    CHECK(s.id("ann") != id);
    CHECK(s.emits("ann", R"(["join_room","blue"])").count("token-invalid") == 1);
  }
}

// --- The end of the server
constexpr WallTime kEnd{1'800'000'000s};
const std::string kGoingAway = R"(42["going_away",{"deadline":"2027-01-15T08:00:00Z"}])";

TEST_CASE("members are told of the end of the server, and so is whoever joins then", "[signaling]") {
  SocketIoScenario s;
  s.join("blue", {"ann"});
  s.connects("bob");
  s.plain_joins("pat", "red");
  s.announces_end(kEnd).expect(
      {"ann: " + kGoingAway, R"(pat> {"type":"going-away","deadline":"2027-01-15T08:00:00Z"})"});
  s.frames("bob", R"(421["join_room","green","Bob"])")
      .expect({R"(bob: 42["accept_join",[{"socketId":"<bob>","nickname":"Bob"}]])", "bob: 431[]",
               "bob: " + kGoingAway});
  s.emits("bob", R"(["join_room","red"])")
      .expect({R"(pat> {"type":"peer-joined","peer":{"id":"<bob>","name":"Bob"}})"});  // bob knows it already
  s.plain_joins("pia", "yellow")
      .expect(
          {R"(pia> {"type":"joined"})", R"(pia> {"type":"going-away","deadline":"2027-01-15T08:00:00Z"})"});
}

TEST_CASE("who is cut off learns of the end of the server when it comes back", "[signaling]") {
  SocketIoScenario s({.recovery = 2min});
  s.join("blue", {"ann"});
  s.loses_wire("ann");
  s.announces_end(kEnd).expect({});
  s.connects("ann", R"({"pid":"<ann's pid>","offset":""})")
      .expect({R"(ann: 40{"sid":"<ann>","pid":"<ann's pid>"})",
               R"(ann: 42["going_away",{"deadline":"2027-01-15T08:00:00Z"},"1"])"});
}

TEST_CASE("a socket may bring a new token before the old one expires", "[signaling]") {
  GuardedCourse s;
  const std::string old = s.token();
  s.connects_by("ann", old);
  s.advance_asleep(20s);
  s.frames("ann", R"(421["token",")" + s.token(R"("room":"blue")") + "\"]").expect({"ann: 431[]"});
  s.frames("ann", R"(422["join_room","red"])").expect({R"(ann: 432[{"error":"token-invalid"}])"});
  s.frames("ann", R"(423["join_room","blue"])").expect({"ann: 433[]"});
  s.advance_asleep(40s);
  s.frames("ann", R"(424["token",")" + old + "\"]").expect({R"(ann: 434[{"error":"token-expired"}])"});
  s.frames("ann", R"(425["join_room","blue"])").expect({"ann: 435[]"});
}

TEST_CASE("a socket that has left its room may bring a token for another one", "[signaling]") {
  GuardedCourse s;
  s.connects_by("ann", s.token());
  s.frames("ann", R"(421["join_room","blue"])").expect({"ann: 431[]"});
  s.frames("ann", R"(422["leave_room","blue"])").expect({"ann: 432[]"});
  s.frames("ann", R"(423["token",")" + s.token(R"("room":"red")") + "\"]").expect({"ann: 433[]"});
  s.frames("ann", R"(424["join_room","red"])").expect({"ann: 434[]"});
}

TEST_CASE("a socket is disconnected when the token that it has brought last is revoked", "[signaling]") {
  GuardedCourse s;
  s.connects_by("ann", s.token(R"("jti":"first")"));
  s.frames("ann", R"(421["token",")" + s.token(R"("jti":"second")") + "\"]").expect({"ann: 431[]"});
  const auto revokes = [&](const std::string& id, int line = __builtin_LINE()) {
    Hub::Output told;
    const Hub::Revoked revoked =
        s.hub.remove_holders({auth::Revocation::Kind::token, id, s.now().wall, s.now().wall + 1h}, told);
    return s.step(
        line, [&](EngineIo::Output& out) { s.socket_io.close_revoked(revoked.connections, s.now(), out); });
  };
  revokes("first").expect_silence();
  revokes("second").expect({R"(ann: 42["token_revoked"])", "ann: 41"});
  // What was on the way meanwhile does no harm, so what was told arrives.
  s.opens("bob");
  s.posts("bob", R"(40{"token":")" + s.token(R"("jti":"third")") + "\"}");
  s.gets("bob");
  revokes("third").expect_silence();
  s.posts("bob", R"(42["nickname","Bob"])").expect({"bob 200 ok"});
  s.posts("bob", R"(451-["nickname",{"_placeholder":true,"num":0}]|bAQID|41)").expect({"bob 200 ok"});
  s.gets("bob").expect({R"(bob 200 42["token_revoked"]|41)"});
  s.posts("bob", R"(40{"token":")" + s.token(R"("jti":"fourth")") + "\"}");
  CHECK(s.gets("bob").count("bob 200 40{") == 1);
  s.posts("bob", "41").expect({"bob 200 ok"});
  s.gets("bob").expect_silence();
  s.posts("bob", R"(42["nickname","Bob"])").expect({"bob 200 ok", "bob 200 1"});
}

TEST_CASE("a socket without a token joins no rooms when tokens are required now", "[signaling]") {
  SocketIoScenario s({.token_secrets = {"south"}, .engine = {.ping_interval = 10min}});
  s.connects("ann");
  EngineIo::Output out;
  s.socket_io.set({.access = Access::token}, s.now(), out);
  s.frames("ann", R"(421["join_room","blue"])").expect({R"(ann: 431[{"error":"token-required"}])"});
  s.frames("ann", R"(422["token",")" + GuardedCourse().token() + "\"]").expect({"ann: 432[]"});
  s.frames("ann", R"(423["join_room","blue"])").expect({"ann: 433[]"});
  s.socket_io.set({}, s.now(), out);
  s.advance(1min).expect({});  // nobody asks for the token that expires
  s.frames("ann", R"(424["join_room","red"])").expect({"ann: 434[]"});
}

TEST_CASE("when tokens are not required, the event `token` has no effect", "[signaling]") {
  Course s({"ann"});
  s.frames("ann", R"(421["token","x"])").expect({"ann: 431[]"});
}

TEST_CASE("tokens of sockets that are refused are told for the log", "[signaling]") {
  GuardedCourse s;
  const auto last_refused = [&] {
    const std::vector<Refused> refused = s.socket_io.take_refused();
    return refused.size() == 1 ? std::string(code_of(refused[0].why)) : std::to_string(refused.size());
  };
  s.opens_wire("ann");
  s.frames("ann", "40");
  CHECK(last_refused() == "token-required");
  s.frames("ann", R"(40{"token":")" + s.token() + "\"}");
  CHECK(last_refused() == "0");
  s.frames("ann", R"(421["token","x"])");
  CHECK(last_refused() == "token-invalid");
}

TEST_CASE("the rooms that a socket has opened count for its address", "[signaling]") {
  SocketIoScenario s({.limits = {.rooms_per_address = 1}});
  Hub::Output told;
  const MemberId other = s.hub.add_member({.connection = 99,
                                           .address = address("198.51.100.1"),  // as that of the sockets
                                           .name = {},
                                           .role = {},
                                           .quota_user = {}});
  REQUIRE(s.hub.join(other, "red", told).has_value());
  s.connects("ann");
  s.frames("ann", R"(421["join_room","blue"])").expect({R"(ann: 431[{"error":"too-many-rooms"}])"});
  s.hub.remove(other, told);
  s.frames("ann", R"(422["join_room","blue"])").expect({"ann: 432[]"});
}

TEST_CASE("refusals of sockets are told for the log", "[signaling]") {
  SocketIoScenario s({.limits = {.members_per_room = 1}});
  s.join("blue", {"ann", "bob"});
  s.emits("bob", R"(["join_room",""])");
  const std::vector<Refused> refused = s.socket_io.take_refused();
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].why == Refusal::room_full);
  CHECK(s.socket_io.take_refused().empty());
}

// No key of the configuration limits the rooms of one member, so the log does not name one.
TEST_CASE("the rooms of one member are no matter of the operator", "[signaling]") {
  SocketIoScenario s({.limits = {.rooms_per_member = 1, .rooms_per_address = 2}});
  s.connects("ann");
  s.connects("bob");
  s.connects("carl");
  s.emits("ann", R"(["join_room","a"])");
  s.frames("ann", R"(421["join_room","b"])").expect({R"(ann: 431[{"error":"too-many-rooms"}])"});
  CHECK(s.socket_io.take_refused().empty());
  s.emits("bob", R"(["join_room","b"])");
  s.frames("carl", R"(421["join_room","c"])").expect({R"(carl: 431[{"error":"too-many-rooms"}])"});
  CHECK(s.socket_io.take_refused().at(0).why == Refusal::too_many_rooms);
}

}  // namespace
}  // namespace turnpike::signaling
