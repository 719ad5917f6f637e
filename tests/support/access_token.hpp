// Makes access tokens as an authorization server does (RFC 7635 §6.2), and malformed ones.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/request_maker.hpp"
#include "turnpike/auth/params.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::test {

inline constexpr std::string_view kServerName = "turn.example.org";

inline auth::TokenKeyParams token_key(std::string_view kid, std::string_view key,
                                      auth::TokenAlgorithm algorithm = auth::TokenAlgorithm::a256gcm) {
  return {std::string(kid), algorithm, Octets(key.begin(), key.end()), {}, {}};
}
inline auth::TokenKeyParams north() { return token_key("north", "01234567890123456789012345678901"); }
inline auth::TokenKeyParams south() {
  return token_key("south", "abcdefghijklmnop", auth::TokenAlgorithm::a128gcm);
}
inline auth::ThirdPartyParams north_and_south() { return {std::string(kServerName), {north(), south()}}; }

struct TokenMaker {
  auth::TokenKeyParams key = north();
  std::string server_name{kServerName};
  std::string nonce = "twelve bytes";
  std::string mac_key = "twenty bytes of key.";
  std::uint64_t seconds = 0;  // since 1970
  std::uint16_t fraction = 0;
  std::uint32_t lifetime = 3600;

  static TokenMaker at(WallTime issued) {
    TokenMaker maker;
    const auto since = issued.time_since_epoch();
    const auto whole = std::chrono::floor<std::chrono::seconds>(since);
    maker.seconds = static_cast<std::uint64_t>(whole.count());
    maker.fraction = static_cast<std::uint16_t>((since - whole).count() * 64);
    return maker;
  }

  static void require(bool done) {
    if (!done) throw std::runtime_error("OpenSSL does not seal this");
  }
  static void put(Octets& out, std::uint64_t value, unsigned octets) {
    while (octets-- > 0) out.push_back(static_cast<std::uint8_t>(value >> 8 * octets));
  }

  Octets plain() const {
    Octets out;
    put(out, mac_key.size(), 2);
    out.insert(out.end(), mac_key.begin(), mac_key.end());
    put(out, seconds << 16 | fraction, 8);
    put(out, lifetime, 4);
    return out;
  }

  Octets seal() const { return seal(plain()); }
  Octets seal(const Octets& plain) const {
    const bool is_long = key.algorithm == auth::TokenAlgorithm::a256gcm;
    const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(),
                                                                             EVP_CIPHER_CTX_free);
    int size = 0;
    Octets sealed(plain.size());
    Octets tag(16);
    require(EVP_EncryptInit_ex(context.get(), is_long ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), nullptr,
                               nullptr, nullptr) == 1);
    require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(nonce.size()),
                                nullptr) == 1);
    require(EVP_EncryptInit_ex(context.get(), nullptr, nullptr, key.key.data(), as_bytes(nonce).data()) == 1);
    require(EVP_EncryptUpdate(context.get(), nullptr, &size, as_bytes(server_name).data(),
                              static_cast<int>(server_name.size())) == 1);
    require(EVP_EncryptUpdate(context.get(), sealed.data(), &size, plain.data(),
                              static_cast<int>(plain.size())) == 1);
    require(EVP_EncryptFinal_ex(context.get(), nullptr, &size) == 1);
    require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag.data()) == 1);
    Octets token;
    put(token, nonce.size(), 2);
    token.insert(token.end(), nonce.begin(), nonce.end());
    token.insert(token.end(), sealed.begin(), sealed.end());
    token.insert(token.end(), tag.begin(), tag.end());
    return token;
  }
};

}  // namespace turnpike::test
