// Stateless nonces. A client that presents a valid nonce proves that it recently received an answer of ours
// at its address. The server stores nothing for each client: the nonce itself carries its time and an
// authentication code that only this process can make.
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

// The data that a nonce is valid for, besides its time.
struct NonceBinding {
  Endpoint client;  // for a stream transport only the address counts
  Transport transport = Transport::udp;
  std::span<const stun::PasswordAlgorithm> algorithms;  // the algorithms that the challenge offered
  bool anonymity = false;                               // whether USERHASH was offered
};

// The text is the cookie `obMatJos2`, the security features (RFC 8489 §9.2.1; bit 0 is the least significant
// one by erratum 6290), and base64 of the time in seconds and a truncated HMAC-SHA256. Each object belongs to
// one thread; all threads share the master key.
class Nonces {
 public:
  using MasterKey = std::array<std::uint8_t, 32>;

  // A nonce is valid for `lifetime`, which is at least one second.
  Nonces(const MasterKey& master, Duration lifetime);

  // Makes a nonce for this binding, with the time `now` in whole seconds.
  std::string mint(crypto::Digester& digester, const NonceBinding& binding, WallTime now);

  // Whether the nonce was made for this binding by a holder of the master key, and has not expired. The clock
  // of another node may be a minute ahead of ours.
  bool verify(crypto::Digester& digester, std::string_view nonce, const NonceBinding& binding, WallTime now);

  // Whether the text announces the PASSWORD-ALGORITHMS feature. This does not check who wrote the text.
  static bool announces_password_algorithms(std::string_view nonce);

 private:
  using Seconds = std::uint32_t;
  const crypto::Sha256& key_of(crypto::Digester& digester, Seconds time);
  std::string text(crypto::Digester& digester, const NonceBinding& binding, Seconds time);

  MasterKey master_;
  Seconds lifetime_;
  Seconds key_period_;
  // The keys of two neighbouring periods. The index is the period modulo 2.
  struct PeriodKey {
    std::uint32_t period = UINT32_MAX;
    crypto::Sha256 key{};
  };
  std::array<PeriodKey, 2> keys_;
};

}  // namespace turnpike::auth
