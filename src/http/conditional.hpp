// Conditional requests (RFC 9110 §13): whether the copy of the client is still current.
#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "http/message.hpp"

namespace turnpike::http {

std::string quoted_etag(const std::string& tag);

// What tells one version of a representation from another.
struct Version {
  std::string etag;  // in quotes, with no quotes between them
  // Nothing when it is not known, or when the file may change again within the same second.
  std::optional<std::time_t> modified{};
};

enum class Condition : std::uint8_t {
  holds,      // or there is none: send the representation
  unchanged,  // answer 304
  failed,     // answer 412
};
// Evaluates the conditions of a GET or HEAD request in the order of §13.2.2.
Condition evaluate_conditions(const Request& request, const Version& current);

// Evaluates If-Range (§13.1.5), by strong comparison: whether a part may be sent.
bool is_same_for_range(const Request& request, const Version& current);

}  // namespace turnpike::http
