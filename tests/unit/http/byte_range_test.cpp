#include "http/byte_range.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace turnpike::http {
namespace {

std::string chosen(std::string_view range, std::uint64_t size) {
  const ByteRange choice = choose_range(range, size);
  if (choice.kind == ByteRange::Kind::whole) return "whole";
  if (choice.kind == ByteRange::Kind::unsatisfiable) return "unsatisfiable";
  return std::to_string(choice.size) + " from " + std::to_string(choice.start);
}

TEST_CASE("one range of octets is read", "[http]") {
  CHECK(chosen("bytes=0-1", 10) == "2 from 0");
  CHECK(chosen("Bytes=0-", 10) == "10 from 0");
  CHECK(chosen("bytes=9-9", 10) == "1 from 9");
  CHECK(chosen("bytes=4-99", 10) == "6 from 4");
  CHECK(chosen("bytes=4-99999999999999999999999", 10) == "6 from 4");
  CHECK(chosen("bytes=-3", 10) == "3 from 7");
  CHECK(chosen("bytes=-99999999999999999999999", 10) == "10 from 0");
  CHECK(chosen("bytes=00-01", 10) == "2 from 0");
  CHECK(chosen("bytes=0-18446744073709551615", 18446744073709551615U) == "18446744073709551615 from 0");
}

TEST_CASE("a range outside of the file is unsatisfiable", "[http]") {
  for (const std::string_view range : {"bytes=10-", "bytes=10-20", "bytes=-0",
                                       "bytes=99999999999999999999999-", "bytes=18446744073709551615-"}) {
    CAPTURE(range);
    CHECK(chosen(range, 10) == "unsatisfiable");
  }
  CHECK(chosen("bytes=0-0", 0) == "unsatisfiable");
  CHECK(chosen("bytes=-1", 0) == "whole");
}

TEST_CASE("an invalid range is ignored", "[http]") {
  for (const std::string_view range :
       {"", "bytes", "bytes=", "bytes=-", "bytes=1", "bytes=a-b", "bytes=1-b", "bytes=b-", "bytes=5-4",
        "bytes=+1-2", "bytes=1 - 2", "bytes= 1-2", "bytes=0x1-2", "bytes=--1", "bytes=1--2", "items=0-1",
        "bytes=0-1,2-3", "bytes=0-1, bytes=2-3"}) {
    CAPTURE(range);
    CHECK(chosen(range, 10) == "whole");
  }
}

}  // namespace
}  // namespace turnpike::http
