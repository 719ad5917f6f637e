// Finds the name that a client asks for in its first octets: the server_name of a ClientHello (RFC 6066 §3),
// or the Host of an HTTP request without TLS (RFC 9112 §3.2). The functions keep no state: call them again
// with all octets when more have arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "turnpike/base/bytes.hpp"

namespace turnpike::net {

inline constexpr std::size_t kMaxClientHello = 16 << 10;  // octets of the handshake message
// The limit for a ClientHello with the headers of its records, since it may come in several records.
inline constexpr std::size_t kMaxHelloRecords = kMaxClientHello + (4 << 10);
inline constexpr std::size_t kMaxHostSearch = 8 << 10;  // octets of the request head

struct AskedName {
  enum class Kind : std::uint8_t {
    incomplete,  // at least `needed` octets are necessary for a result
    named,       // the client asks for `name`
    absent,      // the client asks for no name
    malformed,   // not a ClientHello, or one that is too long; find_host() never returns it
  };

  Kind kind = Kind::incomplete;
  std::string name{};      // as the client wrote it, which may be empty; of HTTP without the port
  std::size_t needed = 0;  // for incomplete: the necessary number of octets, counted from the beginning
};

// For a client whose first octets are a TLS record. A result other than `incomplete` is final.
AskedName find_server_name(Bytes received);

// For a client whose first octets are an HTTP request. `absent` means that there was no Host in the whole
// head, or in its first kMaxHostSearch octets. A result other than `incomplete` is final.
AskedName find_host(Bytes received);

// Whether an HTTP request asks for the answer to a challenge of ACME (RFC 8555 §8.3).
bool asks_for_acme_challenge(Bytes received);

}  // namespace turnpike::net
