#include "turnpike/signaling/placeholders.hpp"

#include <catch2/catch.hpp>

namespace turnpike::signaling {
namespace {

std::string replaced(std::string_view json, std::size_t count = 2) {
  return replace_placeholders(json, count,
                              [](std::size_t number) { return "‹" + std::to_string(number) + "›"; });
}

TEST_CASE("placeholders are replaced wherever they stand, and nothing else is touched", "[signaling]") {
  CHECK(replaced(R"({"_placeholder":true,"num":0})") == "‹0›");
  CHECK(
      replaced(
          R"([ 1.10, {"a" : { "num" : 1 , "_placeholder" : true , "x":2} }, {"_placeholder":true,"num":0} ])") ==
      R"([ 1.10, {"a" : ‹1› }, ‹0› ])");
  CHECK(replaced(R"([[[{"b":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]}]]])") ==
        R"([[[{"b":[‹1›,‹1›]}]]])");
  CHECK(replaced(R"({"\u005fplaceholder":true,"n\u0075m":1})") == "‹1›");
  CHECK(replaced(R"({"_placeholder":false,"num":5,"_placeholder":true,"num":1})") == "‹1›");
}

TEST_CASE("a placeholder is found wherever it stands", "[signaling]") {
  for (const std::string_view json :
       {R"({"_placeholder":true,"num":7})", R"([1,{"a":{"_placeholder" : true}}])",
        R"({"_\u0070laceholder":true})"}) {
    CAPTURE(json);
    CHECK(has_placeholder(json));
  }
  for (const std::string_view json : {R"({"_placeholder":false,"num":0})", R"("_placeholder")",
                                      R"({"a":"\u0070"})", R"({"_placeholder":"true"})", "[]", "null", ""}) {
    CAPTURE(json);
    CHECK_FALSE(has_placeholder(json));
  }
}

TEST_CASE("what only looks like a placeholder stays", "[signaling]") {
  for (const std::string_view json :
       {R"({"_placeholder":true,"num":2})", R"({"_placeholder":true,"num":-1})", R"({"_placeholder":true})",
        R"({"_placeholder":"true","num":0})", R"({"_placeholder":1,"num":0})",
        R"({"_placeholder":false,"num":0})", R"({"_placeholder":true,"num":0.0})",
        R"({"_placeholder":true,"num":"0"})", R"({"num":0})", "{}", "[]",
        R"("{\"_placeholder\":true,\"num\":0}")", "null", " 1.0 ", ""}) {
    CAPTURE(json);
    CHECK(replaced(json) == json);
  }
  CHECK(replaced(R"({"_placeholder":true,"num":0})", 0) == R"({"_placeholder":true,"num":0})");
}

}  // namespace
}  // namespace turnpike::signaling
