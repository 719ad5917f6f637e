#include "turnpike/signaling/json_slice.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <string>

namespace turnpike::signaling {
namespace {

std::string member(std::string_view object, std::string_view key) {
  return std::string(json_member(object, key).value_or("(nothing)"));
}

// Returns all elements, each in ‹ ›.
std::string elements(std::string_view array) {
  std::string all;
  for (const std::string_view element : json_elements(array)) all += "‹" + std::string(element) + "›";
  return all;
}

TEST_CASE("a member is found as it was written", "[signaling]") {
  struct Case {
    std::string_view object;
    std::string_view a;  // what the member "a" is
  };
  const Case cases[] = {
      {R"({"a":1})", "1"},
      {R"({"a":1.0,"b":2})", "1.0"},
      {R"({"b":2,"a":-1.50E+007})", "-1.50E+007"},
      {R"({"a":1e400})", "1e400"},
      {R"({"a":123456789012345678901234567890})", "123456789012345678901234567890"},
      {R"({"a":true})", "true"},
      {R"({"a":null,"b":false})", "null"},
      {R"({"a":""})", R"("")"},
      {R"({"a":"  x  "})", R"("  x  ")"},
      {R"({"a":"\"}, \\"})", R"("\"}, \\")"},
      {R"({"a":"\\","b":"a"})", R"("\\")"},
      {R"({"a":"\u0022,\u007d"})", R"("\u0022,\u007d")"},
      {R"({"a":"한국 🙂"})", R"("한국 🙂")"},
      {R"({"a":[]})", "[]"},
      {R"({"a":[1, [2,"]"], {"a":3}],"b":4})", R"([1, [2,"]"], {"a":3}])"},
      {R"({"a":{"a":{"a":[ ]}} })", R"({"a":{"a":[ ]}})"},
      {R"({"b":{"a":1}})", "(nothing)"},
      {R"({"b":"a","c":["a",1]})", "(nothing)"},
      {R"({"b":"\"a\":1"})", "(nothing)"},
      {R"({"a":1,"a":2})", "2"},
      {R"({"a":[1],"b":0,"a":"x"})", R"("x")"},
      {R"({"\u0061":1})", "(nothing)"},
      {R"({"a":1,"\u0061":2})", "1"},
      {R"({"A":1,"aa":2,"":3," a":4})", "(nothing)"},
      {R"({"x\"a":1,"a":2})", "2"},
      {R"({})", "(nothing)"},
      {R"( { } )", "(nothing)"},
      {" \t\r\n{ \n\"a\" \t:\r 1 \n, \"b\" : 2 } \n", "1"},
      {"{\"b\" : 2 , \"a\" :\t[ 1 , 2 ]\r\n}", "[ 1 , 2 ]"},
      {"{\"a\":\n{\n}\n}", "{\n}"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.object);
    boost::system::error_code error;
    const boost::json::value parsed = boost::json::parse(c.object, error);
    REQUIRE_FALSE(error);
    CHECK(member(c.object, "a") == c.a);
  }
  CHECK(member(R"({"":1})", "") == "1");
  CHECK(member(R"({"from":1,"to":2,"data":3})", "data") == "3");
}

TEST_CASE("only an object has members", "[signaling]") {
  for (const std::string_view text :
       {"[\"a\",1]", "\"a\"", "1", "null", "true", " [{\"a\":1}] ", "\"{\\\"a\\\":1}\""}) {
    CAPTURE(text);
    CHECK_FALSE(json_member(text, "a"));
  }
}

TEST_CASE("the elements of an array are found as they were written", "[signaling]") {
  struct Case {
    std::string_view array;
    std::string_view elements;
  };
  const Case cases[] = {
      {"[]", ""},
      {" [ \n ] ", ""},
      {"[1]", "‹1›"},
      {"[1,2.50,1e400]", "‹1›‹2.50›‹1e400›"},
      {" [ 1 ,\t\"a b\" ,\r\n null ] ", "‹1›‹\"a b\"›‹null›"},
      {R"(["a,b","]","[","\"",","])", R"(‹"a,b"›‹"]"›‹"["›‹"\""›‹","›)"},
      {R"(["\\","\\\"",""])", R"(‹"\\"›‹"\\\""›‹""›)"},
      {"[[]]", "‹[]›"},
      {"[[1,2],[3]]", "‹[1,2]›‹[3]›"},
      {"[[[[]]],[ [ ] ]]", "‹[[[]]]›‹[ [ ] ]›"},
      {R"([{"a":[1,2],"b":"}"},{}])", R"(‹{"a":[1,2],"b":"}"}›‹{}›)"},
      {R"(["event",{"a":1},[null]])", R"(‹"event"›‹{"a":1}›‹[null]›)"},
      {"{}", ""},
      {R"({"a":[1]})", ""},
      {R"("[1]")", ""},
      {"1", ""},
      {"null", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.array);
    boost::system::error_code error;
    const boost::json::value parsed = boost::json::parse(c.array, error);
    REQUIRE_FALSE(error);
    CHECK(elements(c.array) == c.elements);
    CHECK(json_elements(c.array).size() == (parsed.is_array() ? parsed.get_array().size() : 0));
  }
}

// They are parts of the text.
void check_is_part_of(std::string_view text, std::string_view slice) {
  CAPTURE(text, slice);
  CHECK(slice.data() >= text.data());
  CHECK(slice.data() + slice.size() <= text.data() + text.size());
}
void check_member_of(std::string_view text, std::string_view name) {
  if (const auto slice = json_member(text, name)) check_is_part_of(text, *slice);
}
void check_elements_of(std::string_view text) {
  for (const std::string_view element : json_elements(text)) check_is_part_of(text, element);
}

TEST_CASE("slices view the text", "[signaling]") {
  const std::string object = R"({"a": [1, 2] })";
  const auto slice = json_member(object, "a");
  REQUIRE(slice);
  CHECK(slice->data() == object.data() + 6);
  CHECK(json_elements(*slice).size() == 2);
  check_elements_of(*slice);
}

// Callers parse the JSON first, but malformed JSON must not do harm either.
TEST_CASE("of what no parser would accept nothing is seen that is not there", "[signaling]") {
  const std::string whole = R"({"a":[1,{"b":"\"x\\"}],"c" : "d"})";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);  // its end is an end for the sanitizers
    check_member_of(cut, "c");
    for (const std::string& text : {cut, '[' + cut, '[' + cut + ']'}) check_elements_of(text);
  }
  for (const std::string_view text : {"",       " ",       "{",        "}",       "[",
                                      "]",      "\"",      "\\",       "{\"",     "{\"a",
                                      "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\\",  "{:}",
                                      "{,}",    "[,]",     "[,,]",     "[\"]",    "[\\]",
                                      "]]",     "[]]",     "[[]",      "{\"a\"}", "{\"a\"\"a\":1}",
                                      "{\"\":}"}) {
    check_member_of(text, "a");
    check_elements_of(text);
  }
}

}  // namespace
}  // namespace turnpike::signaling
