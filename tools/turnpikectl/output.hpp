// What turnpikectl prints goes through here, because names of users, texts of files and what a daemon answers
// must not control the operator's terminal. No other file writes to stdout or stderr, but screen.cpp and
// password.cpp.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::turnpikectl {

// One line on stdout, or on stderr. A line break in it becomes an escape, as all that is not printable.
void say(std::string_view line);
void complain(std::string_view line);

void say(const std::vector<std::string>& lines);

// A JSON text on one line of stdout.
void say_json(const boost::json::value& value);

// Returns false when something could not be written, to a full disk for example.
bool finish_output();

}  // namespace turnpike::turnpikectl
