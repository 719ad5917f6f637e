// What the commands of the admin listener have in common: their bodies and answers are JSON.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace turnpike::admin {

inline constexpr std::size_t kMaxBody = 4096;  // octets of a body, unless a command takes more

http::Response json_answer(const boost::json::value& value, unsigned status = 200);

// The body is {"error": {"code": …, "message": …}}. The message is a sentence for people.
http::Response json_error(unsigned status, std::string_view code, std::string_view message);

// Parses the body of a request, a JSON object with only the `known` names; an empty body is an empty object.
// Returns the fault as a sentence, or nothing.
std::optional<std::string> read_body(const http::Request& request,
                                     std::initializer_list<std::string_view> known, boost::json::object& out,
                                     std::size_t longest = kMaxBody);

// The answer to a request whose query has another parameter than the `known` ones; nothing when it has none.
std::optional<http::Response> find_unknown_parameter(const http::Request& request,
                                                     std::initializer_list<std::string_view> known);

}  // namespace turnpike::admin
