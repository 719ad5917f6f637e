// What a handshake agreed on, for those who read and write records themselves: the cipher and its keys, as
// RFC 5246 §6.3 and RFC 8446 §7 derive them.
#pragma once

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "turnpike/base/bytes.hpp"

namespace turnpike::net {

// RFC 5246 §6.2.1 and RFC 8446 §5.1.
enum class RecordContent : std::uint8_t { change_cipher_spec = 20, alert, handshake, application_data };

struct CipherDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherDeleter>;

// Octets that are overwritten when they are no longer needed.
template <std::size_t size>
struct Secret : std::array<std::uint8_t, size> {
  Secret() : std::array<std::uint8_t, size>{} {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { OPENSSL_cleanse(this->data(), size); }
};

// The authenticated cipher of a handshake that is done: AES-GCM or ChaCha20-Poly1305, both with nonces of 12
// octets and tags of 16. Null for any other.
const EVP_CIPHER* record_cipher(const SSL* session);
bool is_gcm(const EVP_CIPHER* cipher);

// The key block of (D)TLS 1.2, as long as `keys`. False when OpenSSL cannot deliver it.
[[nodiscard]] bool derive_key_block(SSL* session, MutableBytes keys);

// HKDF-Expand-Label without a context (RFC 8446 §7.1), as long as `expanded`.
[[nodiscard]] bool expand_label(const EVP_MD* digest, Bytes secret, std::string_view label,
                                MutableBytes expanded);

// How much text a record may have, which a client may have asked to be less than usual (RFC 6066 §4).
inline constexpr std::size_t kLongestText = 16 << 10;
std::size_t longest_text(const SSL* session);

// The first secrets for data under TLS 1.3, which OpenSSL tells nobody but who wants to log them.
struct TrafficSecrets {
  Secret<EVP_MAX_MD_SIZE> client;
  Secret<EVP_MAX_MD_SIZE> server;
  bool has_client = false;
  bool has_server = false;

  // Has the sessions of this context keep theirs.
  static void keep(SSL_CTX* context);
  // Null before both are known, and with TLS 1.2.
  static const TrafficSecrets* of(const SSL* session);
};

}  // namespace turnpike::net
