#include "cluster/echo.hpp"

#include <catch2/catch.hpp>

namespace turnpike::cluster {
namespace {

// Looks until the echo counts as missing, or for long enough to know that it does not.
bool misses(Echo& echo) {
  for (int i = 0; i < 3 * Echo::kLooks; ++i) {
    if (echo.count_look()) return true;
  }
  return false;
}

TEST_CASE("an echo that does not come after Redis has passed the message on is missing, once", "[cluster]") {
  Echo echo;
  echo.send(7);
  CHECK_FALSE(misses(echo));  // Redis has not answered
  echo.expect(7);
  for (int i = 1; i < Echo::kLooks; ++i) CHECK_FALSE(echo.count_look());
  CHECK(echo.count_look());
  CHECK_FALSE(misses(echo));
}

TEST_CASE("later messages do not put off that an echo is missing", "[cluster]") {
  Echo echo;
  bool is_missing = false;
  for (std::uint64_t number = 1; number <= Echo::kLooks; ++number) {
    echo.send(number);
    echo.expect(number);
    is_missing = echo.count_look();
  }
  CHECK(is_missing);
}

TEST_CASE("an echo that comes is not missing, whether it or the answer of Redis comes first", "[cluster]") {
  Echo echo;
  echo.send(7);
  echo.expect(7);
  CHECK(echo.hear(7));
  CHECK_FALSE(misses(echo));
  echo.send(8);
  CHECK(echo.hear(8));
  echo.expect(8);
  CHECK_FALSE(misses(echo));
}

TEST_CASE("a message that is repeated, or was sent by a connection that has ended, is no echo", "[cluster]") {
  Echo echo;
  CHECK_FALSE(echo.hear(6));
  echo.send(7);
  CHECK_FALSE(echo.hear(6));
  CHECK_FALSE(echo.hear(8));
  CHECK(echo.hear(7));
  CHECK_FALSE(echo.hear(7));
  echo.send(8);
  echo.reset();
  CHECK_FALSE(echo.hear(8));
  echo.expect(8);  // an answer of before
  CHECK_FALSE(misses(echo));
  echo.send(9);
  CHECK_FALSE(echo.hear(8));
  echo.expect(9);
  CHECK(misses(echo));
}

}  // namespace
}  // namespace turnpike::cluster
