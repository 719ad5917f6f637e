// How much one source address may have in a second, by kind. Each kind has a budget of its own, so that what
// a source has spent on one kind does not cost it another.
#pragma once

#include <cstdint>

#include "turnpike/base/address_limiter.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// Thread-safe; all workers share it.
struct Limiters {
  Limiters(const Limits& limits, const HashKey& key)
      : unauthenticated(limits.unauthenticated_per_second, burst(limits.unauthenticated_per_second), key),
        bindings(limits.bindings_per_second, burst(limits.bindings_per_second), key),
        failures(limits.failures_per_second, burst(limits.failures_per_second), key),
        handshakes(limits.unauthenticated_per_second, burst(limits.unauthenticated_per_second), key) {}

  // A stranger who writes another's address into a datagram can ask for these in its name.
  AddressLimiter unauthenticated;  // answers without a valid nonce, but for those to Binding
  AddressLimiter bindings;         // answers to Binding

  // For these, the source has shown that it receives what is sent to its address.
  AddressLimiter failures;    // answers to those who have a valid nonce and wrong credentials
  AddressLimiter handshakes;  // of TLS, and of DTLS behind the cookie

  // From now on these limits hold. From any thread.
  void set_limits(const Limits& limits) {
    unauthenticated.set_limit(limits.unauthenticated_per_second, burst(limits.unauthenticated_per_second));
    bindings.set_limit(limits.bindings_per_second, burst(limits.bindings_per_second));
    failures.set_limit(limits.failures_per_second, burst(limits.failures_per_second));
    handshakes.set_limit(limits.unauthenticated_per_second, burst(limits.unauthenticated_per_second));
  }

 private:
  static std::uint64_t burst(std::uint32_t per_second) { return std::uint64_t{2} * per_second; }
};

}  // namespace turnpike::turn
