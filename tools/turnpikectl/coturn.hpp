// The command `turnpikectl import coturn` converts what coturn has. It prints its result and returns the exit
// code.
#pragma once

#include <string>

#include "turnpikectl/connection.hpp"

namespace turnpike::turnpikectl {

// From a turnserver.conf, it prints a configuration for turnpike. From coturn's SQLite database, which its
// first octets identify, it sends the users to the daemon.
int import_coturn(const Connection& daemon, const std::string& file, bool json);

}  // namespace turnpike::turnpikectl
