#include "http/message.hpp"

#include <catch2/catch.hpp>

using namespace turnpike::http;

TEST_CASE("headers of one name are one list", "[http]") {
  Request request;
  request.headers = {{"X-Forwarded-For", "198.51.100.1, 198.51.100.2"},
                     {"Host", "example.org"},
                     {"x-forwarded-for", ""},
                     {"x-forwarded-for", "198.51.100.3"}};
  CHECK(request.header_list("X-Forwarded-For") == "198.51.100.1, 198.51.100.2, 198.51.100.3");
  CHECK(request.header_list("host") == "example.org");
  CHECK(request.header_list("Via").empty());
}
