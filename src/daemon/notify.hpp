// systemd's readiness protocol (sd_notify(3)).
#pragma once

#include <string_view>

namespace turnpike::daemon {

// Sends `state`, such as "READY=1", to $NOTIFY_SOCKET. Does nothing when the variable is not set.
void notify_service_manager(std::string_view state);

}  // namespace turnpike::daemon
