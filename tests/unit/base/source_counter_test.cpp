#include "turnpike/base/source_counter.hpp"

#include <catch2/catch.hpp>

using namespace turnpike;

TEST_CASE("each source has a limit", "[base]") {
  SourceCounter counter(2);
  const IpAddress a = *IpAddress::parse("192.0.2.1");
  const IpAddress b = *IpAddress::parse("192.0.2.2");
  CHECK(counter.take(a));
  CHECK(counter.take(a));
  CHECK_FALSE(counter.take(a));
  CHECK(counter.take(b));

  counter.release(a);
  CHECK(counter.take(a));
  CHECK_FALSE(counter.take(a));
}

TEST_CASE("what is added beyond the limit has to be given back before more is taken", "[base]") {
  SourceCounter counter(1);
  const IpAddress a = *IpAddress::parse("192.0.2.1");
  counter.add(a);
  counter.add(a);
  counter.release(a);
  CHECK_FALSE(counter.take(a));
  counter.release(a);
  CHECK(counter.take(a));
}

TEST_CASE("the /64 of an IPv6 address is one source", "[base]") {
  SourceCounter counter(1);
  CHECK(counter.take(*IpAddress::parse("2001:db8::1")));
  CHECK_FALSE(counter.take(*IpAddress::parse("2001:db8::ffff:2")));
  CHECK(counter.take(*IpAddress::parse("2001:db8:0:1::1")));
}

TEST_CASE("a limit of 0 means no limit", "[base]") {
  SourceCounter counter(0);
  const IpAddress a = *IpAddress::parse("192.0.2.1");
  for (int i = 0; i < 1000; ++i) REQUIRE(counter.take(a));
}
