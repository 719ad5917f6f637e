#include "turnpike/signaling/course_chat.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace turnpike::signaling {
namespace {

std::string heard(CourseChat& chat, ConnectionId from, std::string_view text) {
  CourseChat::Output out = chat.on_text(from, text);
  std::ranges::sort(out.to);
  std::string all = out.text ? *out.text : "nothing";
  for (const ConnectionId to : out.to) all += ' ' + std::to_string(to);
  return all;
}

TEST_CASE("everybody hears everything, the sender included", "[signaling]") {
  CourseChat chat;
  chat.on_open(1, {});
  chat.on_open(2, {});
  CHECK(heard(chat, 1, "hello") == "hello 1 2");
  CHECK(heard(chat, 1, R"({"type":"new_message","payload":"hi"})") == "Anon: hi 1 2");
  CHECK(heard(chat, 1, R"({"type":"nickname","payload":"Ann"})") == "nothing");
  CHECK(heard(chat, 1, R"({"type":"new_message","payload":"hi"})") == "Ann: hi 1 2");
  CHECK(heard(chat, 2, R"({"type":"new_message","payload":7})") == "Anon: 7 1 2");
  chat.on_closed(1);
  CHECK(heard(chat, 2, R"({"type":"other"})") == R"({"type":"other"} 2)");
  CHECK(heard(chat, 2, "{") == "{ 2");
}

TEST_CASE("an invalid nickname leaves the old one unchanged", "[signaling]") {
  CourseChat chat;
  chat.on_open(1, {});
  chat.on_text(1, R"({"type":"nickname","payload":"Ann"})");
  chat.on_open(2, {});
  const auto refused = [](Refusal refusal) {
    return R"({"type":"error","code":"bad-name","message":")" + std::string(message_of(refusal)) + "\"} 1";
  };
  for (const std::string& name : {std::string("a\\nb"), std::string(65, 'x'), std::string("a\u202Eb")}) {
    CHECK(heard(chat, 1, R"({"type":"nickname","payload":")" + name + "\"}") == refused(Refusal::bad_name));
  }
  CHECK(heard(chat, 1, R"({"type":"nickname","payload":""})") == refused(Refusal::no_name));
  CHECK(message_of(Refusal::no_name) != message_of(Refusal::bad_name));
  chat.on_closed(2);
  CHECK(heard(chat, 1, R"({"type":"new_message","payload":"hi"})") == "Ann: hi 1");
}

TEST_CASE("a text that was cut inside an emoji is signed all the same", "[signaling]") {
  CourseChat chat;
  chat.on_open(1, {});
  CHECK(heard(chat, 1, R"({"type":"new_message","payload":"cut \ud83d"})") == "Anon: cut \uFFFD 1");
}

TEST_CASE("those whose tokens are for one room are among themselves", "[signaling]") {
  CourseChat chat;
  chat.on_open(1, "blue");
  chat.on_open(2, "red");
  chat.on_open(3, "blue");
  chat.on_open(4, {});
  chat.on_open(5, "");
  CHECK(heard(chat, 1, "hello") == "hello 1 3");
  CHECK(heard(chat, 2, "hello") == "hello 2");
  CHECK(heard(chat, 4, "hello") == "hello 4");
  CHECK(heard(chat, 5, "hello") == "hello 5");
  chat.on_closed(1);
  CHECK(heard(chat, 3, "hello") == "hello 3");
}

}  // namespace
}  // namespace turnpike::signaling
