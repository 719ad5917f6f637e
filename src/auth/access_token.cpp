#include "turnpike/auth/access_token.hpp"

#include <algorithm>

#include "turnpike/crypto/base64.hpp"

namespace turnpike::auth {
namespace {

using crypto::AesGcm;

constexpr std::size_t kTimesSize = 8 + 4;
constexpr std::size_t kMaxPlaintext = 2 + kMaxMacKey + kTimesSize;

// A timestamp has 48 bits of seconds and 16 bits of 1/64000 s (RFC 7635 §6.2).
WallTime decode_timestamp(ByteReader& reader) {
  const std::uint64_t high = reader.u16();
  const std::uint64_t seconds = high << 32 | reader.u32();
  const std::uint16_t fraction = reader.u16();
  return WallTime(std::chrono::seconds(seconds) + std::chrono::milliseconds(fraction / 64));
}

std::optional<AccessToken> decode_plain(Bytes plain) {
  ByteReader reader(plain);
  const Bytes mac_key = reader.take(reader.u16());
  AccessToken token;
  token.issued = decode_timestamp(reader);
  token.lifetime = std::chrono::seconds(reader.u32());
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  if (mac_key.size() < kMinMacKey || mac_key.size() > kMaxMacKey) return std::nullopt;
  token.mac_key_size = mac_key.size();
  std::ranges::copy(mac_key, token.storage.begin());
  return token;
}

}  // namespace

std::optional<std::vector<std::uint8_t>> decode_token_key(std::string_view text) {
  return crypto::base64_decode(text);
}

std::optional<AccessToken> open_access_token(AesGcm& aes_gcm, const TokenKeyParams& key,
                                             std::string_view server_name, Bytes token) {
  ByteReader reader(token);
  const std::uint16_t nonce_size = reader.u16();
  if (nonce_size != AesGcm::kNonceSize) return std::nullopt;
  const Bytes nonce = reader.take(nonce_size);
  const Bytes sealed = reader.rest();
  if (sealed.size() < AesGcm::kTagSize || sealed.size() > kMaxPlaintext + AesGcm::kTagSize)
    return std::nullopt;

  std::array<std::uint8_t, kMaxPlaintext> buffer;
  const MutableBytes plain = MutableBytes(buffer).first(sealed.size() - AesGcm::kTagSize);
  const Bytes with = Bytes(key.key).first(std::min(key.key.size(), key_size(key.algorithm)));
  if (!aes_gcm.open(with, nonce, as_bytes(server_name), sealed, plain)) return std::nullopt;
  return decode_plain(plain);
}

}  // namespace turnpike::auth
