// What a client over TLS or DTLS offers by ALPN (RFC 7301).
#pragma once

#include <string_view>

namespace turnpike::client {

// The protocols of RFC 7443 §3, each after its length.
inline constexpr std::string_view kProtocols = "\x09stun.turn\x12stun.nat-discovery";

}  // namespace turnpike::client
