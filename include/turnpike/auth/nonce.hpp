// Stateless nonces: whoever presents one proves that it received an answer of ours at its address, lately.
// Nothing is kept per client; the nonce itself carries its time and a code that only this process can make.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::auth {

// What a nonce is bound to besides its time.
struct NonceBinding {
  Endpoint client;  // of a stream: its address alone
  Transport transport = Transport::udp;
  std::span<const stun::PasswordAlgorithm> algorithms;  // offered along with it
  bool anonymity = false;                               // whether USERHASH was offered
};

// The text is `obMatJos2`, the security features (RFC 8489 §9.2.1, bit 0 the least significant by errata
// 6290), and base64 of the time in seconds and a truncated HMAC-SHA256. Belongs to one thread; all threads
// share the master key.
class Nonces {
 public:
  using MasterKey = std::array<std::uint8_t, 32>;

  // `lifetime` is how long a nonce is good for, at least a second.
  Nonces(const MasterKey& master, Duration lifetime);

  std::string mint(crypto::Digester& digester, const NonceBinding& binding, WallTime now);

  // Whether this is a nonce of ours for this binding that has not expired.
  bool valid(crypto::Digester& digester, std::string_view nonce, const NonceBinding& binding, WallTime now);

  // Whether the text announces the PASSWORD-ALGORITHMS feature; anybody can have written it.
  static bool announces_password_algorithms(std::string_view nonce);

 private:
  using Seconds = std::uint32_t;
  const crypto::Sha256& key_of(crypto::Digester& digester, Seconds time);
  std::string text(crypto::Digester& digester, const NonceBinding& binding, Seconds time);

  MasterKey master_;
  Seconds lifetime_;
  Seconds key_period_;
  // The keys of two neighbouring periods, by the period's parity.
  struct PeriodKey {
    std::uint32_t period = UINT32_MAX;
    crypto::Sha256 key{};
  };
  std::array<PeriodKey, 2> keys_;
};

}  // namespace turnpike::auth
