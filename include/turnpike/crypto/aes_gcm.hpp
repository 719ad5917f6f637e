// AES-GCM (RFC 5116 §5.1 and §5.2), the authenticated encryption that access tokens are sealed with. It only
// opens: tokens are made elsewhere.
#pragma once

#include <cstddef>
#include <memory>

#include "turnpike/base/bytes.hpp"

namespace turnpike::crypto {

// Belongs to one thread, and holds contexts that were fetched once.
class AesGcm {
 public:
  static constexpr std::size_t kNonceSize = 12;
  static constexpr std::size_t kTagSize = 16;

  // Throws std::runtime_error when OpenSSL cannot deliver it.
  AesGcm();
  ~AesGcm();
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;

  // `key` has 16 or 32 bytes, `nonce` kNonceSize, `sealed` ends with the tag, and `plain` has the size of
  // what stands before that. False when one of them has another size, or when `sealed` was not made with this
  // key and nonce over `associated`; then nothing that is in `plain` may be used.
  bool open(Bytes key, Bytes nonce, Bytes associated, Bytes sealed, MutableBytes plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::crypto
