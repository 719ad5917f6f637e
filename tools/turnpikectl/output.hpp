// All output of turnpikectl goes through these functions, because names of users, texts of files and answers
// of the daemon must not control the operator's terminal. Only screen.cpp and password.cpp write to stdout or
// stderr themselves.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::turnpikectl {

// Prints one line to stdout or stderr. A line break in it becomes an escape, like everything that is not
// printable.
void say(std::string_view line);
void complain(std::string_view line);

void say(const std::vector<std::string>& lines);

// Prints a JSON text on one line of stdout.
void say_json(const boost::json::value& value);

// Prints why a command has failed: with --json as the refusals of the daemon are printed, {"error": {"code",
// "message"}}, and otherwise as a sentence to stderr.
void report_failure(std::string_view code, std::string_view message, bool as_json);

// Returns false when something could not be written, for example to a full disk.
bool finish_output();

}  // namespace turnpike::turnpikectl
