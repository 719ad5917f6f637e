// Passwords of users. They are never in a command line, which others on the machine can read.
#pragma once

#include <string>

namespace turnpike::turnpikectl {

// Asks for a password on the terminal, twice, without showing what is typed. When the standard input is not a
// terminal, it reads the first line. Throws std::runtime_error with a message for the operator.
std::string read_password(const std::string& name);

// Returns a password that nobody can guess, of letters, digits, '-' and '_'.
std::string make_password();

}  // namespace turnpike::turnpikectl
