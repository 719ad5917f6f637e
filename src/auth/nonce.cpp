#include "turnpike/auth/nonce.hpp"

#include <algorithm>

#include "turnpike/crypto/base64.hpp"

namespace turnpike::auth {
namespace {

constexpr std::string_view kCookie = "obMatJos2";
constexpr std::size_t kFeaturesSize = 4;  // base64 of 24 bits
constexpr std::size_t kTimeSize = 4;
constexpr std::size_t kCodeSize = 14;
constexpr std::size_t kTextSize = kCookie.size() + kFeaturesSize + (kTimeSize + kCodeSize) / 3 * 4;
constexpr std::uint32_t kMinKeyPeriod = 3600;
constexpr std::uint32_t kMaxSkew = 60;  // seconds; see Nonces::verify

constexpr std::uint8_t kPasswordAlgorithmsBit = 1 << 0;  // RFC 8489 §18.1
constexpr std::uint8_t kUsernameAnonymityBit = 1 << 1;

std::array<std::uint8_t, 3> features_of(const NonceBinding& binding) {
  std::uint8_t bits = 0;
  if (!binding.algorithms.empty()) bits |= kPasswordAlgorithmsBit;
  if (binding.anonymity) bits |= kUsernameAnonymityBit;
  return {0, 0, bits};
}

std::uint32_t to_seconds(WallTime time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace

Nonces::Nonces(const MasterKey& master, Duration lifetime)
    : master_(master),
      lifetime_(static_cast<Seconds>(std::chrono::duration_cast<std::chrono::seconds>(lifetime).count())),
      key_period_(std::max(lifetime_, kMinKeyPeriod)) {}

// Each key serves one period, and a period is never shorter than the lifetime of a nonce. A valid nonce was
// therefore made with the present key or with a neighbour's.
const crypto::Sha256& Nonces::key_of(crypto::Digester& digester, Seconds time) {
  const std::uint32_t period = time / key_period_;
  PeriodKey& slot = keys_[period % 2];
  if (slot.period != period) {
    std::array<std::uint8_t, 4> wire;
    store_u32(wire.data(), period);
    slot = {period, digester.hmac_sha256(master_, {wire})};
  }
  return slot.key;
}

std::string Nonces::text(crypto::Digester& digester, const NonceBinding& binding, Seconds time) {
  const auto features = features_of(binding);
  std::array<std::uint8_t, 64> bound{};
  ByteWriter writer(bound);
  writer.u32(time);
  writer.bytes(features);
  // The source address of a stream cannot be forged, so the nonce of a stream is valid for all connections of
  // a host: for the data connections of RFC 6062, and for a client that reconnects.
  const bool stream = is_stream(binding.transport);
  writer.u8(static_cast<std::uint8_t>(stream ? Transport::tcp : binding.transport));
  writer.u8(static_cast<std::uint8_t>(binding.client.family()));
  writer.bytes(binding.client.address.storage());
  writer.u16(stream ? 0 : binding.client.port);
  for (const stun::PasswordAlgorithm a : binding.algorithms) writer.u16(static_cast<std::uint16_t>(a));

  const crypto::Sha256 code = digester.hmac_sha256(key_of(digester, time), {writer.written()});
  std::array<std::uint8_t, kTimeSize + kCodeSize> tail;
  store_u32(tail.data(), time);
  std::copy_n(code.begin(), kCodeSize, tail.begin() + kTimeSize);

  std::string result(kCookie);
  result += crypto::base64_encode(features);
  result += crypto::base64_encode(tail);
  return result;
}

std::string Nonces::mint(crypto::Digester& digester, const NonceBinding& binding, WallTime now) {
  return text(digester, binding, to_seconds(now));
}

bool Nonces::verify(crypto::Digester& digester, std::string_view nonce, const NonceBinding& binding,
                    WallTime now) {
  if (nonce.size() != kTextSize) return false;
  const auto tail = crypto::base64_decode(nonce.substr(kCookie.size() + kFeaturesSize));
  if (!tail) return false;
  const Seconds time = load_u32(tail->data());
  const Seconds present = to_seconds(now);
  if (time > present ? time - present > kMaxSkew : present - time > lifetime_) return false;
  return crypto::equal_in_constant_time(as_bytes(text(digester, binding, time)), as_bytes(nonce));
}

bool Nonces::announces_password_algorithms(std::string_view nonce) {
  if (nonce.size() < kCookie.size() + kFeaturesSize || !nonce.starts_with(kCookie)) return false;
  const auto features = crypto::base64_decode(nonce.substr(kCookie.size(), kFeaturesSize));
  return features && features->size() == 3 && ((*features)[2] & kPasswordAlgorithmsBit) != 0;
}

}  // namespace turnpike::auth
