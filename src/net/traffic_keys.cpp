#include "net/traffic_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <new>

namespace turnpike::net {
namespace {

constexpr std::size_t kRandomSize = 32;

struct Deleter {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, Deleter>;
using Kdf = std::unique_ptr<EVP_KDF, Deleter>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Deleter>;

OSSL_PARAM text_param(const char* key, const char* text) {
  return OSSL_PARAM_construct_utf8_string(key, const_cast<char*>(text), 0);
}

OSSL_PARAM octets_param(const char* key, Bytes octets) {
  return OSSL_PARAM_construct_octet_string(key, const_cast<std::uint8_t*>(octets.data()), octets.size());
}

int secrets_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                                [](void*, void* secrets, CRYPTO_EX_DATA*, int, long, void*) {
                                                  delete static_cast<TrafficSecrets*>(secrets);
                                                });
  return index;
}

TrafficSecrets* make_secrets(SSL* session) {
  auto* secrets = static_cast<TrafficSecrets*>(SSL_get_ex_data(session, secrets_index()));
  if (secrets) return secrets;
  auto made = std::unique_ptr<TrafficSecrets>(new (std::nothrow) TrafficSecrets);
  if (!made || SSL_set_ex_data(session, secrets_index(), made.get()) != 1) return nullptr;
  return made.release();
}

// A line of the key log: a label, the client's random and the secret, both in hexadecimal digits.
void on_secret(const SSL* session, const char* line) {
  const std::string_view text(line);
  const bool is_client = text.starts_with("CLIENT_TRAFFIC_SECRET_0 ");
  if (!is_client && !text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) return;
  TrafficSecrets* secrets = make_secrets(const_cast<SSL*>(session));
  if (!secrets) return;
  auto& secret = is_client ? secrets->client : secrets->server;
  std::size_t size = 0;
  (is_client ? secrets->has_client : secrets->has_server) =
      OPENSSL_hexstr2buf_ex(secret.data(), secret.size(), &size, line + text.rfind(' ') + 1, '\0') == 1;
}

}  // namespace

// Each is fetched once, since a fetch costs more than a record does.
const EVP_CIPHER* record_cipher(const SSL* session) {
  static const Cipher aes128(EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr));
  static const Cipher aes256(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  static const Cipher chacha(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  switch (SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(session))) {
    case NID_aes_128_gcm: return aes128.get();
    case NID_aes_256_gcm: return aes256.get();
    case NID_chacha20_poly1305: return chacha.get();
    default: return nullptr;
  }
}

bool is_gcm(const EVP_CIPHER* cipher) { return EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE; }

std::size_t longest_text(const SSL* session) {
  const std::uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(session));
  return code == TLSEXT_max_fragment_length_DISABLED ? kLongestText : std::size_t{256} << code;
}

bool derive_key_block(SSL* session, MutableBytes keys) {
  static const Kdf prf(EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr));
  const KdfContext context(EVP_KDF_CTX_new(prf.get()));
  const EVP_MD* digest = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(session));
  if (!context || !digest) return false;

  Secret<SSL_MAX_MASTER_KEY_LENGTH> master;
  const std::size_t master_size =
      SSL_SESSION_get_master_key(SSL_get_session(session), master.data(), master.size());
  constexpr std::string_view kLabel = "key expansion";
  std::array<std::uint8_t, kLabel.size() + 2 * kRandomSize> seed;
  std::ranges::copy(kLabel, seed.begin());
  SSL_get_server_random(session, &seed[kLabel.size()], kRandomSize);
  SSL_get_client_random(session, &seed[kLabel.size() + kRandomSize], kRandomSize);
  const OSSL_PARAM params[] = {
      text_param(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(digest)),
      octets_param(OSSL_KDF_PARAM_SECRET, Bytes(master).first(master_size)),
      octets_param(OSSL_KDF_PARAM_SEED, seed),
      OSSL_PARAM_construct_end(),
  };
  return EVP_KDF_derive(context.get(), keys.data(), keys.size(), params) == 1;
}

bool expand_label(const EVP_MD* digest, Bytes secret, std::string_view label, MutableBytes expanded) {
  static const Kdf hkdf(EVP_KDF_fetch(nullptr, "TLS13-KDF", nullptr));
  const KdfContext context(EVP_KDF_CTX_new(hkdf.get()));
  if (!context) return false;
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      text_param(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(digest)),
      octets_param(OSSL_KDF_PARAM_KEY, secret),
      octets_param(OSSL_KDF_PARAM_PREFIX, as_bytes("tls13 ")),
      octets_param(OSSL_KDF_PARAM_LABEL, as_bytes(label)),
      OSSL_PARAM_construct_end(),
  };
  return EVP_KDF_derive(context.get(), expanded.data(), expanded.size(), params) == 1;
}

void TrafficSecrets::keep(SSL_CTX* context) { SSL_CTX_set_keylog_callback(context, on_secret); }

const TrafficSecrets* TrafficSecrets::of(const SSL* session) {
  const auto* secrets = static_cast<const TrafficSecrets*>(SSL_get_ex_data(session, secrets_index()));
  return secrets && secrets->has_client && secrets->has_server ? secrets : nullptr;
}

}  // namespace turnpike::net
