// turnpikectl import coturn: what coturn keeps, for turnpike. Prints its result and returns the exit code.
#pragma once

#include <string>

#include "turnpikectl/connection.hpp"

namespace turnpike::turnpikectl {

// Of a turnserver.conf, prints a configuration for turnpike. Of coturn's SQLite database, which its first
// octets tell, gives the users to the daemon.
int import_coturn(const Connection& daemon, const std::string& file, bool json);

}  // namespace turnpike::turnpikectl
