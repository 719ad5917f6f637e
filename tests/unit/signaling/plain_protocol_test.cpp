#include "turnpike/signaling/plain_protocol.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "support/signaling_scenario.hpp"

namespace turnpike::signaling {
namespace {

using namespace test;

// All of them are in one room, and the events until now are taken.
struct Room : SignalingScenario {
  explicit Room(std::initializer_list<std::string> who, SignalingSetup setup = {})
      : SignalingScenario(std::move(setup)) {
    for (const std::string& name : who) CHECK(connects(name).joins("blue").count("joined") == 1);
  }
};

// --- What is said in a room
TEST_CASE("two meet, talk and part", "[signaling]") {
  SignalingScenario s;
  auto ann = s.connects("ann");
  auto bob = s.connects("bob");
  ann.joins("blue").expect({joined("ann", "blue")});
  bob.joins("blue", R"("id":1)")
      .expect({joined("bob", "blue", {"ann"}), ack("bob", "1"), peer_joined("ann", "bob")});
  ann.signals("bob", R"({"type":"offer","sdp":"v=0\r\n"})")
      .expect({signal("bob", "ann", R"({"type":"offer","sdp":"v=0\r\n"})")});
  bob.signals("ann", R"({"type":"answer"})").expect({signal("ann", "bob", R"({"type":"answer"})")});
  ann.broadcasts(R"("hello")").expect({broadcast("bob", "ann", R"("hello")")});
  bob.leaves().expect({peer_left("ann", "bob", "left")});
  ann.broadcasts("null").expect_silence();
  bob.joins("blue").expect({joined("bob", "blue", {"ann"}), peer_joined("ann", "bob")});
  ann.says_goodbye().expect({peer_left("bob", "ann", "left")});
}

TEST_CASE("rooms do not hear each other", "[signaling]") {
  Room s({"ann", "bob", "carl"});
  s.connects("dora").joins("red").expect({joined("dora", "red")});
  s["dora"].broadcasts("1").expect_silence();
  s["dora"].signals("ann", "1").expect({error("dora", Refusal::no_such_peer)});
  s["ann"].signals("dora", "1").expect({error("ann", Refusal::no_such_peer)});
  s["ann"].broadcasts("2").expect({broadcast("bob", "ann", "2"), broadcast("carl", "ann", "2")});
  s["dora"].drops().expect_silence();
  s.advance(3min).expect_silence();
}

TEST_CASE("what is passed on is passed on letter by letter", "[signaling]") {
  const std::string payloads[] = {
      "null",
      "true",
      "0",
      "-0",
      "1.0",
      "1.10",
      "1E+05",
      "1e400",
      "-1e-400",
      "0.1000000000000000055511151231257827",
      "123456789012345678901234567890",
      "18446744073709551616",
      R"("")",
      R"("  two  spaces  ")",
      R"("a\"b\\c\/d\b\f\n\r\t")",
      R"("\u0041\u00e9\u0000\uD83D\uDE42")",
      R"("é한국🙂")",
      "\"\u2028\x7f\"",
      R"("{[}],:")",
      "[]",
      "[ ]",
      "{}",
      "{ \"a\" :\t1 ,\r\n \"b\" : [ 1 , 2 ] }",
      R"({"a":1,"a":2,"a":1.0})",
      R"({"data":{"data":[{"data":0}]},"to":"x","type":"join","id":5})",
      R"({"\u0064ata":1,"":2})",
      R"([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]])",
      '"' + std::string(60'000, 'x') + '"',
  };
  Room s({"ann", "bob"});
  for (const std::string& payload : payloads) {
    CAPTURE(payload.substr(0, 100));
    s["ann"].signals("bob", payload).expect({signal("bob", "ann", payload)});
    s["ann"].broadcasts(payload).expect({broadcast("bob", "ann", payload)});
    s["ann"]
        .says(R"( {"data":  )" + payload + "\t ,\"to\" : \"<bob>\", \"type\" : \"signal\" }\n")
        .expect({signal("bob", "ann", payload)});
  }
}

TEST_CASE("of two members `data` the last one counts, as in parsers", "[signaling]") {
  Room s({"ann", "bob"});
  s["ann"].says(R"({"type":"broadcast","data":1,"data":[2.0]})").expect({broadcast("bob", "ann", "[2.0]")});
  s["ann"].says(R"({"type":"leave","type":"broadcast","data":1})").expect({broadcast("bob", "ann", "1")});
  s["ann"]
      .says(R"({"type":"broadcast","data":1,"id":1,"id":2.0})")
      .expect({ack("ann", "2.0"), broadcast("bob", "ann", "1")});
}

TEST_CASE("the sender of a message cannot be forged", "[signaling]") {
  Room s({"ann", "bob", "carl"});
  s["ann"]
      .says(R"({"type":"signal","to":"<bob>","from":"<carl>","data":1})")
      .expect({signal("bob", "ann", "1")});
  s["ann"]
      .says(R"({"type":"broadcast","from":"<carl>","room":"red","data":1})")
      .expect({broadcast("bob", "ann", "1"), broadcast("carl", "ann", "1")});
}

TEST_CASE("a message to many members is encoded once", "[signaling]") {
  Room s({"ann", "bob", "carl", "dora"});
  const Heard heard = s["ann"].broadcasts("1");
  REQUIRE(heard.texts.size() == 3);
  CHECK(heard.texts[0] == heard.texts[1]);
  CHECK(heard.texts[1] == heard.texts[2]);
}

TEST_CASE("a signal that finds nobody is refused", "[signaling]") {
  Room s({"ann", "bob"});
  s.connects("eve");
  s.connects("dora").joins("red");
  for (const std::string to :
       {"<ann>", "<dora>", "bob", "", "AAAAAAAAAAAAAAAAAAAAAA", "<bob>x", "<bob>==", "<bob's secret>"}) {
    CAPTURE(to);
    s["ann"]
        .says(R"({"type":"signal","to":")" + to + R"(","data":1})")
        .expect({error("ann", Refusal::no_such_peer)});
  }
  s["bob"].leaves();
  s["ann"].signals("bob", "1").expect({error("ann", Refusal::no_such_peer)});
}

// --- Requests and their answers
TEST_CASE("a request's id comes back letter by letter", "[signaling]") {
  const std::string ids[] = {
      "1",
      "0",
      "-7",
      "1.0",
      "1e400",
      "123456789012345678901234567890",
      R"("abc")",
      R"("")",
      R"("\u0041 \" \\ \/ é")",
      "true",
      "false",
      "null",
      "[]",
      "[1, [2.0]]",
      R"({"a":{ "b" : 1 },"a":2})",
      '"' + std::string(126, 'x') + '"',
  };
  Room s({"ann", "bob"});
  s.connects("eve");
  for (const std::string& id : ids) {
    CAPTURE(id);
    s["ann"]
        .says(R"({"id":)" + id + R"(,"type":"broadcast","data":1})")
        .expect({ack("ann", id), broadcast("bob", "ann", "1")});
    s["eve"]
        .says(R"({"type":"broadcast","data":1, "id" : )" + id + " }")
        .expect({error("eve", Refusal::not_joined, id)});
    s["eve"].says(R"({"type":7,"id":)" + id + "}").expect({error("eve", Refusal::bad_message, id)});
  }
  s["ann"].broadcasts("1").expect({broadcast("bob", "ann", "1")});  // without one there is no ack
}

TEST_CASE("an id that is too long is not echoed, and nothing is done", "[signaling]") {
  Room s({"ann", "bob"});
  s["ann"]
      .says(R"({"type":"broadcast","data":1,"id":")" + std::string(127, 'x') + "\"}")
      .expect({error("ann", Refusal::bad_message)});
}

TEST_CASE("an answer comes after all that belongs to it", "[signaling]") {
  SignalingScenario s;
  auto ann = s.connects("ann");
  ann.joins("blue", R"("id":1)").expect({joined("ann", "blue"), ack("ann", "1")});
  ann.says(R"({"type":"ice-servers","id":2})").expect({new_credentials("ann"), ack("ann", "2")});
  ann.says(R"({"type":"leave","id":3})").expect({ack("ann", "3")});
  ann.says(R"({"type":"resume","resume":"x","id":4})").expect({error("ann", Refusal::resume_unknown, "4")});
}

TEST_CASE("what is no message is refused, and does no harm", "[signaling]") {
  Room s({"ann", "bob"});
  const std::string deep = std::string(33, '[') + std::string(33, ']');
  const std::string texts[] = {
      "",
      " ",
      "hello",
      "null",
      "1",
      R"("broadcast")",
      "[]",
      R"([{"type":"broadcast","data":1}])",
      "{",
      "{}",
      R"({"type":"broadcast","data":1)",
      R"({"type":"broadcast","data":1}})",
      R"({"type":"broadcast","data":1} x)",
      R"({"type":"broadcast","data":1}{"type":"broadcast","data":1})",
      R"({"type":"broadcast","data":1,})",
      R"({"type":"broadcast","data":01})",
      R"({"type":"broadcast","data":.5})",
      R"({"type":"broadcast","data":NaN})",
      R"({"type":"broadcast","data":Infinity})",
      R"({"type":"broadcast","data":'x'})",
      R"({"type":"broadcast","data":})",
      R"({"type":"broadcast","data":"\x"})",
      R"({"type":"broadcast","data":"\u12"})",
      "{\"type\":\"broadcast\",\"data\":\"a\nb\"}",
      "{\"type\":\"broadcast\",\"data\":\"\xff\"}",
      "{\"type\":\"broadcast\",\"data\":\"\xc0\x80\"}",
      "\xef\xbb\xbf{\"type\":\"broadcast\",\"data\":1}",
      R"({type:"broadcast","data":1})",
      R"({"type":"broadcast","data":1} // said)",
      R"({"type":"broadcast","data":)" + deep + "}",
      R"({"data":1})",
      R"({"type":null,"data":1})",
      R"({"type":["broadcast"],"data":1})",
      R"({"type":"broadcast"})",
      R"({"type":"broadcast","Data":1})",
      R"({"type":"broadcast","d\u0061ta":1})",
      R"({"type":"signal"})",
      R"({"type":"signal","data":1})",
      R"({"type":"signal","to":"<bob>"})",
      R"({"type":"signal","to":7,"data":1})",
      R"({"type":"signal","to":["<bob>"],"data":1})",
      R"({"type":"broadcast","event":7,"data":1})",
      R"({"type":"broadcast","event":")" + std::string(65, 'x') + R"(","data":1})",
      "{\"type\":\"signal\",\"to\":\"<bob>\",\"event\":\"\u202egnp.exe\",\"data\":1}",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    s["ann"].says(text).expect({error("ann", Refusal::bad_message)});
  }
  s["ann"].broadcasts("1").expect({broadcast("bob", "ann", "1")});
  s.connects("eve").says(R"({"type":"resume"})").expect({error("eve", Refusal::bad_message)});
  s["eve"].says(R"({"type":"resume","resume":1})").expect({error("eve", Refusal::bad_message)});
}

TEST_CASE("the depth of a text is limited", "[signaling]") {
  Room s({"ann", "bob"});
  // The message itself is the first level.
  const std::string most =
      std::string(PlainProtocol::kDeepest - 1, '[') + std::string(PlainProtocol::kDeepest - 1, ']');
  s["ann"].broadcasts(most).expect({broadcast("bob", "ann", most)});
  s["ann"].broadcasts('[' + most + ']').expect({error("ann", Refusal::bad_message)});
  s["ann"].broadcasts(std::string(60'000, '[')).expect({error("ann", Refusal::bad_message)});
}

TEST_CASE("an unknown type of request is refused", "[signaling]") {
  Room s({"ann"});
  s.connects("eve");
  for (const std::string type : {"", "Join", "join ", "joined", "ack", "peer-left", "bye", "jo\\u0000in"}) {
    for (const std::string who : {"ann", "eve"})
      s[who].says(R"({"type":")" + type + "\"}").expect({error(who, Refusal::unknown_type)});
  }
}

TEST_CASE("some requests need a room, and some need none", "[signaling]") {
  Room s({"ann"});
  s.connects("eve");
  for (const std::string request :
       {R"("type":"signal","to":"<ann>","data":1)", R"("type":"broadcast","data":1)", R"("type":"leave")",
        R"("type":"ice-servers")"}) {
    CAPTURE(request);
    s["eve"].says("{" + request + "}").expect({error("eve", Refusal::not_joined)});
  }
  s["ann"].joins("blue").expect({error("ann", Refusal::already_joined)});
  s["ann"].joins("red").expect({error("ann", Refusal::already_joined)});
  s["ann"].resumes("ann").expect({error("ann", Refusal::already_joined)});
  CHECK(s.hub().members() == 1);
}

TEST_CASE("the codes of refusals are the protocol's, and each has a sentence", "[signaling]") {
  const std::pair<Refusal, std::string_view> codes[] = {
      {Refusal::bad_message, "bad-message"},
      {Refusal::unknown_type, "unknown-type"},
      {Refusal::not_joined, "not-joined"},
      {Refusal::already_joined, "already-joined"},
      {Refusal::room_full, "room-full"},
      {Refusal::too_many_rooms, "too-many-rooms"},
      {Refusal::bad_room, "bad-room"},
      {Refusal::bad_name, "bad-name"},
      {Refusal::no_such_peer, "no-such-peer"},
      {Refusal::too_large, "too-large"},
      {Refusal::too_much_attached, "message"},
      {Refusal::token_required, "token-required"},
      {Refusal::token_invalid, "token-invalid"},
      {Refusal::token_expired, "token-expired"},
      {Refusal::rate_limited, "rate-limited"},
      {Refusal::resume_unknown, "resume-unknown"},
      {Refusal::too_many_joined, "too-many-rooms"},
  };
  for (const auto& [refusal, code] : codes) {
    CHECK(code_of(refusal) == code);
    CHECK(message_of(refusal).ends_with('.'));
    CHECK(message_of(refusal).find_first_of("\"\\") == std::string_view::npos);  // it stands in JSON as it is
  }
}

// --- Names
TEST_CASE("a room has a name of 1 to 64 characters", "[signaling]") {
  struct Case {
    std::string member;  // of the request
    bool fits;
  };
  const auto repeated = [](std::string_view character, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += character;
    return R"("room":")" + text + '"';
  };
  const Case cases[] = {
      {R"("room":"x")", true},
      {R"("room":" ")", true},
      {repeated("x", 64), true},
      {repeated("x", 65), false},
      {repeated("한", 64), true},  // 192 octets
      {repeated("한", 65), false},
      {repeated("🙂", 64), true},
      {repeated("🙂", 65), false},
      {repeated("\\ud83d\\ude42", 64), true},
      {R"("room":"a\"b\\c<script>")", true},
      {R"("room":"")", false},
      {R"("name":"x")", false},
      {R"("room":null)", false},
      {R"("room":7)", false},
      {R"("room":["blue"])", false},
      {R"("room":"a\nb")", false},
      {R"("room":"\u0000")", false},
      {R"("room":"a\u007f")", false},
      {R"("room":"a\u0085")", false},
  };
  int number = 0;
  SignalingScenario s;
  for (const Case& c : cases) {
    CAPTURE(c.member);
    const std::string who = "caller " + std::to_string(++number);
    const Heard heard = s.connects(who).says(R"({"type":"join",)" + c.member + "}");
    if (c.fits) {
      CHECK(heard.count("joined") == 1);
    } else {
      heard.expect({error(who, Refusal::bad_room)});
    }
  }
}

TEST_CASE("a member has a name of at most 64 characters, or none", "[signaling]") {
  struct Case {
    std::string more;   // of the request
    std::string shown;  // to the others, as JSON; empty: refused
  };
  const Case cases[] = {
      {"", R"("")"},
      {R"(,"name":"")", R"("")"},
      {R"(,"name":"Ann Lee")", R"("Ann Lee")"},
      {R"(,"name":"한국🙂")", R"("한국🙂")"},
      {R"(,"name":"a\"b\\c")", R"("a\"b\\c")"},
      {R"(,"name":"\u0041")", R"("A")"},
      {R"(,"name":")" + std::string(64, 'x') + '"', '"' + std::string(64, 'x') + '"'},
      {R"(,"name":")" + std::string(65, 'x') + '"', ""},
      {R"(,"name":"a\tb")", ""},
      {R"(,"name":"\u0000")", ""},
      {R"(,"name":"\u009f")", ""},
      {R"(,"name":null)", ""},
      {R"(,"name":7)", ""},
      {R"(,"name":{})", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.more);
    Room s({"ann"});
    const Heard heard = s.connects("bob").says(R"({"type":"join","room":"blue")" + c.more + "}");
    if (c.shown.empty()) {
      heard.expect({error("bob", Refusal::bad_name)});
    } else {
      heard.expect({joined("bob", "blue", {"ann"}),
                    {"ann", R"({"type":"peer-joined","peer":{"id":"<bob>","name":)" + c.shown + "}}"}});
    }
  }
}

TEST_CASE("names may be had twice", "[signaling]") {
  Room s({"ann"});
  s.connects("bob").says(R"({"type":"join","room":"blue","name":"ann"})");
  CHECK(s.id("ann") != s.id("bob"));
  CHECK(s.hub().members() == 2);
}

// --- Rooms that are full
TEST_CASE("the limits of a room and of an address are reported by code", "[signaling]") {
  Room s({"ann", "bob"}, {.limits = {.members_per_room = 2, .rooms_per_address = 2}});
  s.connects("carl").joins("blue", R"("id":1)").expect({error("carl", Refusal::room_full, "1")});
  s["carl"].joins("red").expect({joined("carl", "red")});
  s.connects("dora").joins("green").expect({error("dora", Refusal::too_many_rooms)});
  s.connects("eve", opening("198.51.100.2")).joins("green").expect({joined("eve", "green")});
  CHECK(s.hub().members() == 4);  // of those refused nothing is left
  s["bob"].leaves();
  s["dora"].joins("blue").expect({joined("dora", "blue", {"ann"}), peer_joined("ann", "dora")});
}

// --- Cut off
TEST_CASE("a short interruption goes unnoticed", "[signaling]") {
  Room s({"ann", "bob"});
  s["ann"].drops().expect_silence();
  s["bob"].signals("ann", "1.0").expect_silence();
  s["bob"].broadcasts("[2 ]").expect_silence();
  s.advance(2999ms).expect_silence();
  s.connects("ann2").resumes("ann").expect({resumed("ann2", "blue", "ann", {"bob"}),
                                            signal("ann2", "bob", "1.0"), broadcast("ann2", "bob", "[2 ]")});
  s["bob"].signals("ann", "3").expect({signal("ann2", "bob", "3")});
  s["ann2"].signals("bob", "4").expect({signal("bob", "ann", "4")});
  s.advance(3min).expect_silence();
}

TEST_CASE("a longer one is told, and so is the return", "[signaling]") {
  Room s({"ann", "bob", "carl"});
  s["ann"].drops();
  s.advance(3s - 1ms).expect_silence();
  s.advance(1ms).expect({peer_left("bob", "ann", "lost"), peer_left("carl", "ann", "lost")});
  s["bob"].signals("ann", "1").expect_silence();
  s["carl"].broadcasts("2").expect({broadcast("bob", "carl", "2")});
  s["carl"].says_goodbye().expect({peer_left("bob", "carl", "left")});
  s.connects("dora").joins("blue").expect({joined("dora", "blue", {"bob"}), peer_joined("bob", "dora")});
  s.advance(2min - 3s - 1ms).expect_silence();
  s.connects("ann2").resumes("ann").expect({resumed("ann2", "blue", "ann", {"bob", "dora"}),
                                            peer_joined("bob", "ann"), peer_joined("dora", "ann"),
                                            signal("ann2", "bob", "1"), broadcast("ann2", "carl", "2")});
}

TEST_CASE("a goodbye is told at once, and whoever said it may come back", "[signaling]") {
  Room s({"ann", "bob"});
  s["ann"].says_goodbye().expect({peer_left("bob", "ann", "left")});
  s["bob"].broadcasts("1").expect_silence();
  s.advance(1min).expect_silence();
  s.connects("ann2").resumes("ann").expect(
      {resumed("ann2", "blue", "ann", {"bob"}), peer_joined("bob", "ann"), broadcast("ann2", "bob", "1")});
}

TEST_CASE("after two minutes there is nothing to resume", "[signaling]") {
  Room s({"ann", "bob"});
  s["ann"].drops();
  s.advance(2min).expect({peer_left("bob", "ann", "lost")});
  s.connects("ann2").resumes("ann").expect({error("ann2", Refusal::resume_unknown)});
  s["ann2"].joins("blue").expect({joined("ann2", "blue", {"bob"}), peer_joined("bob", "ann2")});
}

TEST_CASE("a secret is for one member, and not for one that left", "[signaling]") {
  Room s({"ann", "bob"});
  s.connects("eve");
  const std::string ann = s.resume_secret("ann");
  for (const std::string& secret : {""s, "x"s, s.id("ann"), s.id("ann") + s.id("ann"), ann + " ",
                                    ann.substr(0, 22) + s.resume_secret("bob").substr(22)}) {
    CAPTURE(secret);
    s["eve"]
        .says(R"({"type":"resume","resume":")" + secret + "\"}")
        .expect({error("eve", Refusal::resume_unknown)});
  }
  CHECK(s.is_open("ann"));
  s["ann"].leaves();
  s["eve"].resumes("ann").expect({error("eve", Refusal::resume_unknown)});
}

TEST_CASE("one that comes back before its loss is known takes its place", "[signaling]") {
  Room s({"ann", "bob"});
  s.connects("ann2")
      .says(R"({"type":"resume","resume":"<ann's secret>","id":"r"})")
      .expect({resumed("ann2", "blue", "ann", {"bob"}), ack("ann2", "\"r\""),
               closed("ann", 4000, "resumed elsewhere")});
  CHECK_FALSE(s.is_open("ann"));
  s["ann"].broadcasts("1").expect_silence();  // still on its way
  s["bob"].signals("ann", "2").expect({signal("ann2", "bob", "2")});
  s.advance(3s).expect_silence();
  // The same secret can be used again.
  s["ann2"].drops();
  s.connects("ann3").resumes("ann").expect({resumed("ann3", "blue", "ann", {"bob"})});
}

TEST_CASE("a member that has missed too much has to join again", "[signaling]") {
  Room s({"ann", "bob"}, {.limits = {.missed_messages = 2}});
  s["ann"].drops();
  for (int i = 0; i < 5; ++i) s["bob"].broadcasts("1").expect_silence();
  s.connects("ann2").resumes("ann").expect({error("ann2", Refusal::resume_unknown)});
  s.advance(0ms).expect({peer_left("bob", "ann", "lost")});
  s["ann2"].joins("blue").expect({joined("ann2", "blue", {"bob"}), peer_joined("bob", "ann2")});
}

TEST_CASE("a place that was taken is not given twice", "[signaling]") {
  Room s({"ann", "bob"}, {.limits = {.members_per_room = 2}});
  s["ann"].says_goodbye();
  s.connects("carl").joins("blue");
  s.connects("ann2").resumes("ann").expect({error("ann2", Refusal::room_full)});
  s["carl"].leaves();
  s["ann2"].resumes("ann").expect({resumed("ann2", "blue", "ann", {"bob"}), peer_joined("bob", "ann")});
}

// --- Time
TEST_CASE("a connection that joins no room in time is closed", "[signaling]") {
  SignalingScenario s({.connect_timeout = 10s});
  s.connects("ann").joins("blue");
  s.connects("bob");
  s.advance(9999ms).expect_silence();
  s["bob"].broadcasts("1").expect({error("bob", Refusal::not_joined)});  // which does not help
  s.advance(1ms).expect({closed("bob", 1008, "no room joined in time")});
  s.advance(10s).expect_silence();
  s["ann"].leaves();
  s.advance(9999ms).expect_silence();
  s.advance(1ms).expect({closed("ann", 1008, "no room joined in time")});
}

TEST_CASE("messages of a connection that has ended are ignored", "[signaling]") {
  Room s({"ann", "bob"});
  s["ann"].says_goodbye();
  s["ann"].broadcasts("1").expect_silence();
  s["ann"].joins("blue").expect_silence();
  s["ann"].drops().expect_silence();
  s["ann"].says_goodbye().expect_silence();
}

TEST_CASE("new credentials come at three quarters of a lifetime", "[signaling]") {
  SignalingSetup setup;
  setup.ice.lifetime = 1h;
  SignalingScenario s(setup);
  s.connects("ann").joins("blue");
  CHECK(s.credentials("ann").expires == s.now().wall + 1h);
  s.advance(45min - 1ms).expect_silence();
  s.advance(1ms).expect({new_credentials("ann")});
  CHECK(s.credentials("ann").expires == s.now().wall + 1h);
  s.advance(44min).expect_silence();
  s["ann"].asks_for_credentials().expect({new_credentials("ann")});  // and so later again
  s.advance(45min - 1ms).expect_silence();
  s.advance(1ms).expect({new_credentials("ann")});
  s["ann"].drops();
  s.connects("ann2").resumes("ann");
  s.advance(45min - 1ms).expect_silence();
  s.advance(1ms).expect({new_credentials("ann2")});
  s["ann2"].leaves();
  s.advance(45s).expect({closed("ann2", 1008, "no room joined in time")});
}

TEST_CASE("a server that is woken late sends credentials once", "[signaling]") {
  Room s({"ann", "bob"});
  s.advance_asleep(10h);
  s.advance(0ms).expect({new_credentials("ann"), new_credentials("bob")});
}

// --- Credentials
TEST_CASE("the credentials of an address are limited", "[signaling]") {
  SignalingSetup setup;
  setup.mints_per_second = 1;
  setup.mints_at_once = 3;
  SignalingScenario s(setup);
  s.connects("ann").joins("blue").expect({joined("ann", "blue")});
  s["ann"].joins("red").expect({error("ann", Refusal::already_joined)});  // costs nothing
  s["ann"].asks_for_credentials().expect({new_credentials("ann")});
  s.connects("bob").says(R"({"type":"join","room":""})").expect({error("bob", Refusal::bad_room)});
  s["bob"].resumes("nobody").expect({error("bob", Refusal::resume_unknown)});  // a guess counts
  s["bob"].joins("blue", R"("id":1)").expect({error("bob", Refusal::rate_limited, "1")});
  s["bob"].resumes("ann").expect({error("bob", Refusal::rate_limited)});
  s["ann"].asks_for_credentials().expect({error("ann", Refusal::rate_limited)});
  CHECK(s.hub().members() == 1);
  s.connects("carl", opening("198.51.100.2")).joins("red").expect({joined("carl", "red")});
  s.advance(1s);
  s["bob"].joins("blue").expect({joined("bob", "blue", {"ann"}), peer_joined("ann", "bob")});
  s["ann"].asks_for_credentials().expect({error("ann", Refusal::rate_limited)});
  s["ann"].broadcasts("1").expect({broadcast("bob", "ann", "1")});
}

TEST_CASE(
    "guests share a quota by address, whatever rooms they are in, and it does not give the address away",
    "[signaling]") {
  SignalingScenario s;
  s.connects("ann", opening("198.51.100.1")).joins("blue");
  s.connects("bob", opening("198.51.100.2")).joins("blue");
  s.connects("carl", opening("198.51.100.1")).joins("red");
  const std::string user = s.credentials("ann").user;
  CHECK(user.size() == 18);
  CHECK(user.starts_with("guest-"));
  CHECK(user.find("198") == std::string::npos);
  CHECK(s.credentials("bob").user != user);
  CHECK(s.credentials("carl").user == user);
  s["ann"].asks_for_credentials();
  CHECK(s.credentials("ann").user == user);
  s["ann"].drops();
  s.connects("ann2").resumes("ann");
  CHECK(s.credentials("ann2").user == user);
  s.connects("dora", opening("2001:db8::1")).joins("blue");
  s.connects("emil", opening("2001:db8::2:3:4:5")).joins("red");
  s.connects("fay", opening("2001:db8:0:1::1")).joins("red");
  CHECK(s.credentials("emil").user == s.credentials("dora").user);  // of one /64
  CHECK(s.credentials("fay").user != s.credentials("dora").user);
}

TEST_CASE("URLs name the host that each connection asked for", "[signaling]") {
  SignalingSetup setup;
  setup.ice.host.clear();
  setup.ice.default_address = address("192.0.2.1");
  SignalingScenario s(setup);
  const auto urls = [&](const std::string& name) { return s.credentials(name).urls; };
  s.connects("ann", opening("198.51.100.1", "relay.example")).joins("blue");
  s.connects("bob", opening("198.51.100.1", "localhost")).joins("blue");
  s.connects("carl", opening("198.51.100.1", "")).joins("blue");
  CHECK(urls("ann") == "stun:relay.example:3478 turn:relay.example:3478?transport=udp");
  CHECK(urls("bob") == "stun:192.0.2.1:3478 turn:192.0.2.1:3478?transport=udp");
  CHECK(urls("carl") == urls("bob"));
  s["ann"].drops();
  s.connects("ann2", opening("198.51.100.1", "other.example")).resumes("ann");
  s.advance(1h);
  CHECK(urls("ann2") == "stun:other.example:3478 turn:other.example:3478?transport=udp");
}

// --- Tokens
struct Guarded : SignalingScenario {
  explicit Guarded(SignalingSetup setup = {}) : SignalingScenario(with_tokens(std::move(setup))) {}

  static SignalingSetup with_tokens(SignalingSetup setup) {
    setup.access = Access::token;
    if (setup.token_secrets.empty()) setup.token_secrets = {"south"};
    return setup;
  }
  // Returns a token that, with the leeway, is valid for one minute.
  std::string token(const std::string& claims = {}, std::string_view secret = "south") const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now().wall.time_since_epoch()).count();
    return sign_token(R"({"exp":)" + std::to_string(seconds) + (claims.empty() ? "" : "," + claims) + "}",
                      secret);
  }
  static std::string member(const std::string& token) { return R"("token":")" + token + '"'; }
};

TEST_CASE("when tokens are required, nobody is admitted without one", "[signaling]") {
  Guarded s;
  auto ann = s.connects("ann");
  ann.joins("blue").expect({error("ann", Refusal::token_required)});
  ann.joins("blue", R"("token":"")").expect({error("ann", Refusal::token_required)});
  ann.joins("blue", R"("token":7)").expect({error("ann", Refusal::token_required)});
  ann.joins("blue", R"("token":"x")").expect({error("ann", Refusal::token_invalid)});
  ann.joins("blue", s.member(s.token("", "another secret"))).expect({error("ann", Refusal::token_invalid)});
  ann.joins("blue", s.member(s.token(R"("nbf":9999999999)")))
      .expect({error("ann", Refusal::token_not_yet_valid)});
  ann.joins("blue", s.member(s.token(R"("room":"red")"))).expect({error("ann", Refusal::token_invalid)});
  ann.joins("blue", s.member(s.token(R"("room":"")"))).expect({error("ann", Refusal::token_invalid)});
  ann.joins("blue", s.member(s.token(R"("room":"Blue")"))).expect({error("ann", Refusal::token_invalid)});
  CHECK(s.hub().members() == 0);
  ann.joins("blue", s.member(s.token(R"("room":"blue")"))).expect({joined("ann", "blue")});
  s.connects("bob")
      .joins("blue", s.member(s.token()))
      .expect({joined("bob", "blue", {"ann"}), peer_joined("ann", "bob")});
}

TEST_CASE("a token opens until it expires, and who is in stays in without new credentials", "[signaling]") {
  Guarded s;
  const std::string token = s.token();
  s.connects("ann").joins("blue", s.member(token));
  s.connects("bob");
  s.connects("carl");
  s.advance(44s);
  s["bob"].joins("blue", s.member(token)).expect({joined("bob", "blue", {"ann"}), peer_joined("ann", "bob")});
  s["carl"].joins("red", s.member(token));
  s["carl"].leaves();
  s.advance(15999ms).expect_silence();
  s.connects("dora")
      .joins("blue", s.member(token))
      .expect(
          {joined("dora", "blue", {"ann", "bob"}), peer_joined("ann", "dora"), peer_joined("bob", "dora")});
  s.advance(1ms).expect({error("ann", Refusal::token_expired), error("bob", Refusal::token_expired),
                         error("dora", Refusal::token_expired)});
  s["carl"].joins("blue", s.member(token)).expect({error("carl", Refusal::token_expired)});
  s["ann"].broadcasts("1").expect({broadcast("bob", "ann", "1"), broadcast("dora", "ann", "1")});
  s["ann"].drops();
  s.connects("ann2").resumes("ann").expect(
      {resumed_without_credentials("ann2", "blue", "ann", {"bob", "dora"}),
       error("ann2", Refusal::token_expired)});
}

TEST_CASE("an expired token brings no credentials by request or by timer", "[signaling]") {
  Guarded s;
  s.connects("ann").joins("blue", s.member(s.token())).expect({joined("ann", "blue")});
  s.advance(59s).expect_silence();
  s["ann"].asks_for_credentials().expect({new_credentials("ann")});
  s.advance(1s).expect({error("ann", Refusal::token_expired)});
  s["ann"].asks_for_credentials().expect({error("ann", Refusal::token_expired)});
  s.advance(3h).expect_silence();  // and is told once
  s["ann"].leaves();
}

TEST_CASE("a fresh token brings credentials again", "[signaling]") {
  Guarded s;
  s.connects("ann").joins("blue", s.member(s.token(R"("sub":"ann")")));
  const std::string later = s.token(R"("nbf":9999999999)");
  s["ann"].brings(s.token(R"("sub":"ann","room":"red")")).expect({error("ann", Refusal::token_invalid, "7")});
  s["ann"].brings("x").expect({error("ann", Refusal::token_invalid, "7")});
  s["ann"].brings("").expect({error("ann", Refusal::bad_message, "7")});
  s["ann"].brings(later).expect({error("ann", Refusal::token_not_yet_valid, "7")});
  s.advance(30s);
  const std::string old = s.token();
  s["ann"].brings(s.token(R"("sub":"ann","room":"blue")")).expect({ack("ann", "7")});
  s.advance(59s).expect_silence();  // the first would have expired
  s.advance(1s).expect({error("ann", Refusal::token_expired)});
  s["ann"].brings(old).expect({error("ann", Refusal::token_expired, "7")});
  s["ann"].brings(s.token(R"("sub":"ann")")).expect({new_credentials("ann"), ack("ann", "7")});
  CHECK(s.credentials("ann").user == "ann");
  s["ann"].asks_for_credentials().expect({new_credentials("ann")});
  s["ann"].leaves();
}

TEST_CASE("a new token counts for a member that comes back", "[signaling]") {
  Guarded s;
  s.connects("ann").joins("blue", s.member(s.token()));
  s.advance(50s);
  s["ann"].brings(s.token()).expect({ack("ann", "7")});
  s.advance(20s);
  s["ann"].drops();
  s.connects("ann2").resumes("ann").expect({resumed("ann2", "blue", "ann")});
  s.advance(40s).expect({error("ann2", Refusal::token_expired)});
  s["ann2"].drops();
  // A new token may come with the request, or with the connection.
  s.connects("ann3")
      .says(R"({"type":"resume","resume":"<ann's secret>","token":")" + s.token() + "\"}")
      .expect({resumed("ann3", "blue", "ann")});
  s.advance(1min);
  s["ann3"].drops();
  s.connects("ann4", opening("198.51.100.1", "", s.token()))
      .resumes("ann")
      .expect({resumed("ann4", "blue", "ann")});
  s["ann4"].leaves();
}

TEST_CASE("a token may be brought before joining, and in an open room means nothing", "[signaling]") {
  Guarded s;
  s.connects("ann").brings(s.token(R"("sub":"ann")")).expect({ack("ann", "7")});
  s["ann"].joins("blue").expect({joined("ann", "blue")});
  CHECK(s.credentials("ann").user == "ann");
  SignalingScenario open;
  open.connects("bob").brings("x").expect({ack("bob", "7")});
}

TEST_CASE("a member that joined while access was open gets no credentials when tokens are required now",
          "[signaling]") {
  SignalingSetup setup;
  setup.token_secrets = {"south"};
  SignalingScenario s(setup);
  s.connects("ann").joins("blue").expect({joined("ann", "blue")});
  s.connects("bob").joins("blue");
  s.set_access(Access::token);
  s["ann"].asks_for_credentials().expect({error("ann", Refusal::token_required)});
  CHECK(s.refused.find("token-required") != std::string::npos);
  s["ann"].broadcasts("1").expect({broadcast("bob", "ann", "1")});
  s["ann"].drops();
  s.connects("ann2").resumes("ann").expect(
      {resumed_without_credentials("ann2", "blue", "ann", {"bob"}), error("ann2", Refusal::token_required)});
  s.advance(45min).expect({error("bob", Refusal::token_required)});  // in place of new credentials
  s["bob"].brings(Guarded().token()).expect({error("bob", Refusal::token_expired, "7")});
  s.set_access(Access::open);
  s["ann2"].asks_for_credentials().expect({new_credentials("ann2")});
  s["bob"].asks_for_credentials().expect({new_credentials("bob")});
}

TEST_CASE("an expired token does no harm where none is asked for any more", "[signaling]") {
  Guarded s;
  s.connects("ann").joins("blue", s.member(s.token()));
  s.set_access(Access::open);
  s.advance(1min).expect_silence();
  s["ann"].asks_for_credentials().expect({new_credentials("ann")});
}

TEST_CASE("fresh tokens are held to the rate of credentials", "[signaling]") {
  Guarded s({.mints_per_second = 1, .mints_at_once = 1});
  s.connects("ann").joins("blue", s.member(s.token()));
  s.advance(1min).expect({error("ann", Refusal::token_expired)});
  s["ann"].brings(s.token()).expect({new_credentials("ann"), ack("ann", "7")});
  s["ann"].brings(s.token()).expect({ack("ann", "7")});  // no credentials are owed
  s.advance(1min);
  s["ann"].brings(s.token());
  s["ann"].drops();
  s.connects("ann2").resumes("ann").expect({error("ann2", Refusal::rate_limited)});
}

TEST_CASE("the wall clock may be set back while a token lasts", "[signaling]") {
  Guarded s;
  s.connects("ann").joins("blue", s.member(s.token()));
  s.set_wall_back(30s);
  s.advance(89s).expect_silence();
  s.advance(1s).expect({error("ann", Refusal::token_expired)});
}

TEST_CASE("refusals that the operator can change are told for the log", "[signaling]") {
  Guarded s({.limits = {.members_per_room = 1}});
  s.connects("ann").joins("blue").expect({error("ann", Refusal::token_required)});
  s["ann"].joins("blue", s.member("x"));
  s["ann"].joins("blue", s.member(s.token()));
  s.connects("bob", opening("198.51.100.2")).joins("blue", s.member(s.token()));
  s["bob"].says("{");
  s["bob"].joins("");
  CHECK(s.refused ==
        "token-required 198.51.100.1 (signaling.access)\n"
        "token-invalid 198.51.100.1 (signaling.token_secrets)\n"
        "room-full 198.51.100.2 (signaling.members_per_room)\n");
}

TEST_CASE("a token may come with the connection, and one in the message goes before it", "[signaling]") {
  Guarded s;
  s.connects("ann", opening("198.51.100.1", "", s.token(R"("sub":"ann")")))
      .joins("blue")
      .expect({joined("ann", "blue")});
  CHECK(s.credentials("ann").user == "ann");
  s.connects("bob", opening("198.51.100.1", "", s.token(R"("sub":"bob","room":"red")")));
  s["bob"].joins("blue").expect({error("bob", Refusal::token_invalid)});
  s["bob"].joins("blue", s.member("x")).expect({error("bob", Refusal::token_invalid)});
  s["bob"].joins("blue", s.member(s.token(R"("sub":"other")")));
  CHECK(s.credentials("bob").user == "other");
}

TEST_CASE("the subject is whose quota counts, and the role is shown", "[signaling]") {
  Guarded s;
  s.connects("ann").joins("blue", s.member(s.token(R"("sub":"a\u3000e\u0301","role":"host")")));
  CHECK(s.credentials("ann").user == "a \u00e9");  // as a user name is prepared
  s.connects("bob")
      .joins("blue", s.member(s.token(R"("role":"guest")")))
      .expect({{"bob", R"({"type":"joined","room":"blue","self":"<bob>",)"
                       R"("peers":[{"id":"<ann>","name":"ann","role":"host"}]})"},
               {"ann", R"({"type":"peer-joined","peer":{"id":"<bob>","name":"bob","role":"guest"}})"}});
  CHECK(s.credentials("bob").user.starts_with("guest-"));  // who has no name shares that of the address
  s["ann"].drops();
  s.connects("ann2").resumes("ann");
  CHECK(s.credentials("ann2").user == "a \u00e9");
  s.advance(1h);
  CHECK(s.credentials("ann2").user == "a \u00e9");
}

TEST_CASE("secrets can be changed one after the other", "[signaling]") {
  Guarded s({.token_secrets = {"south", "west"}});
  s.connects("ann").joins("blue", s.member(s.token("", "south"))).expect({joined("ann", "blue")});
  s.connects("bob").joins("red", s.member(s.token("", "west"))).expect({joined("bob", "red")});
  s.connects("carl")
      .joins("red", s.member(s.token("", "east")))
      .expect({error("carl", Refusal::token_invalid)});
}

TEST_CASE("a refused token costs no credentials", "[signaling]") {
  Guarded s({.mints_per_second = 1, .mints_at_once = 1});
  auto ann = s.connects("ann");
  for (int i = 0; i < 5; ++i)
    ann.joins("blue", R"("token":"x")").expect({error("ann", Refusal::token_invalid)});
  ann.joins("blue", s.member(s.token())).expect({joined("ann", "blue")});
}

TEST_CASE("when tokens are not required, a token has no effect", "[signaling]") {
  SignalingScenario s;
  s.connects("ann", opening("198.51.100.1", "", "x"))
      .joins("blue", R"("token":"y")")
      .expect({joined("ann", "blue")});
  CHECK(s.credentials("ann").user.starts_with("guest-"));
}

}  // namespace
}  // namespace turnpike::signaling
