#include "turnpike/turn/output.hpp"

namespace turnpike::turn {

std::string_view to_string(EndReason reason) {
  switch (reason) {
    case EndReason::refresh: return "refresh";
    case EndReason::expired: return "expired";
    case EndReason::connection_closed: return "connection_closed";
    case EndReason::allocation_age: return "allocation_age";
    case EndReason::credentials_expired: return "credentials_expired";
    case EndReason::user_changed: return "user_changed";
    case EndReason::client_denied: return "client_denied";
    case EndReason::killed: return "killed";
    case EndReason::stopped: return "stopped";
  }
  return "";
}

}  // namespace turnpike::turn
