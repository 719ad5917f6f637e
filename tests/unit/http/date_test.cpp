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

}  // namespace
}  // namespace turnpike::http
