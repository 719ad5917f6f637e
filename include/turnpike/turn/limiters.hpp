// The limits per second for each source address. Each kind of work has a limiter of its own, so that one kind
// does not use up the tokens of another.
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

  // The source address of these requests may be forged.
  AddressLimiter unauthenticated;  // answers without a valid nonce, except answers to Binding
  AddressLimiter bindings;         // answers to Binding

  // The source of these has proved that it receives what is sent to its address.
  AddressLimiter failures;    // answers to requests with a valid nonce and wrong credentials
  AddressLimiter handshakes;  // TLS handshakes, and DTLS handshakes after the cookie

  // Changes the limits. Any thread may call it.
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
