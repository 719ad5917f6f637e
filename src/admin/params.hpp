// What the operator says about the admin listener. Plain data, filled by config/.
#pragma once

#include <string>
#include <vector>

#include "http/params.hpp"

namespace turnpike::admin {

struct Params {
  std::vector<std::string> unix_sockets;  // paths; whoever may open one of them may do everything
  std::vector<http::Listener> listeners;
  // HS256, for tokens whose audience is "turnpike-admin". Without a secret, /v1/ is on the unix sockets
  // alone.
  std::vector<std::string> token_secrets;

  bool is_enabled() const { return !unix_sockets.empty() || !listeners.empty(); }
};

}  // namespace turnpike::admin
