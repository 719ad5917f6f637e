#include "turnpike/auth/nonce.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/request_maker.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::auth {
namespace {

using namespace std::chrono_literals;
using stun::PasswordAlgorithm;
using test::endpoint;

constexpr PasswordAlgorithm kBoth[] = {PasswordAlgorithm::sha256, PasswordAlgorithm::md5};
constexpr PasswordAlgorithm kMd5[] = {PasswordAlgorithm::md5};
constexpr Nonces::MasterKey kMaster{1, 2, 3};
// The start of a key period, so that a test knows where the next one begins.
constexpr WallTime kMade(Duration(480'000h));

struct Fixture {
  crypto::Digester digester;
  Nonces nonces{kMaster, 600s};
  NonceBinding binding{endpoint("198.51.100.1:40001"), Transport::udp, kBoth, false};

  std::string mint(WallTime at = kMade) { return nonces.mint(digester, binding, at); }
  bool valid(std::string_view nonce, WallTime at = kMade) {
    return nonces.verify(digester, nonce, binding, at);
  }
};

TEST_CASE_METHOD(Fixture, "a nonce begins with the cookie and its features", "[auth]") {
  // Errata 6290: bit 0 is the least significant of the 24.
  struct Row {
    std::span<const PasswordAlgorithm> algorithms;
    bool anonymity;
    std::string_view start;
  };
  const Row table[] = {{kBoth, false, "obMatJos2AAAB"},
                       {kBoth, true, "obMatJos2AAAD"},
                       {kMd5, false, "obMatJos2AAAB"},
                       {{}, true, "obMatJos2AAAC"},
                       {{}, false, "obMatJos2AAAA"}};
  for (const Row& row : table) {
    binding.algorithms = row.algorithms;
    binding.anonymity = row.anonymity;
    const std::string nonce = mint();
    CHECK(nonce.starts_with(row.start));
    CHECK(nonce.size() <= 40);  // an unauthenticated answer is small
    CHECK(valid(nonce));
    CHECK(Nonces::announces_password_algorithms(nonce) == !row.algorithms.empty());
  }
}

TEST_CASE_METHOD(Fixture, "a nonce is bound to what it was made for", "[auth]") {
  const std::string nonce = mint();
  const NonceBinding original = binding;
  const auto differs = [&](auto change) {
    binding = original;
    change(binding);
    return !valid(nonce);
  };
  CHECK(valid(nonce));
  CHECK(differs([](auto& b) { b.client = endpoint("198.51.100.2:40001"); }));
  CHECK(differs([](auto& b) { b.client = endpoint("198.51.100.1:40002"); }));
  CHECK(differs(
      [](auto& b) { b.client = endpoint("[c633:6401::]:40001"); }));  // the same octets, another family
  CHECK(differs([](auto& b) { b.transport = Transport::tcp; }));
  CHECK(differs([](auto& b) { b.transport = Transport::tls; }));
  CHECK(differs([](auto& b) { b.transport = Transport::dtls; }));
  CHECK(differs([](auto& b) { b.algorithms = kMd5; }));
  CHECK(differs([](auto& b) { b.algorithms = {}; }));
  CHECK(differs([](auto& b) { b.anonymity = true; }));
  CHECK_FALSE(differs([](auto&) {}));
}

TEST_CASE_METHOD(Fixture, "the clock of the node that made a nonce may be a minute ahead", "[auth]") {
  CHECK(valid(mint(kMade + 60s)));
  CHECK_FALSE(valid(mint(kMade + 61s)));
  CHECK(valid(mint(kMade + 30s), kMade - 30s));  // by the key of the next period
}

TEST_CASE_METHOD(Fixture, "the nonce of a stream is good for all streams of its host", "[auth]") {
  binding.transport = Transport::tcp;
  const std::string nonce = mint();
  binding.client = endpoint("198.51.100.1:40002");
  CHECK(valid(nonce));
  binding.transport = Transport::tls;
  CHECK(valid(nonce));
  binding.client = endpoint("198.51.100.2:40001");
  CHECK_FALSE(valid(nonce));
  binding.client = endpoint("198.51.100.1:40001");
  binding.transport = Transport::udp;
  CHECK_FALSE(valid(nonce));
}

TEST_CASE_METHOD(Fixture, "a nonce lives as long as it is said to", "[auth]") {
  const std::string nonce = mint();
  CHECK(valid(nonce, kMade + 1s));
  CHECK(valid(nonce, kMade + 600s));
  CHECK_FALSE(valid(nonce, kMade + 601s));
  CHECK_FALSE(valid(nonce, kMade + 24h));
  CHECK_FALSE(valid(nonce, kMade + 49'710 * 24h));  // 2^32 s
  CHECK_FALSE(valid(nonce, kMade - 61s));           // the clock went back
  CHECK(mint(kMade) != mint(kMade + 1s));
}

TEST_CASE("a nonce outlives the key that made it by its own lifetime", "[auth]") {
  for (const Duration lifetime : {Duration(1s), Duration(600s), Duration(3600s), Duration(7200s)}) {
    CAPTURE(lifetime.count());
    crypto::Digester digester;
    Nonces nonces(kMaster, lifetime);
    const NonceBinding binding{endpoint("198.51.100.1:1"), Transport::udp, kBoth, false};
    const Duration period = std::max(lifetime, Duration(3600s));
    for (int turn = 1; turn <= 3; ++turn) {
      const WallTime change = kMade + turn * period;
      const std::string before = nonces.mint(digester, binding, change - 1s);
      const std::string after = nonces.mint(digester, binding, change);
      CHECK(nonces.verify(digester, before, binding, change));
      CHECK(nonces.verify(digester, before, binding, change - 1s + lifetime));
      CHECK(nonces.verify(digester, after, binding, change));
      CHECK_FALSE(nonces.verify(digester, before, binding, change + lifetime));
      CHECK(nonces.verify(digester, after, binding, change + lifetime));
    }
  }
}

TEST_CASE_METHOD(Fixture, "workers with one master key know one another's nonces", "[auth]") {
  Nonces other(kMaster, 600s);
  Nonces stranger({9, 9, 9}, 600s);
  CHECK(other.verify(digester, mint(), binding, kMade + 10s));
  CHECK_FALSE(stranger.verify(digester, mint(), binding, kMade));
}

TEST_CASE_METHOD(Fixture, "a worker that has run for long makes the nonces of one that has just started",
                 "[auth]") {
  for (int hours = 0; hours < 6; ++hours) {
    const WallTime at = kMade + std::chrono::hours(hours);
    CHECK(mint(at) == Nonces(kMaster, 600s).mint(digester, binding, at));
  }
}

TEST_CASE_METHOD(Fixture, "a forged nonce is none", "[auth]") {
  const std::string nonce = mint();
  for (std::size_t at = 0; at < nonce.size(); ++at) {
    CAPTURE(at);
    CHECK_FALSE(valid(nonce.substr(0, at)));
    CHECK_FALSE(valid(nonce.substr(at + 1)));
    for (const char c : {'A', 'B', '=', '\0', '\n', '\xff', ' '}) {
      std::string forged = nonce;
      forged[at] = c;
      CHECK(valid(forged) == (forged == nonce));
    }
  }
  for (const std::string& forged :
       {nonce + "A", nonce + '\0', " " + nonce, nonce + nonce, std::string(763, 'A'),
        std::string(nonce.size(), '\0'), std::string(nonce.size(), 'A')}) {
    CHECK_FALSE(valid(forged));
  }
}

TEST_CASE_METHOD(Fixture, "a nonce with a new time is forged", "[auth]") {
  const std::string nonce = mint();
  auto tail = crypto::base64_decode(nonce.substr(13)).value();
  store_u32(tail.data(), load_u32(tail.data()) + 300);
  CHECK_FALSE(valid(nonce.substr(0, 13) + crypto::base64_encode(tail), kMade + 300s));
}

TEST_CASE("anybody can read the features of a nonce", "[auth]") {
  const std::pair<std::string_view, bool> table[] = {
      {"obMatJos2AAAB", true},  {"obMatJos2AAABmore", true}, {"obMatJos2AAAD", true},
      {"obMatJos2AAAC", false}, {"obMatJos2gAAA", false},    {"obMatJos2AAA", false},
      {"obMatJos2", false},     {"obMatJos3AAAB", false},    {"", false},
      {"obMatJos2????", false}, {"obMatJos2AA==", false}};
  for (const auto& [nonce, announces] : table) {
    CAPTURE(nonce);
    CHECK(Nonces::announces_password_algorithms(nonce) == announces);
  }
}

}  // namespace
}  // namespace turnpike::auth
