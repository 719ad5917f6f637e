// The actions of the command line. Each function writes errors to stderr, and returns the exit code: 0 when
// all went well, 1 otherwise. The command line includes nothing else of the daemon.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace turnpike::daemon {

// The source of the configuration, from which a reload reads it again.
struct Source {
  std::string file;
  std::vector<std::string> overrides;
};

// Serves until the daemon is told to stop.
int serve(const Source& source);
// Only says whether the configuration is valid.
int check(const Source& source);
// Makes a running daemon reload, and waits until it has reloaded.
int reload(pid_t pid);

}  // namespace turnpike::daemon
