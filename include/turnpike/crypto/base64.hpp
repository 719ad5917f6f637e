// Base64 with padding (RFC 4648 §4) and base64url without (§5), by OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/bytes.hpp"

namespace turnpike::crypto {

std::string base64_encode(Bytes bytes);

// Decodes base64. Nothing when `text` is not exactly what base64_encode writes: with padding at its end,
// without white space, and with the unused bits zero.
std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);

// The same with the alphabet of URLs and JSON Web Tokens, without padding (RFC 7515 §2).
std::string base64url_encode(Bytes bytes);
std::optional<std::vector<std::uint8_t>> base64url_decode(std::string_view text);

}  // namespace turnpike::crypto
