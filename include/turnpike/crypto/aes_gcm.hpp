// AES-GCM (RFC 5116 §5.1 and §5.2), the authenticated encryption of access tokens. This class only decrypts,
// because an authorization server makes the tokens.
#pragma once

#include <cstddef>
#include <memory>

#include "turnpike/base/bytes.hpp"

namespace turnpike::crypto {

// Each object belongs to one thread. It holds OpenSSL contexts that were fetched once.
class AesGcm {
 public:
  static constexpr std::size_t kNonceSize = 12;
  static constexpr std::size_t kTagSize = 16;

  // Throws std::runtime_error when OpenSSL cannot deliver the algorithm.
  AesGcm();
  ~AesGcm();
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;

  // Decrypts `sealed`, which is the ciphertext followed by the tag, into `plain`, which has the size of the
  // ciphertext. `key` has 16 or 32 bytes and `nonce` has kNonceSize. Returns false when a size is wrong, or
  // when `sealed` was not made with this key and nonce over `associated`. Do not use the contents of `plain`
  // then.
  bool open(Bytes key, Bytes nonce, Bytes associated, Bytes sealed, MutableBytes plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::crypto
