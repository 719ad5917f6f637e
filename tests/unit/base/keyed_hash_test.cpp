#include "turnpike/base/keyed_hash.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "support/request_maker.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike {
namespace {

using test::address;
using test::Octets;

const KeyedHash kHash(HashKey{0x0706050403020100, 0x0f0e0d0c0b0a0908});

// Returns OpenSSL's hash of the same octets, with any number of rounds.
std::uint64_t openssl_sip_hash(Bytes key, Bytes message, unsigned rounds_per_word, unsigned final_rounds) {
  const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> mac(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr),
                                                         EVP_MAC_free);
  REQUIRE(mac);
  const std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context(EVP_MAC_CTX_new(mac.get()),
                                                                     EVP_MAC_CTX_free);
  std::size_t size = 8;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                         OSSL_PARAM_construct_uint("c-rounds", &rounds_per_word),
                         OSSL_PARAM_construct_uint("d-rounds", &final_rounds), OSSL_PARAM_construct_end()};
  std::uint8_t out[8];
  std::size_t written = 0;
  REQUIRE(EVP_MAC_init(context.get(), key.data(), key.size(), params) == 1);
  REQUIRE(EVP_MAC_update(context.get(), message.data(), message.size()) == 1);
  REQUIRE(EVP_MAC_final(context.get(), out, &written, sizeof out) == 1);
  REQUIRE(written == 8);
  std::uint64_t hash = 0;
  for (std::size_t i = 8; i-- > 0;) hash = hash << 8 | out[i];
  return hash;
}

// The vectors of the SipHash paper use this key, and messages of 0, 1, 2, … octets.
HashKey paper_key() { return {0x0706050403020100, 0x0f0e0d0c0b0a0908}; }

Octets counting(std::size_t size) {
  Octets octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i);
  return octets;
}

TEST_CASE("SipHash-2-4 gives what its paper says", "[base]") {
  // Appendix A has the message of 15 octets.
  CHECK(SipHash<2, 4>::hash(paper_key(), counting(15)) == 0xa129ca6149be45e5);
}

TEST_CASE("SipHash gives what OpenSSL's does", "[base]") {
  const Octets key = counting(16);
  for (std::size_t size = 0; size < 300; ++size) {
    CAPTURE(size);
    const Octets message = counting(size);
    REQUIRE((SipHash<1, 3>::hash(paper_key(), message) == openssl_sip_hash(key, message, 1, 3)));
    REQUIRE((SipHash<2, 4>::hash(paper_key(), message) == openssl_sip_hash(key, message, 2, 4)));
    REQUIRE(kHash(Bytes(message)) == SipHash<1, 3>::hash(paper_key(), message));
  }
  CHECK(kHash(std::string_view("turnpike")) == SipHash<1, 3>::hash(paper_key(), as_bytes("turnpike")));
}

TEST_CASE("a key is drawn from what is random, all of it", "[base]") {
  test::ScriptedRandom random;
  const Octets octets = counting(16);
  random.script(octets);
  const HashKey key = crypto::draw_hash_key(random);
  CHECK(key.k0 == 0x0001020304050607);
  CHECK(key.k1 == 0x08090a0b0c0d0e0f);
}

TEST_CASE("both halves of the key count", "[base]") {
  const IpAddress a = address("2001:db8::1");
  CHECK(KeyedHash(HashKey{1, 2})(a) != KeyedHash(HashKey{1, 3})(a));
  CHECK(KeyedHash(HashKey{1, 2})(a) != KeyedHash(HashKey{2, 2})(a));
}

struct CountingEqual {
  std::uint64_t* comparisons;
  bool operator()(const IpAddress& a, const IpAddress& b) const {
    ++*comparisons;
    return a == b;
  }
};

// With an earlier hash, a product of the two halves without a key, all of these addresses collided: this
// first half made the product zero whatever the second one was. 4,096 insertions took eight million
// comparisons.
TEST_CASE("addresses that were chosen for one hash do not meet in a table", "[base]") {
  constexpr std::uint64_t kKeys = 4096;
  std::uint64_t comparisons = 0;
  boost::unordered_flat_map<IpAddress, int, KeyedHash, CountingEqual> table(0, kHash,
                                                                            CountingEqual{&comparisons});
  std::unordered_map<IpAddress, int, KeyedHash> buckets(0, kHash);
  std::array<std::uint8_t, 16> octets = {0x15, 0x7c, 0x4a, 0x7f, 0xb9, 0x79, 0x37, 0x9e};
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    store_u64(&octets[8], i);
    table.emplace(IpAddress::v6(octets), 0);
    buckets.emplace(IpAddress::v6(octets), 0);
  }
  REQUIRE(table.size() == kKeys);
  CHECK(comparisons < kKeys);
  std::size_t largest = 0;
  for (std::size_t i = 0; i < buckets.bucket_count(); ++i)
    largest = std::max(largest, buckets.bucket_size(i));
  CHECK(largest < 12);
}

TEST_CASE("a text is found without a copy of it", "[base]") {
  std::unordered_map<std::string, int, KeyedHash, std::equal_to<>> names(0, kHash);
  names.emplace("alice", 1);
  CHECK(names.find(std::string_view("alice")) != names.end());
  CHECK(names.find(std::string_view("bob")) == names.end());
}

// Returns how many of 4,096 buckets the hashes of 4,096 keys fill. A random function fills 63 %.
std::size_t filled_buckets(const std::function<std::size_t(std::uint32_t)>& hash, unsigned shift) {
  std::vector<bool> buckets(4096);
  for (std::uint32_t i = 0; i < 4096; ++i) buckets[hash(i) >> shift & 4095] = true;
  return static_cast<std::size_t>(std::count(buckets.begin(), buckets.end(), true));
}

TEST_CASE("the hashes of neighbours spread over the low, middle and high bits", "[base]") {
  struct Case {
    const char* what;
    std::function<std::size_t(std::uint32_t)> hash;
  };
  const Endpoint server = *Endpoint::parse("198.51.100.1:3478");
  const auto v6 = [](std::size_t at, std::uint32_t i) {
    std::array<std::uint8_t, 16> bytes = {0x20, 0x01, 0x0d, 0xb8};
    store_u32(&bytes[at], i);
    return IpAddress::v6(bytes);
  };
  const Case cases[] = {
      {"IPv4 hosts", [](std::uint32_t i) { return kHash(IpAddress::v4(0xC0000200 + i)); }},
      {"IPv4 networks", [](std::uint32_t i) { return kHash(IpAddress::v4(i << 20)); }},
      {"IPv6 hosts", [&](std::uint32_t i) { return kHash(v6(12, i)); }},
      {"IPv6 networks", [&](std::uint32_t i) { return kHash(v6(4, i)); }},
      {"ports",
       [](std::uint32_t i) {
         return kHash(Endpoint{IpAddress::v4(0x0A000001), static_cast<std::uint16_t>(49152 + i)});
       }},
      {"clients behind one NAT",
       [&](std::uint32_t i) {
         return kHash(FiveTuple{{IpAddress::v4(0x0A000001), static_cast<std::uint16_t>(1024 + i)}, server});
       }},
      {"connections",
       [&](std::uint32_t i) {
         return kHash(FiveTuple{{IpAddress::v4(0x0A000001), 5000}, server, Transport::tcp, PathId{i}});
       }},
  };
  for (const Case& c : cases) {
    for (const unsigned shift : {0U, 26U, 52U}) {
      INFO(c.what << " from bit " << shift);
      CHECK(filled_buckets(c.hash, shift) > 4096 * 40 / 100);
    }
  }
}

}  // namespace
}  // namespace turnpike
