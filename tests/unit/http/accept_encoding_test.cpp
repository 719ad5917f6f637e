#include "http/accept_encoding.hpp"

#include <catch2/catch.hpp>

namespace turnpike::http {
namespace {

TEST_CASE("gzip is used for clients that accept it", "[http]") {
  for (const std::string_view list :
       {"gzip", "GZIP", "x-gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*", "*;q=0.5",
        "gzip;q=0.001", "identity;q=0, gzip", "*;q=0, gzip", "gzip;Q=1", "deflate , gzip ; q=1"}) {
    CAPTURE(list);
    CHECK(accepts_gzip(list));
  }
}

TEST_CASE("gzip is not used for other clients", "[http]") {
  for (const std::string_view list :
       {"", "identity", "br", "gzip;q=0", "gzip;q=0.0", "gzip;q=0.000", "gzip ; q=0", "gzip;Q=0",
        "gzip;q=0, *", "*;q=0", "bgzip", "gzipped", "deflate;x=gzip", "br, gzip;q=0, deflate"}) {
    CAPTURE(list);
    CHECK_FALSE(accepts_gzip(list));
  }
}

}  // namespace
}  // namespace turnpike::http
