#include "turnpike/crypto/digest.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/rfc_vectors.hpp"

namespace turnpike::crypto {
namespace {

using test::operator""_hex;
using test::to_hex;

TEST_CASE("MD5 gives what RFC 1321 A.5 prints", "[crypto]") {
  struct Case {
    std::string_view message;
    std::string_view digest;
  };
  const Case cases[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"a", "0cc175b9c0f1b6a831c399e269772661"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
      {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
      {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"},
  };
  Digester digester;
  for (const Case& c : cases) CHECK(to_hex(digester.md5({as_bytes(c.message)})) == c.digest);
}

TEST_CASE("SHA-256 gives what FIPS 180 prints", "[crypto]") {
  struct Case {
    std::string_view message;
    std::string_view digest;
  };
  const Case cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  Digester digester;
  for (const Case& c : cases) CHECK(to_hex(digester.sha256({as_bytes(c.message)})) == c.digest);
}

std::string repeated(std::size_t count, std::uint8_t octet) {
  return std::string(count, static_cast<char>(octet));
}

std::string text(Bytes bytes) { return std::string(as_text(bytes)); }

struct MacCase {
  std::string key;
  std::string message;
  std::string_view mac;
};

TEST_CASE("HMAC-SHA1 gives what RFC 2202 prints", "[crypto]") {
  const MacCase cases[] = {
      {repeated(20, 0x0b), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
      {"Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {repeated(20, 0xaa), repeated(50, 0xdd), "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
      {text("0102030405060708090a0b0c0d0e0f10111213141516171819"_hex), repeated(50, 0xcd),
       "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
      {repeated(20, 0x0c), "Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
      {repeated(80, 0xaa), "Test Using Larger Than Block-Size Key - Hash Key First",
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
      {repeated(80, 0xaa), "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
       "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"},
      {"", "", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"},
  };
  Digester digester;
  for (const MacCase& c : cases)
    CHECK(to_hex(digester.hmac_sha1(as_bytes(c.key), {as_bytes(c.message)})) == c.mac);
}

TEST_CASE("HMAC-SHA256 gives what RFC 4231 prints", "[crypto]") {
  const MacCase cases[] = {
      {repeated(20, 0x0b), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {repeated(20, 0xaa), repeated(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {text("0102030405060708090a0b0c0d0e0f10111213141516171819"_hex), repeated(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {repeated(131, 0xaa), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {repeated(131, 0xaa),
       "This is a test using a larger than block-size key and a larger than block-size data. The key needs "
       "to "
       "be hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
      {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  Digester digester;
  for (const MacCase& c : cases)
    CHECK(to_hex(digester.hmac_sha256(as_bytes(c.key), {as_bytes(c.message)})) == c.mac);

  // For test case 5, the RFC has only the first 16 octets.
  const Sha256 truncated =
      digester.hmac_sha256(as_bytes(repeated(20, 0x0c)), {as_bytes("Test With Truncation")});
  CHECK(to_hex(Bytes(truncated).first(16)) == "a3b6167473100ee06e0c796c2955552b");
}

TEST_CASE("a key that is used again gives the same, and another one does not", "[crypto]") {
  const std::string whole_block = repeated(64, 0x0b), longer = repeated(65, 0x0b), zero(1, '\0');
  for (const std::string& key : {std::string("Jefe"), whole_block, longer, std::string(), zero}) {
    for (const std::string& other :
         {std::string("Jefd"), repeated(63, 0x0b), longer + "x", std::string("x")}) {
      const std::string_view message = "what do ya want for nothing?";
      const auto sha1 = [&](Digester& by, std::string_view k) {
        return to_hex(by.hmac_sha1(as_bytes(k), {as_bytes(message)}));
      };
      const auto sha256 = [&](Digester& by, std::string_view k) {
        return to_hex(by.hmac_sha256(as_bytes(k), {as_bytes(message)}));
      };
      Digester kept, fresh, fresh_other;
      for (int i = 0; i < 3; ++i) {
        CHECK(sha1(kept, key) == sha1(fresh, key));
        CHECK(sha1(kept, key) == sha1(fresh, key));
        CHECK(sha1(kept, other) == sha1(fresh_other, other));
        CHECK(sha256(kept, key) == sha256(fresh, key));
        CHECK(sha256(kept, key) == sha256(fresh, key));
        CHECK(sha256(kept, other) == sha256(fresh_other, other));
      }
    }
  }
}

TEST_CASE("an empty key is a key, not the one before", "[crypto]") {
  Digester digester;
  digester.hmac_sha1(as_bytes("key"), {});
  digester.hmac_sha256(as_bytes("key"), {});
  CHECK(to_hex(digester.hmac_sha1({}, {})) == "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
  CHECK(to_hex(digester.hmac_sha256({}, {})) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("the parts of a message are hashed as if they were one", "[crypto]") {
  const std::string whole = "user:example.org:password";
  const Bytes message = as_bytes(whole);
  const Bytes key = as_bytes("key");
  Digester digester;
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    CAPTURE(cut);
    const Bytes head = message.first(cut);
    const Bytes tail = message.subspan(cut);
    CHECK(digester.md5({head, {}, tail}) == digester.md5({message}));
    CHECK(digester.sha256({head, {}, tail}) == digester.sha256({message}));
    CHECK(digester.hmac_sha1(key, {head, {}, tail}) == digester.hmac_sha1(key, {message}));
    CHECK(digester.hmac_sha256(key, {head, {}, tail}) == digester.hmac_sha256(key, {message}));
  }
  CHECK(digester.md5({}) == digester.md5({Bytes()}));
  CHECK(digester.hmac_sha1(key, {}) == digester.hmac_sha1(key, {Bytes()}));
}

TEST_CASE("two digesters do not disturb each other", "[crypto]") {
  Digester a;
  const Md5 expected = a.md5({as_bytes("abc")});
  {
    Digester b;
    CHECK(b.md5({as_bytes("abc")}) == expected);
  }
  CHECK(a.md5({as_bytes("abc")}) == expected);
}

TEST_CASE("CRC-32 is that of V.42", "[crypto]") {
  CHECK(crc32({}) == 0x00000000);
  CHECK(crc32(as_bytes("123456789")) == 0xCBF43926);
  CHECK(crc32(as_bytes("The quick brown fox jumps over the lazy dog")) == 0x414FA339);
  CHECK(crc32("00000000"_hex) == 0x2144DF1C);
  CHECK(crc32("ffffffff"_hex) == 0xFFFFFFFF);
}

TEST_CASE("CRC-32 is the same as bit by bit, whatever the length and the alignment", "[crypto]") {
  std::vector<std::uint8_t> message(64);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(37 * i + 11);
  for (std::size_t begin = 0; begin < 8; ++begin) {
    for (std::size_t size = 0; begin + size <= message.size(); ++size) {
      std::uint32_t crc = ~0U;
      for (std::size_t i = 0; i < 8 * size; ++i) {
        const bool bit = (message[begin + i / 8] >> i % 8 & 1U) != 0;
        crc = crc >> 1 ^ ((crc & 1U) != (bit ? 1U : 0U) ? 0xEDB88320U : 0U);
      }
      CHECK(crc32(Bytes(message).subspan(begin, size)) == ~crc);
    }
  }
}

TEST_CASE("equality looks at every octet and at the size", "[crypto]") {
  const Bytes secret = "000102030405060708090a0b0c0d0e0f"_hex;
  CHECK(equal_in_constant_time(secret, std::vector(secret.begin(), secret.end())));
  CHECK(equal_in_constant_time({}, {}));
  CHECK_FALSE(equal_in_constant_time(secret, {}));
  CHECK_FALSE(equal_in_constant_time(secret, secret.first(15)));
  for (std::size_t bit = 0; bit < 8 * secret.size(); ++bit) {
    CAPTURE(bit);
    std::vector<std::uint8_t> other(secret.begin(), secret.end());
    other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ 1U << bit % 8);
    CHECK_FALSE(equal_in_constant_time(secret, other));
  }
}

}  // namespace
}  // namespace turnpike::crypto
