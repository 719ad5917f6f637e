#include "turnpike/crypto/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <boost/crc.hpp>
#include <new>
#include <stdexcept>
#include <string>

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

}  // namespace

struct Digester::State {
  Library library{require(Library(OSSL_LIB_CTX_new()), "a library context")};
  Provider provider{require(Provider(OSSL_PROVIDER_load(library.get(), "default")), "its default provider")};
  Algorithm md5{require(Algorithm(EVP_MD_fetch(library.get(), "MD5", nullptr)), "MD5")};
  Algorithm sha256{require(Algorithm(EVP_MD_fetch(library.get(), "SHA256", nullptr)), "SHA-256")};
  DigestContext digest{require(DigestContext(EVP_MD_CTX_new()), "a digest context")};
  Mac hmac{require(Mac(EVP_MAC_fetch(library.get(), "HMAC", nullptr)), "HMAC")};
  MacContext hmac_sha1 = hmac_context("SHA1");
  MacContext hmac_sha256 = hmac_context("SHA256");

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
  static Output authenticate(EVP_MAC_CTX* context, Bytes key, Parts message) {
    // OpenSSL keeps the previous key when the pointer is null, so an empty key points to this octet.
    static constexpr std::uint8_t kEmpty = 0;
    Output output;
    std::size_t size = 0;
    require_success(EVP_MAC_init(context, key.empty() ? &kEmpty : key.data(), key.size(), nullptr));
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
  return State::authenticate<Sha1>(state_->hmac_sha1.get(), key, message);
}

Sha256 Digester::hmac_sha256(Bytes key, Parts message) {
  return State::authenticate<Sha256>(state_->hmac_sha256.get(), key, message);
}

std::uint32_t crc32(Bytes message) {
  boost::crc_32_type crc;
  crc.process_bytes(message.data(), message.size());
  return crc.checksum();
}

bool equal_in_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace turnpike::crypto
