// The binary attachments of Socket.IO. In the JSON of a packet, {"_placeholder":true,"num":N} stands for
// attachment number N of the packet. Such an object has no meaning without the attachments.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace turnpike::signaling {

// Whether a JSON text that a parser has accepted contains a placeholder, whatever its number.
bool has_placeholder(std::string_view json);

// Returns a JSON text that a parser has accepted, with every placeholder for one of `count` attachments
// replaced by the result of `by` for its number. Everything else stays unchanged.
std::string replace_placeholders(std::string_view json, std::size_t count,
                                 const std::function<std::string(std::size_t number)>& by);

}  // namespace turnpike::signaling
