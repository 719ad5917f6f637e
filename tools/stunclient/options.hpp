// The command line as a structure. It contains secrets, so Options are never printed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "client/turn_client.hpp"
#include "stunclient/targets.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

inline constexpr int kUsageError = 2;  // exit code for a command line that makes no sense

struct Options {
  ServerName server;
  std::optional<Family> family;
  std::string local_address;  // empty: the address that the route to the server uses
  std::uint16_t local_port = 0;
  bool json = false;
  int verbosity = 0;
  bool nat = false;  // --mode full
  bool turn = false;
  std::optional<client::Credentials> credentials;
  std::chrono::milliseconds timeout{};
};

// Throws std::invalid_argument with a sentence for the user. It ends the process for --help (0) and for a
// malformed command line (2).
Options parse_options(int argc, char** argv);

}  // namespace turnpike::stunclient
