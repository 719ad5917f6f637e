// Octets beside JSON, as Socket.IO has them: in the JSON of a packet {"_placeholder":true,"num":N} stands for
// the packet's N-th attachment. Such an object means nothing where the attachments do not go along.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace turnpike::signaling {

// Whether a JSON text that a parser has accepted contains a placeholder, for whichever attachment.
bool has_placeholder(std::string_view json);

// A JSON text that a parser has accepted, with every placeholder for one of `count` attachments replaced by
// what `by` makes of its number. All else stays letter by letter.
std::string replace_placeholders(std::string_view json, std::size_t count,
                                 const std::function<std::string(std::size_t number)>& by);

}  // namespace turnpike::signaling
