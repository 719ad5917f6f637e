// The part of the configuration about the admin listener. It is plain data, which config/ fills.
#pragma once

#include <string>
#include <vector>

#include "http/params.hpp"

namespace turnpike::admin {

struct Params {
  std::vector<std::string> unix_sockets;  // paths; a process that can open one may use all commands
  std::vector<http::Listener> listeners;
  // Secrets for HS256 tokens with the audience "turnpike-admin". Without a secret, /v1/ is only on the unix
  // sockets.
  std::vector<std::string> token_secrets;
  // The names by which browsers may ask for it (see http::Hosts): its own ones, and those of signaling.
  std::vector<std::string> hosts;
  std::vector<std::string> signaling_hosts;
  std::string public_host;  // of signaling

  bool is_enabled() const { return !unix_sockets.empty() || !listeners.empty(); }
};

}  // namespace turnpike::admin
