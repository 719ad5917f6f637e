#include "turnpike/auth/revocations.hpp"

#include <catch2/catch.hpp>

namespace turnpike::auth {
namespace {

using namespace std::chrono_literals;
using Kind = Revocation::Kind;

constexpr WallTime kThen{1'735'689'600s};

TEST_CASE("a token is revoked by its id until it would have expired", "[auth]") {
  Revocations revocations;
  CHECK_FALSE(revocations.has("a", "", {}, kThen));
  REQUIRE(revocations.add({Kind::token, "a", kThen, kThen + 1h}, kThen));
  CHECK(revocations.has("a", "", {}, kThen));
  CHECK(revocations.has("a", "ann", kThen + 1min, kThen + 1h - 1ms));
  CHECK_FALSE(revocations.has("a", "", {}, kThen + 1h));
  CHECK_FALSE(revocations.has("b", "a", {}, kThen));
  CHECK_FALSE(revocations.has("", "", {}, kThen));
}

TEST_CASE("a subject is revoked with all tokens that were issued until then", "[auth]") {
  Revocations revocations;
  REQUIRE(revocations.add({Kind::subject, "ann", kThen, kThen + 1h}, kThen));
  CHECK(revocations.has("x", "ann", {}, kThen));
  CHECK(revocations.has("x", "ann", kThen, kThen));
  CHECK_FALSE(revocations.has("x", "ann", kThen + 1s, kThen + 2s));
  CHECK_FALSE(revocations.has("ann", "bob", {}, kThen));
  // The same subject is revoked again for a shorter time. The later of both times count.
  REQUIRE(revocations.add({Kind::subject, "ann", kThen + 1min, kThen + 30min}, kThen + 1min));
  CHECK(revocations.has("x", "ann", kThen + 1s, kThen + 59min));
}

TEST_CASE("of two revocations the later moment counts, and none that is over", "[auth]") {
  Revocations revocations;
  REQUIRE(revocations.add({Kind::subject, "ann", kThen + 1min, kThen + 1h}, kThen + 1min));
  REQUIRE(revocations.add({Kind::subject, "ann", kThen, kThen + 1h}, kThen + 1min));
  CHECK(revocations.has("x", "ann", kThen + 30s, kThen + 2min));
  REQUIRE(revocations.add({Kind::subject, "ann", kThen, kThen + 3h}, kThen + 2h));
  CHECK(revocations.has("x", "ann", kThen, kThen + 2h));
  CHECK_FALSE(revocations.has("x", "ann", kThen + 30s, kThen + 2h));
}

TEST_CASE("what is known already is covered, and what has to be remembered is listed", "[auth]") {
  Revocations revocations;
  const Revocation token{Kind::token, "a", kThen, kThen + 1h};
  const Revocation user{Kind::user, "a", kThen, kThen + 2h};
  CHECK_FALSE(revocations.includes(token));
  REQUIRE(revocations.add(token, kThen));
  REQUIRE(revocations.add(user, kThen));
  CHECK(revocations.includes(token));
  CHECK(revocations.includes({Kind::token, "a", kThen - 1ms, kThen + 1h - 1ms}));
  CHECK_FALSE(revocations.includes({Kind::token, "a", kThen, kThen + 1h + 1ms}));
  CHECK_FALSE(revocations.includes({Kind::token, "a", kThen + 1ms, kThen + 1h}));
  CHECK_FALSE(revocations.includes({Kind::subject, "a", kThen, kThen + 1h}));
  CHECK(revocations.list(kThen) == std::vector<Revocation>{token, user});
  CHECK(revocations.list(kThen + 1h) == std::vector<Revocation>{user});
  // A refused user does not affect tokens.
  CHECK_FALSE(revocations.has("", "a", {}, kThen + 1h));
}

TEST_CASE("the number of revocations is limited, and expired ones make room", "[auth]") {
  Revocations revocations;
  for (std::size_t i = 0; i < Revocations::kMax; ++i)
    REQUIRE(revocations.add({Kind::token, std::to_string(i), kThen, kThen + 1h}, kThen));
  CHECK_FALSE(revocations.add({Kind::token, "one more", kThen, kThen + 1h}, kThen));
  CHECK(revocations.add({Kind::subject, "one more", kThen, kThen + 1h}, kThen));
  CHECK(revocations.add({Kind::token, "7", kThen, kThen + 2h}, kThen));
  CHECK(revocations.add({Kind::token, "one more", kThen + 1h, kThen + 2h}, kThen + 1h));
  CHECK(revocations.has("7", "", {}, kThen + 1h));
  CHECK_FALSE(revocations.has("8", "", {}, kThen + 1h));
}

}  // namespace
}  // namespace turnpike::auth
