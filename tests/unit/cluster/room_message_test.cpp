#include "cluster/room_message.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "support/scripted_random.hpp"

namespace turnpike::cluster {
namespace {

namespace json = boost::json;
using signaling::Event;
using signaling::MemberId;
using signaling::Presence;

MemberId member() {
  static test::ScriptedRandom random;
  return MemberId::random(random);
}

Presence presence() {
  return {.id = member(),
          .version = UINT64_MAX,
          .name = "Ann \"\\ \u2028",
          .role = "host",
          .quota_user = "guest-1",
          .good_until = WallTime(Duration(1'790'000'000'123)),
          .token_id = "a token",
          .issued = WallTime(Duration(1'780'000'000'000)),
          .present = false,
          .lost = true,
          .rooms = {"blue", "/admin\nroom"}};
}

RoomMessage said() {
  Event event;
  event.kind = Event::Kind::broadcast;
  event.room = "blue";
  event.from = member();
  event.name = "Ann";
  event.message = signaling::MemberMessage(R"({"n": 1.0, "s":"\ud83d"})");
  event.message.event = "offer";
  event.message.more_arguments = R"(,"x",[1])";
  event.message.anonymous = true;
  event.message.attachments = {std::make_shared<const std::string>(std::string("\0\xff", 2))};
  RoomMessage message{
      .kind = RoomMessage::Kind::said, .node = "a.example.org", .run = "run", .number = 6, .sequence = 7};
  message.said = {.to = {member(), member()}, .event = std::make_shared<const Event>(event), .forwarded = 1};
  return message;
}

RoomMessage mark() {
  RoomMessage message{
      .kind = RoomMessage::Kind::mark, .node = "a.example.org", .run = "run", .number = 6, .sequence = 7};
  message.said = {.to = {member()}, .forwarded = 1};
  message.origin = "c.example.org";
  return message;
}

KeptEvent kept(const Event& event = *said().said.event) {
  return {.node = "a.example.org", .number = 6, .event = std::make_shared<const Event>(event)};
}

void check_same(const Presence& a, const Presence& b) {
  CHECK(a.id == b.id);
  CHECK(a.version == b.version);
  CHECK(a.name == b.name);
  CHECK(a.role == b.role);
  CHECK(a.quota_user == b.quota_user);
  CHECK(a.good_until == b.good_until);
  CHECK(a.token_id == b.token_id);
  CHECK(a.issued == b.issued);
  CHECK(a.present == b.present);
  CHECK(a.lost == b.lost);
  CHECK(a.rooms == b.rooms);
}

TEST_CASE("a presence is read as it was written", "[cluster]") {
  const Presence written = presence();
  const auto read = parse_presence(to_json(written));
  REQUIRE(read);
  check_same(*read, written);
  Presence without = presence();
  without.good_until.reset();
  CHECK_FALSE(parse_presence(to_json(without))->good_until);
}

TEST_CASE("messages of every kind are read as they were written", "[cluster]") {
  for (const auto kind : {RoomMessage::Kind::hello, RoomMessage::Kind::alive}) {
    const auto read =
        parse_room_message(to_json({.kind = kind, .node = "a", .run = "r", .number = 2, .sequence = 1}));
    REQUIRE(read);
    CHECK(read->kind == kind);
    CHECK(read->node == "a");
    CHECK(read->run == "r");
    CHECK(read->number == 2);
    CHECK(read->sequence == 1);
  }
  const RoomMessage changes{.kind = RoomMessage::Kind::changes,
                            .node = "a",
                            .run = "r",
                            .number = 3,
                            .sequence = 2,
                            .changes = {presence(), presence()}};
  const auto read_changes = parse_room_message(to_json(changes));
  REQUIRE(read_changes);
  REQUIRE(read_changes->changes.size() == 2);
  check_same(read_changes->changes[1], changes.changes[1]);

  const RoomMessage written = said();
  const auto read = parse_room_message(to_json(written));
  REQUIRE(read);
  CHECK(read->said.to == written.said.to);
  CHECK(read->said.forwarded == 1);
  const Event& event = *read->said.event;
  CHECK(event.kind == Event::Kind::broadcast);
  CHECK(event.from == written.said.event->from);
  CHECK(event.message.payload == written.said.event->message.payload);
  CHECK(event.message.event == "offer");
  CHECK(event.message.more_arguments == R"(,"x",[1])");
  CHECK(event.message.anonymous);
  CHECK(*event.message.attachments.at(0) == std::string("\0\xff", 2));

  const RoomMessage written_mark = mark();
  const auto read_mark = parse_room_message(to_json(written_mark));
  REQUIRE(read_mark);
  CHECK(read_mark->said.to == written_mark.said.to);
  CHECK(read_mark->said.forwarded == 1);
  CHECK_FALSE(read_mark->said.event);
  CHECK(read_mark->origin == "c.example.org");
}

TEST_CASE("how often something was forwarded is told, and not to those who know it only once", "[cluster]") {
  RoomMessage message = said();
  CHECK(to_json(message).find("forwards") == std::string::npos);
  message.said.forwarded = 3;
  const std::string text = to_json(message);
  CHECK(text.find(R"("forwarded":true)") != std::string::npos);
  const auto read = parse_room_message(text);
  REQUIRE(read);
  CHECK(read->said.forwarded == 3);
  const auto with = [&](const std::string& forwards) {
    std::string changed = text;
    changed.replace(changed.find(R"("forwards":3)"), 12, R"("forwards":)" + forwards);
    return parse_room_message(changed).has_value();
  };
  CHECK(with("1000"));
  for (const char* wrong : {"0", "1001", "-1", "\"3\"", "null"}) CHECK_FALSE(with(wrong));
}

// Replaces each member of the object by something else, one at a time.
void check_strict(const std::string& text, const std::function<bool(const std::string&)>& is_read) {
  REQUIRE(is_read(text));
  const json::object whole = json::parse(text).as_object();
  for (const auto& [name, value] : whole) {
    const bool may_be_absent = name == "good_until" || name == "token_id" || name == "issued";
    CAPTURE(std::string(name));
    json::object changed = whole;
    changed.erase(name);
    CHECK(is_read(json::serialize(changed)) == may_be_absent);
    for (const json::value& other :
         {json::value(nullptr), json::value(-1), json::value(1.5), json::value(json::object{}),
          json::value(json::array{1}), json::value(std::string(5000, 'x'))}) {
      if (other.kind() == value.kind() && (name == "payload" || name == "event" || name == "rest")) continue;
      changed[name] = other;
      CHECK_FALSE(is_read(json::serialize(changed)));
    }
  }
}

TEST_CASE("what has another form is nothing", "[cluster]") {
  check_strict(to_json(presence()), [](const std::string& text) { return parse_presence(text).has_value(); });
  check_strict(to_json(said()), [](const std::string& text) { return parse_room_message(text).has_value(); });
  check_strict(to_json(mark()), [](const std::string& text) { return parse_room_message(text).has_value(); });
  check_strict(to_json(kept()), [](const std::string& text) { return parse_kept_event(text).has_value(); });
  for (const char* text : {"", "null", "[]", "{", "{\"kind\":\"alive\"}", "\xff"}) {
    CHECK_FALSE(parse_room_message(text));
    CHECK_FALSE(parse_presence(text));
    CHECK_FALSE(parse_kept_event(text));
  }
}

TEST_CASE("what would not be JSON in a client's message is nothing", "[cluster]") {
  for (const char* payload : {"", "{", "1,2", "\"", "1}"}) {
    Event event = *said().said.event;
    event.message.payload = payload;
    CAPTURE(payload);
    CHECK_FALSE(parse_kept_event(to_json(kept(event))));
  }
  for (const char* rest : {"1", ",", ",1]", ",1],[2"}) {
    Event event = *said().said.event;
    event.message.more_arguments = rest;
    CAPTURE(rest);
    CHECK_FALSE(parse_kept_event(to_json(kept(event))));
  }
}

}  // namespace
}  // namespace turnpike::cluster
