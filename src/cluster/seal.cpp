#include "cluster/seal.hpp"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <memory>
#include <new>

#include "turnpike/crypto/base64.hpp"

namespace turnpike::cluster {
namespace {

constexpr std::size_t kCodeOctets = 18;      // of HMAC-SHA256
constexpr std::size_t kCodeCharacters = 24;  // of base64url
constexpr std::size_t kIdOctets = 6;         // of a derived key

struct Free {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

}  // namespace

crypto::Sha256 derive_key(std::string_view secret, std::string_view purpose) {
  const std::unique_ptr<EVP_KDF, Free> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, Free> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<char*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(purpose.data()),
                                        purpose.size()),
      OSSL_PARAM_construct_end(),
  };
  crypto::Sha256 key;
  if (!context || EVP_KDF_derive(context.get(), key.data(), key.size(), params) != 1) throw std::bad_alloc();
  return key;
}

std::string credential_secret(std::string_view secret) {
  return crypto::base64_encode(derive_key(secret, "turnpike credentials"));
}

std::string secret_id(std::string_view secret) {
  return crypto::base64url_encode(Bytes(derive_key(secret, "turnpike secret id")).first(kIdOctets));
}

Seal::Seal(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) keys_.push_back(derive_key(secret, "turnpike cluster seal"));
}

std::string Seal::code(std::size_t key, std::string_view place, std::string_view text) {
  static constexpr std::uint8_t kEnd[] = {0};
  const crypto::Sha256 hash = digester_.hmac_sha256(keys_[key], {as_bytes(place), kEnd, as_bytes(text)});
  return crypto::base64url_encode(Bytes(hash).first(kCodeOctets));
}

std::string Seal::seal(std::string_view place, std::string_view text) {
  return code(0, place, text).append(text);
}

std::optional<std::string_view> Seal::open(std::string_view place, std::string_view sealed) {
  if (sealed.size() < kCodeCharacters) return std::nullopt;
  const std::string_view given = sealed.substr(0, kCodeCharacters);
  const std::string_view text = sealed.substr(kCodeCharacters);
  for (std::size_t key = 0; key < keys_.size(); ++key) {
    if (crypto::equal_in_constant_time(as_bytes(given), as_bytes(code(key, place, text)))) return text;
  }
  return std::nullopt;
}

}  // namespace turnpike::cluster
