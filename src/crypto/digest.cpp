#include "turnpike/crypto/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace turnpike::crypto {
namespace {

template <auto free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};

using Library = std::unique_ptr<OSSL_LIB_CTX, Deleter<OSSL_LIB_CTX_free>>;
using Provider = std::unique_ptr<OSSL_PROVIDER, Deleter<OSSL_PROVIDER_unload>>;
using Algorithm = std::unique_ptr<EVP_MD, Deleter<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Deleter<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;

template <class T>
T require(T object, const char* what) {
  if (!object) throw std::runtime_error(std::string("OpenSSL does not offer ") + what);
  return object;
}

void require_success(int result) {
  if (result != 1)
    throw std::bad_alloc();  // the algorithms were fetched already, so only memory can be missing
}

constexpr std::size_t kCrcRows = 8;

constexpr std::array<std::array<std::uint32_t, 256>, kCrcRows> make_crc_table() {
  constexpr std::uint32_t kReversedPolynomial = 0xEDB88320;
  std::array<std::array<std::uint32_t, 256>, kCrcRows> table{};
  for (std::uint32_t octet = 0; octet < 256; ++octet) {
    std::uint32_t crc = octet;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[0][octet] = crc;
  }
  for (std::size_t row = 1; row < kCrcRows; ++row) {
    for (std::uint32_t octet = 0; octet < 256; ++octet) {
      const std::uint32_t before = table[row - 1][octet];
      table[row][octet] = before >> 8 ^ table[0][before & 0xFF];
    }
  }
  return table;
}

constexpr auto kCrcTable = make_crc_table();

}  // namespace

struct Digester::State {
  Library library{require(Library(OSSL_LIB_CTX_new()), "a library context")};
  Provider provider{require(Provider(OSSL_PROVIDER_load(library.get(), "default")), "its default provider")};
  Algorithm md5{require(Algorithm(EVP_MD_fetch(library.get(), "MD5", nullptr)), "MD5")};
  Algorithm sha256{require(Algorithm(EVP_MD_fetch(library.get(), "SHA256", nullptr)), "SHA-256")};
  DigestContext digest{require(DigestContext(EVP_MD_CTX_new()), "a digest context")};
  Mac hmac{require(Mac(EVP_MAC_fetch(library.get(), "HMAC", nullptr)), "HMAC")};
  // A context and the key that it was prepared with. An answer is signed with the key of its request.
  struct KeyedMac {
    explicit KeyedMac(MacContext c) : context(std::move(c)) {}
    KeyedMac(const KeyedMac&) = delete;
    KeyedMac& operator=(const KeyedMac&) = delete;
    ~KeyedMac() { OPENSSL_cleanse(key.data(), key.size()); }

    bool has(Bytes other) const { return size && equal_in_constant_time(Bytes(key).first(*size), other); }
    // A key that is longer than a block of the digest is rare, and is not remembered.
    void remember(Bytes other) {
      if (other.size() > key.size()) return;
      std::ranges::copy(other, key.begin());
      size = other.size();
    }

    MacContext context;
    std::array<std::uint8_t, 64> key{};
    std::optional<std::size_t> size;  // of the key; nothing when it is not known
  };
  KeyedMac hmac_sha1{hmac_context("SHA1")};
  KeyedMac hmac_sha256{hmac_context("SHA256")};

  MacContext hmac_context(const char* digest_name) {
    MacContext context(require(MacContext(EVP_MAC_CTX_new(hmac.get())), "an HMAC context"));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest_name), 0),
        OSSL_PARAM_construct_end(),
    };
    require_success(EVP_MAC_CTX_set_params(context.get(), params));
    return context;
  }

  template <class Output>
  Output hash(const EVP_MD* algorithm, Parts message) {
    Output output;
    require_success(EVP_DigestInit_ex2(digest.get(), algorithm, nullptr));
    for (const Bytes part : message)
      require_success(EVP_DigestUpdate(digest.get(), part.data(), part.size()));
    require_success(EVP_DigestFinal_ex(digest.get(), output.data(), nullptr));
    return output;
  }

  template <class Output>
  static Output authenticate(KeyedMac& mac, Bytes key, Parts message) {
    EVP_MAC_CTX* context = mac.context.get();
    Output output;
    std::size_t size = 0;
    if (mac.has(key)) {
      require_success(EVP_MAC_init(context, nullptr, 0, nullptr));  // with the previous key
    } else {
      mac.size.reset();
      // An empty key points to this octet, since a null pointer means the previous key.
      static constexpr std::uint8_t kEmpty = 0;
      require_success(EVP_MAC_init(context, key.empty() ? &kEmpty : key.data(), key.size(), nullptr));
      mac.remember(key);
    }
    for (const Bytes part : message) require_success(EVP_MAC_update(context, part.data(), part.size()));
    require_success(EVP_MAC_final(context, output.data(), &size, output.size()));
    return output;
  }
};

Digester::Digester() : state_(std::make_unique<State>()) {}
Digester::~Digester() = default;

Md5 Digester::md5(Parts message) { return state_->hash<Md5>(state_->md5.get(), message); }

Sha256 Digester::sha256(Parts message) { return state_->hash<Sha256>(state_->sha256.get(), message); }

Sha1 Digester::hmac_sha1(Bytes key, Parts message) {
  return State::authenticate<Sha1>(state_->hmac_sha1, key, message);
}

Sha256 Digester::hmac_sha256(Bytes key, Parts message) {
  return State::authenticate<Sha256>(state_->hmac_sha256, key, message);
}

// Reads eight octets at a time. Row n of the table has the checksums of octets that are followed by n zero
// octets.
std::uint32_t crc32(Bytes message) {
  std::uint32_t crc = ~0U;
  for (; message.size() >= kCrcRows; message = message.subspan(kCrcRows)) {
    std::uint32_t next = 0;
    for (std::size_t i = 0; i < kCrcRows; ++i) {
      const std::uint32_t from_crc = i < sizeof crc ? crc >> (8 * i) & 0xFF : 0;
      next ^= kCrcTable[kCrcRows - 1 - i][message[i] ^ from_crc];
    }
    crc = next;
  }
  for (const std::uint8_t octet : message) crc = kCrcTable[0][(crc ^ octet) & 0xFF] ^ crc >> 8;
  return ~crc;
}

bool equal_in_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace turnpike::crypto
