// Passwords of users. They never stand in a command line, which others on the machine can read.
#pragma once

#include <string>

namespace turnpike::turnpikectl {

// Asks on the terminal, without showing what is typed, and once more for safety. When the standard input is
// no terminal, reads its first line. Throws std::runtime_error with a message for the operator.
std::string read_password(const std::string& name);

// One that nobody can guess, of letters, digits, '-' and '_'.
std::string make_password();

}  // namespace turnpike::turnpikectl
