#include "turnpike/crypto/aes_gcm.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::crypto {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets from_hex(std::string_view text) {
  Octets octets;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    octets.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return octets;
}

struct Vector {
  Octets key, nonce, associated, sealed, plain;
};

// "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega, test cases 4 and 16: with associated data.
Vector test_case(int number) {
  constexpr std::string_view kPlain =
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
  constexpr std::string_view kAssociated = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
  if (number == 4) {
    return {from_hex("feffe9928665731c6d6a8f9467308308"), from_hex("cafebabefacedbaddecaf888"),
            from_hex(kAssociated),
            from_hex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                     "5bc94fbc3221a5db94fae95ae7121a47"),
            from_hex(kPlain)};
  }
  return {from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
          from_hex("cafebabefacedbaddecaf888"), from_hex(kAssociated),
          from_hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                   "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                   "76fc6ece0f4e1768cddf8853bb2d551b"),
          from_hex(kPlain)};
}

bool opens(AesGcm& aes_gcm, const Vector& v, Octets& plain) {
  plain.assign(v.sealed.size() < 16 ? 0 : v.sealed.size() - 16, 0xEE);
  return aes_gcm.open(v.key, v.nonce, v.associated, v.sealed, plain);
}

TEST_CASE("AES-GCM opens the published vectors, one after another", "[crypto]") {
  AesGcm aes_gcm;
  for (const int number : {4, 16, 4, 16}) {
    const Vector v = test_case(number);
    Octets plain;
    CHECK(opens(aes_gcm, v, plain));
    CHECK(plain == v.plain);
  }
}

TEST_CASE("AES-GCM opens nothing that was changed", "[crypto]") {
  AesGcm aes_gcm;
  for (const int number : {4, 16}) {
    for (Octets Vector::*const part : {&Vector::key, &Vector::nonce, &Vector::associated, &Vector::sealed}) {
      for (std::size_t at = 0; at < (test_case(number).*part).size(); ++at) {
        Vector v = test_case(number);
        (v.*part)[at] ^= 1;
        Octets plain;
        CHECK_FALSE(opens(aes_gcm, v, plain));
      }
    }
  }
  Octets plain;
  CHECK(opens(aes_gcm, test_case(4), plain));  // what failed before leaves nothing behind
}

TEST_CASE("AES-GCM refuses other sizes", "[crypto]") {
  AesGcm aes_gcm;
  const auto with = [&](auto change) {
    Vector v = test_case(16);
    change(v);
    Octets plain;
    return opens(aes_gcm, v, plain);
  };
  CHECK(with([](Vector&) {}));
  for (const std::size_t size : {0, 15, 17, 24, 31, 33})
    CHECK_FALSE(with([&](auto& v) { v.key.resize(size); }));
  for (const std::size_t size : {0, 1, 11, 13, 16}) CHECK_FALSE(with([&](auto& v) { v.nonce.resize(size); }));
  for (const std::size_t size : {0, 1, 15, 16, 17, 75}) {
    CHECK_FALSE(with([&](auto& v) { v.sealed.resize(size); }));
  }
  const Vector v = test_case(16);
  Octets room(v.plain.size() + 1);
  CHECK_FALSE(aes_gcm.open(v.key, v.nonce, v.associated, v.sealed, room));
  room.resize(v.plain.size() - 1);
  CHECK_FALSE(aes_gcm.open(v.key, v.nonce, v.associated, v.sealed, room));
}

}  // namespace
}  // namespace turnpike::crypto
