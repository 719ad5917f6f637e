#include "turnpike/signaling/member_id.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "support/rfc_vectors.hpp"
#include "support/scripted_random.hpp"

namespace turnpike::signaling {
namespace {

using test::operator""_hex;
using namespace std::string_view_literals;

TEST_CASE("an id is 16 random octets in 22 characters, and back", "[signaling]") {
  test::ScriptedRandom random;
  random.script("00112233445566778899aabbccddeeff"_hex);
  random.script("fbffbffbffbffbffbffbffbffbffbffb"_hex);
  const MemberId first = MemberId::random(random);
  CHECK(first.to_string() == "ABEiM0RVZneImaq7zN3u_w");
  CHECK(MemberId::random(random).to_string() == "-_-_-_-_-_-_-_-_-_-_-w");
  CHECK(MemberId::parse("ABEiM0RVZneImaq7zN3u_w") == first);
  CHECK(first.bytes().size() == 16);
  CHECK(MemberId().to_string() == "AAAAAAAAAAAAAAAAAAAAAA");
  CHECK(first != MemberId());
}

TEST_CASE("what to_string does not write is no id", "[signaling]") {
  const std::string_view cases[] = {
      "",
      "A",
      "ABEiM0RVZneImaq7zN3u_",     // 15 octets and a bit
      "ABEiM0RVZneImaq7zN3u",      // 15 octets
      "ABEiM0RVZneImaq7zN3u_w8",   // 17 octets
      "ABEiM0RVZneImaq7zN3u_w==",  // padded
      "ABEiM0RVZneImaq7zN3u/w",    // of the other alphabet
      "ABEiM0RVZneImaq7zN3u_x",    // a second text for the same octets
      " BEiM0RVZneImaq7zN3u_w",
      "ABEiM0RVZneImaq7zN3u_w\n",
      "ABEiM0RVZneImaq7zN3u_\0"sv,
      "ABEiM0RVZneImaq7zN3u\u00e9",
  };
  for (const std::string_view text : cases) {
    CAPTURE(text);
    CHECK_FALSE(MemberId::parse(text));
  }
}

TEST_CASE("ids have an order and differ", "[signaling]") {
  test::ScriptedRandom random;
  std::set<MemberId> ids;
  std::set<std::size_t> hashes;
  for (int i = 0; i < 1000; ++i) {
    const MemberId id = MemberId::random(random);
    CHECK(ids.insert(id).second);
    CHECK(hashes.insert(MemberIdHash()(id)).second);
    CHECK(MemberId::parse(id.to_string()) == id);
  }
}

}  // namespace
}  // namespace turnpike::signaling
