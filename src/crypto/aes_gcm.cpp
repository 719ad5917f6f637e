#include "turnpike/crypto/aes_gcm.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace turnpike::crypto {
namespace {

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};
struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

using Cipher = std::unique_ptr<EVP_CIPHER, FreeCipher>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

template <class T>
T require(T object) {
  if (!object) throw std::runtime_error("OpenSSL does not offer AES-GCM");
  return object;
}

}  // namespace

struct AesGcm::State {
  Cipher aes128{require(Cipher(EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr)))};
  Cipher aes256{require(Cipher(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)))};
  CipherContext context{require(CipherContext(EVP_CIPHER_CTX_new()))};

  const EVP_CIPHER* cipher_for(std::size_t key_size) const {
    if (key_size == 16) return aes128.get();
    return key_size == 32 ? aes256.get() : nullptr;
  }
};

AesGcm::AesGcm() : state_(std::make_unique<State>()) {}
AesGcm::~AesGcm() = default;

bool AesGcm::open(Bytes key, Bytes nonce, Bytes associated, Bytes sealed, MutableBytes plain) {
  const EVP_CIPHER* cipher = state_->cipher_for(key.size());
  if (!cipher || nonce.size() != kNonceSize || sealed.size() < kTagSize ||
      plain.size() != sealed.size() - kTagSize) {
    return false;
  }
  std::array<std::uint8_t, kTagSize> tag;
  std::memcpy(tag.data(), sealed.last(kTagSize).data(), tag.size());
  EVP_CIPHER_CTX* context = state_->context.get();
  int size = 0;
  return EVP_DecryptInit_ex2(context, cipher, key.data(), nonce.data(), nullptr) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &size, associated.data(), static_cast<int>(associated.size())) ==
             1 &&
         EVP_DecryptUpdate(context, plain.data(), &size, sealed.data(), static_cast<int>(plain.size())) ==
             1 &&
         EVP_DecryptFinal_ex(context, nullptr, &size) == 1;
}

}  // namespace turnpike::crypto
