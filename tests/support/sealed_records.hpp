// Makes records of any kind with the keys of an OpenSSL client after a handshake by TLS 1.2 or DTLS 1.2 with
// ECDHE-ECDSA-AES128-GCM-SHA256. Tests of servers use it for records that OpenSSL itself would not send.
#pragma once

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "turnpike/base/bytes.hpp"

namespace turnpike::test {

inline constexpr const char* kSealedCipher = "ECDHE-ECDSA-AES128-GCM-SHA256";

class SealedRecords {
 public:
  using Octets = std::vector<std::uint8_t>;
  // Content types (RFC 5246 §6.2.1).
  static constexpr std::uint8_t kAlert = 21;
  static constexpr std::uint8_t kHandshake = 22;
  static constexpr std::uint8_t kData = 23;

  // The client must have its keys: it has received ServerHelloDone and has answered. `next` is the number of
  // the first record; after the client's Finished it is 1.
  explicit SealedRecords(SSL* client, std::uint64_t next = 1)
      : next_(next), is_dtls_(SSL_is_dtls(client) == 1) {
    std::array<std::uint8_t, SSL_MAX_MASTER_KEY_LENGTH> master;
    const std::size_t size =
        SSL_SESSION_get_master_key(SSL_get_session(client), master.data(), master.size());
    constexpr std::string_view kLabel = "key expansion";
    Octets seed(kLabel.begin(), kLabel.end());
    seed.resize(kLabel.size() + 64);
    SSL_get_server_random(client, &seed[kLabel.size()], 32);
    SSL_get_client_random(client, &seed[kLabel.size() + 32], 32);
    const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> prf(EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr),
                                                                EVP_KDF_free);
    const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(prf.get()),
                                                                            EVP_KDF_CTX_free);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master.data(), size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()),
        OSSL_PARAM_construct_end(),
    };
    std::array<std::uint8_t, 16 + 16 + 4 + 4> block;
    if (EVP_KDF_derive(context.get(), block.data(), block.size(), params) != 1)
      throw std::runtime_error("no keys");
    std::copy_n(block.begin(), key_.size(), key_.begin());
    std::copy_n(block.begin() + 32, iv_.size(), iv_.begin());
  }

  // Adds one record to `to`.
  void add(std::uint8_t type, Bytes text, Octets& to) {
    std::array<std::uint8_t, 8> number;
    store_u64(number.data(), (is_dtls_ ? std::uint64_t{1} << 48 : 0) | next_++);
    const std::uint8_t version[] = {static_cast<std::uint8_t>(is_dtls_ ? 0xFE : 3),
                                    static_cast<std::uint8_t>(is_dtls_ ? 0xFD : 3)};
    Octets associated(number.begin(), number.end());
    associated.insert(associated.end(), {type, version[0], version[1]});
    associated.push_back(static_cast<std::uint8_t>(text.size() >> 8));
    associated.push_back(static_cast<std::uint8_t>(text.size()));
    Octets nonce(iv_.begin(), iv_.end());
    nonce.insert(nonce.end(), number.begin(), number.end());

    to.insert(to.end(), {type, version[0], version[1]});
    if (is_dtls_) to.insert(to.end(), number.begin(), number.end());
    const std::size_t length = number.size() + text.size() + kTagSize;
    to.push_back(static_cast<std::uint8_t>(length >> 8));
    to.push_back(static_cast<std::uint8_t>(length));
    to.insert(to.end(), number.begin(), number.end());
    const std::size_t at = to.size();
    to.resize(at + text.size() + kTagSize);
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                  EVP_CIPHER_CTX_free);
    int size = 0;
    EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr, key_.data(), nonce.data());
    EVP_EncryptUpdate(context.get(), nullptr, &size, associated.data(), static_cast<int>(associated.size()));
    EVP_EncryptUpdate(context.get(), &to[at], &size, text.data(), static_cast<int>(text.size()));
    EVP_EncryptFinal_ex(context.get(), &to[at] + text.size(), &size);
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, &to[at] + text.size());
  }
  Octets make(std::uint8_t type, Bytes text) {
    Octets record;
    add(type, text, record);
    return record;
  }
  // As many records as fit into `size` octets.
  Octets fill(std::size_t size, std::uint8_t type, Bytes text) {
    Octets all;
    do {
      add(type, text, all);
    } while (all.size() + text.size() + 64 < size);
    return all;
  }

  // --- Contents of records
  // A fragment of a DTLS handshake message that claims to have `size` octets in all.
  static Octets fragment(std::uint8_t message_type, std::uint32_t size, std::uint16_t number, Bytes piece) {
    Octets text{message_type,
                static_cast<std::uint8_t>(size >> 16),
                static_cast<std::uint8_t>(size >> 8),
                static_cast<std::uint8_t>(size),
                static_cast<std::uint8_t>(number >> 8),
                static_cast<std::uint8_t>(number),
                0,
                0,
                0,
                0,
                static_cast<std::uint8_t>(piece.size() >> 8),
                static_cast<std::uint8_t>(piece.size())};
    text.insert(text.end(), piece.begin(), piece.end());
    return text;
  }

 private:
  static constexpr int kTagSize = 16;

  std::array<std::uint8_t, 16> key_;
  std::array<std::uint8_t, 4> iv_;
  std::uint64_t next_;
  bool is_dtls_;
};

}  // namespace turnpike::test
