#include "turnpike/signaling/json_text.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <string>

namespace turnpike::signaling {
namespace {

std::string parsed(std::string_view text) {
  const auto value = parse_json(text);
  return value ? boost::json::serialize(*value) : "(none)";
}

TEST_CASE("half of a surrogate pair reads as U+FFFD", "[signaling]") {
  CHECK(parsed(R"("cut \ud83d")") == "\"cut \uFFFD\"");
  CHECK(parsed(R"("cut \uD83D")") == "\"cut \uFFFD\"");
  CHECK(parsed(R"("\uD83D\uDE42")") == "\"\U0001F642\"");
  CHECK(parsed(R"("\ud83d\ud83d\ude42")") == "\"\uFFFD\U0001F642\"");
  CHECK(parsed(R"("\ude42\ud83d")") == "\"\uFFFD\uFFFD\"");
  CHECK(parsed(R"("\ud83dx\ude42")") == "\"\uFFFDx\uFFFD\"");
  CHECK(parsed(R"("\ud83d\n\ud83d\u0041")") == "\"\uFFFD\\n\uFFFDA\"");
  CHECK(parsed(R"({"\udfff":["\udbff"]})") == "{\"\uFFFD\":[\"\uFFFD\"]}");
}

TEST_CASE("escapes that only look like a surrogate are unchanged", "[signaling]") {
  CHECK(parsed(R"("\\ud83d")") == R"("\\ud83d")");
  CHECK(parsed(R"("\\\ud83d")") == "\"\\\\\uFFFD\"");
  CHECK(parsed(R"("\ud7ff\ue000")") == "\"\uD7FF\uE000\"");
}

TEST_CASE("what is no JSON stays none", "[signaling]") {
  for (const std::string_view text :
       {"", "\"\\ud83d", "\"\\ud83\"", "\"\\ud83g\"", "\"\\ud8 3\"", "\\ud83d", "\"\\u-d83\"",
        "\"\\ud83d\\\"", "\"\xED\xA0\xBD\"", "\"\xFF\"", "{\"a\":1"}) {
    CAPTURE(text);
    CHECK(parsed(text) == "(none)");
  }
  CHECK(parse_json(std::string(32, '[') + std::string(32, ']')));
  CHECK_FALSE(parse_json(std::string(33, '[') + std::string(33, ']')));
  CHECK_FALSE(parse_json("[[[]]]", 2));
}

}  // namespace
}  // namespace turnpike::signaling
