// What the core tells, as log lines. Names come from strangers and are written so that they cannot pass for
// anything else.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "turnpike/turn/output.hpp"

namespace turnpike::server {

void log_events(std::span<const turn::Output::Event> events);

// A stranger's text for a log line, in quotes: printable characters as they are, anything else as an escape.
std::string quoted(std::string_view text);

}  // namespace turnpike::server
