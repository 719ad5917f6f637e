// Which name a client asks for in its first octets: the server_name of a ClientHello (RFC 6066 §3), or the
// Host of an HTTP request without TLS (RFC 9112 §3.2). Both look at what is there and keep nothing, so they
// are asked again with all that has come when there is more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "turnpike/base/bytes.hpp"

namespace turnpike::net {

inline constexpr std::size_t kMaxClientHello = 16 << 10;  // octets of the handshake message
// How far into a stream a ClientHello is looked for: it may come in several records, each with its header.
inline constexpr std::size_t kMaxHelloRecords = kMaxClientHello + (4 << 10);
inline constexpr std::size_t kMaxHostSearch = 8 << 10;  // octets of a request's head

struct AskedName {
  enum class Kind : std::uint8_t {
    incomplete,  // there have to be `needed` octets before there is more to say
    named,       // it asks for `name`
    absent,      // it asks for no name
    malformed,   // no ClientHello, or a longer one than is looked at; HTTP has no such case
  };

  Kind kind = Kind::incomplete;
  std::string name{};      // as the client wrote it; of HTTP without its port, and empty where that is
  std::size_t needed = 0;  // of incomplete: more than there are, counted from the beginning
};

// Of a client that begins with a record of TLS. A verdict stands, whatever follows.
AskedName find_server_name(Bytes received);

// Of a client that begins with a request of HTTP. `absent` means that the head has ended, or kMaxHostSearch
// octets are there, and no Host was among them. A verdict stands, whatever follows.
AskedName find_host(Bytes received);

}  // namespace turnpike::net
