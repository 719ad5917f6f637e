// The commands of turnpikectl. Each prints its result and returns the exit code: 0 for success, 1 when the
// daemon refused or the input was wrong, 2 when no daemon can be reached.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "turnpikectl/connection.hpp"

namespace turnpike::turnpikectl {

inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;
inline constexpr int kUnreachable = 2;

struct AllocationsOptions {
  std::string user;     // empty: of all users
  std::string address;  // of the client; empty: of all clients
  bool by_rate = false;
  bool watch = false;  // prints the list each second until it is interrupted
};

struct CredentialsOptions {
  std::string name;
  std::string config_file;  // the file whose auth.secrets sign the credentials
  std::string host;  // for the iceServers entry; empty: signaling.public_host, or else "turn.example.org"
  std::chrono::seconds ttl = std::chrono::hours(1);
};

int show_status(const Connection& daemon, bool json);
int list_allocations(const Connection& daemon, const AllocationsOptions& options, bool json);
int kill_allocation(const Connection& daemon, const std::string& id, bool json);
int kill_user(const Connection& daemon, const std::string& user, bool json);
int list_nodes(const Connection& daemon, bool json);
int drain(const Connection& daemon, std::optional<std::chrono::seconds> deadline, std::uint32_t until,
          bool json);
int reload(const Connection& daemon, bool dry_run, bool json);
int set_log_level(const Connection& daemon, const std::string& level, bool json);
int mint_credentials(const CredentialsOptions& options, bool json);
int check(const std::string& config_file, bool json);

}  // namespace turnpike::turnpikectl
