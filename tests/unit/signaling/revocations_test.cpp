#include "turnpike/signaling/revocations.hpp"

#include <catch2/catch.hpp>

namespace turnpike::signaling {
namespace {

using namespace std::chrono_literals;
using Kind = Revocation::Kind;

constexpr WallTime kNow{1'735'689'600s};

TEST_CASE("a token is revoked by its id until it would have expired", "[signaling]") {
  Revocations revocations;
  CHECK_FALSE(revocations.has("a", "", {}, kNow));
  REQUIRE(revocations.add({Kind::token, "a", kNow, kNow + 1h}, kNow));
  CHECK(revocations.has("a", "", {}, kNow));
  CHECK(revocations.has("a", "ann", kNow + 1min, kNow + 1h - 1ms));
  CHECK_FALSE(revocations.has("a", "", {}, kNow + 1h));
  CHECK_FALSE(revocations.has("b", "a", {}, kNow));
  CHECK_FALSE(revocations.has("", "", {}, kNow));
}

TEST_CASE("a subject is revoked with all tokens that were issued until then", "[signaling]") {
  Revocations revocations;
  REQUIRE(revocations.add({Kind::subject, "ann", kNow, kNow + 1h}, kNow));
  CHECK(revocations.has("x", "ann", {}, kNow));
  CHECK(revocations.has("x", "ann", kNow, kNow));
  CHECK_FALSE(revocations.has("x", "ann", kNow + 1s, kNow + 2s));
  CHECK_FALSE(revocations.has("ann", "bob", {}, kNow));
  // Once more, for a shorter time: the later of both holds.
  REQUIRE(revocations.add({Kind::subject, "ann", kNow + 1min, kNow + 30min}, kNow + 1min));
  CHECK(revocations.has("x", "ann", kNow + 1s, kNow + 59min));
}

TEST_CASE("so many are remembered and no more, and those that are over make room", "[signaling]") {
  Revocations revocations;
  for (std::size_t i = 0; i < Revocations::kMax; ++i)
    REQUIRE(revocations.add({Kind::token, std::to_string(i), kNow, kNow + 1h}, kNow));
  CHECK_FALSE(revocations.add({Kind::token, "one more", kNow, kNow + 1h}, kNow));
  CHECK(revocations.add({Kind::token, "7", kNow, kNow + 2h}, kNow));
  CHECK(revocations.add({Kind::token, "one more", kNow + 1h, kNow + 2h}, kNow + 1h));
  CHECK(revocations.has("7", "", {}, kNow + 1h));
  CHECK_FALSE(revocations.has("8", "", {}, kNow + 1h));
}

}  // namespace
}  // namespace turnpike::signaling
