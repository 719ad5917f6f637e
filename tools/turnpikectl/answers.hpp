// How the commands read the answers of the daemon.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "turnpikectl/connection.hpp"

namespace turnpike::turnpikectl {

std::string text_of(const boost::json::value& value);
// Returns a member as text, or "-" when it is absent.
std::string text_of(const boost::json::object& object, std::string_view name);
// Returns 0 when the member is absent or not a number.
std::uint64_t number_of(const boost::json::object& object, std::string_view name);
// Return an empty list or object when the member is absent or something else.
const boost::json::array& list_of(const boost::json::object& object, std::string_view name);
const boost::json::object& object_of(const boost::json::object& object, std::string_view name);

// Prints a refusal of the daemon. Returns the exit code for it.
int refuse(const Answer& answer, bool as_json);

// Prints which other nodes of a cluster have not carried out the command, unless all have. `fallback`
// describes the state until they can be reached. Returns the exit code.
int report_missed(const boost::json::object& answer, const std::string& fallback, bool json);

// Encodes a value of a query, or a segment of a path.
std::string encoded(const std::string& text);

}  // namespace turnpike::turnpikectl
