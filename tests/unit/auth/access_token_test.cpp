#include "turnpike/auth/access_token.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "support/access_token.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::auth {
namespace {

using namespace std::chrono_literals;
using test::Octets;
using test::TokenMaker;

constexpr WallTime kNow(std::chrono::seconds(1'735'689'600));

std::optional<AccessToken> opened(Bytes token, const TokenKeyParams& key = test::north(),
                                  std::string_view server_name = test::kServerName) {
  static crypto::AesGcm aes_gcm;
  return open_access_token(aes_gcm, key, server_name, token);
}

TEST_CASE("a token gives what was sealed in it", "[auth][token]") {
  for (const TokenKeyParams& key : {test::north(), test::south()}) {
    for (const std::size_t size : {20, 32, 63, 64}) {
      TokenMaker maker = TokenMaker::at(kNow + 250ms);
      maker.key = key;
      maker.mac_key = std::string(size, 'm');
      const auto token = opened(maker.seal(), key);
      REQUIRE(token);
      CHECK(as_text(token->mac_key()) == maker.mac_key);
      CHECK(token->issued == kNow + 250ms);
      CHECK(token->lifetime == 3600s);
    }
  }
}

TEST_CASE("a token made after 2106 has more than 32 bits of seconds", "[auth][token]") {
  const WallTime late(std::chrono::seconds(0x1'0000'0001));
  const auto token = opened(TokenMaker::at(late).seal());
  REQUIRE(token);
  CHECK(token->issued == late);
}

// Debian's turnutils_oauth made these tokens of the key, nonce, session key and time that are named here.
TEST_CASE("a token of coturn's turnutils_oauth can be opened", "[auth][token]") {
  const Octets token = *crypto::base64_decode(
      "AAwgY/xOOpBrqtKl7Nocdng5bNP+2SHoSzwZElf7m1j/hT5Uj9fqzKekivbqTaJ07a29YV84gj0iggkQbJUjbA==");
  const auto key = *decode_token_key("SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM=");
  const auto made = opened(token, {"1234", TokenAlgorithm::a256gcm, key, {}, {}}, "example.com");
  REQUIRE(made);
  CHECK(as_text(made->mac_key()) == "ZksjpweoixXmvn67534m");
  CHECK(made->issued == WallTime(249'231'600s));
  CHECK(made->lifetime == 3600s);
}

TEST_CASE("a key may be longer than its algorithm takes, as coturn's are", "[auth][token]") {
  TokenKeyParams longer = test::north();
  longer.key.push_back('\n');
  CHECK(opened(TokenMaker::at(kNow).seal(), longer));
  TokenKeyParams shorter = test::north();
  shorter.key.pop_back();
  CHECK_FALSE(opened(TokenMaker::at(kNow).seal(), shorter));
  shorter.key.resize(16);
  CHECK_FALSE(opened(TokenMaker::at(kNow).seal(), shorter));
}

TEST_CASE("a token is for one key and one server", "[auth][token]") {
  const Octets token = TokenMaker::at(kNow).seal();
  CHECK(opened(token));
  CHECK_FALSE(opened(token, test::south()));
  CHECK_FALSE(opened(token, test::token_key("north", "another key of thirty-two octets")));
  CHECK_FALSE(opened(token, test::north(), "turn.example.com"));
  CHECK_FALSE(opened(token, test::north(), "turn.example.or"));
  CHECK_FALSE(opened(token, test::north(), ""));
}

TEST_CASE("a token of which one octet was changed is none", "[auth][token]") {
  const Octets good = TokenMaker::at(kNow).seal();
  for (std::size_t at = 0; at < good.size(); ++at) {
    Octets bad = good;
    bad[at] ^= 0x10;
    CAPTURE(at);
    CHECK_FALSE(opened(bad));
  }
}

// Each copy has exactly its own length, so that a sanitizer sees a read behind it.
TEST_CASE("a token that was cut short, or claims more than it has, is none", "[auth][token]") {
  const Octets good = TokenMaker::at(kNow).seal();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(opened(Octets(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  for (const std::uint16_t nonce_size : {0, 1, 11, 13, 16, 64, 255, 256, 1024, 0x7FFF, 0x8000, 0xFFFF}) {
    CAPTURE(nonce_size);
    Octets bad = good;
    store_u16(bad.data(), nonce_size);
    CHECK_FALSE(opened(bad));
  }
  Octets longer = good;
  longer.push_back(0);
  CHECK_FALSE(opened(longer));
  longer.resize(60'000);
  CHECK_FALSE(opened(longer));
}

TEST_CASE("nonces of AES-GCM have twelve octets", "[auth][token]") {
  for (const std::size_t size : {1, 8, 11, 13, 16, 128}) {
    TokenMaker maker = TokenMaker::at(kNow);
    maker.nonce = std::string(size, 'n');
    CHECK_FALSE(opened(maker.seal()));
  }
}

// These tokens are sealed correctly, but their contents are malformed.
TEST_CASE("a token with malformed contents is invalid", "[auth][token]") {
  const TokenMaker maker = TokenMaker::at(kNow);
  const Octets good = maker.plain();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(opened(maker.seal(Octets(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)))));
  }
  for (const std::uint16_t claimed : {0, 1, 19, 21, 31, 32, 33, 64, 65, 128, 0x7FFF, 0xFFFF}) {
    Octets bad = good;
    store_u16(bad.data(), claimed);
    CAPTURE(claimed);
    CHECK_FALSE(opened(maker.seal(bad)));
  }
  Octets longer = good;
  longer.push_back(0);
  CHECK_FALSE(opened(maker.seal(longer)));
  for (const std::size_t size : {0, 16, 19, 65, 100, 1000}) {
    TokenMaker other = maker;
    other.mac_key = std::string(size, 'm');
    CAPTURE(size);
    CHECK_FALSE(opened(other.seal()));
  }
}

TEST_CASE("a token is good for its lifetime, give or take five seconds", "[auth][token]") {
  const auto is_current = [](Duration issued, std::uint32_t lifetime) {
    TokenMaker maker = TokenMaker::at(kNow + issued);
    maker.lifetime = lifetime;
    return opened(maker.seal()).value().is_current(kNow);
  };
  CHECK(is_current(0s, 3600));
  CHECK(is_current(5s, 3600));
  CHECK_FALSE(is_current(5s + 16ms, 3600));
  CHECK_FALSE(is_current(1h, 3600));
  CHECK(is_current(-3600s, 3600));
  CHECK(is_current(-3604s, 3600));
  CHECK_FALSE(is_current(-3605s, 3600));
  CHECK(is_current(-4s, 0));
  CHECK_FALSE(is_current(-5s, 0));
  CHECK(is_current(-1h, UINT32_MAX));

  TokenMaker far = TokenMaker::at(kNow);
  far.seconds = (std::uint64_t{1} << 48) - 1;
  far.lifetime = UINT32_MAX;
  CHECK_FALSE(opened(far.seal()).value().is_current(kNow));
  far.seconds = 0;
  far.lifetime = 0;
  CHECK_FALSE(opened(far.seal()).value().is_current(kNow));
}

}  // namespace
}  // namespace turnpike::auth
