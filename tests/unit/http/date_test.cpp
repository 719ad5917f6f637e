#include "http/date.hpp"

#include <catch2/catch.hpp>

namespace turnpike::http {
namespace {

TEST_CASE("dates are written as HTTP has them", "[http]") {
  Date date;
  CHECK(date.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110 §5.6.7
  CHECK(date.at(784111778) == "Sun, 06 Nov 1994 08:49:38 GMT");
  CHECK(date.at(784111778) == "Sun, 06 Nov 1994 08:49:38 GMT");
  CHECK(date.at(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date.at(4107542399) == "Sun, 28 Feb 2100 23:59:59 GMT");
}

// The examples of RFC 9110 §5.6.7.
TEST_CASE("dates are read in all three forms", "[http]") {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    CAPTURE(text);
    CHECK(parse_http_date(text) == 784111777);
  }
  for (const char* text : {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT+1",
                           "Sun, 06 Nov 1994 25:49:37 GMT", "784111777"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text));
  }
}

}  // namespace
}  // namespace turnpike::http
