// What turnpikectl does: each command is a function that prints its outcome and returns the exit code. 0: it
// was done; 1: the daemon refused or the input was wrong; 2: there is no daemon to talk to.
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
  std::string user;     // empty: of everybody
  std::string address;  // of the client; empty: from everywhere
  bool by_rate = false;
  bool watch = false;  // shows it again each second, until it is interrupted
};

struct CredentialsOptions {
  std::string name;
  std::string config_file;  // whose auth.secrets the credentials are made with
  std::string host;         // of the iceServers entry; empty: signaling.public_host, else "turn.example.org"
  std::chrono::seconds ttl = std::chrono::hours(1);
};

int show_status(const Connection& daemon, bool json);
int list_allocations(const Connection& daemon, const AllocationsOptions& options, bool json);
int kill_allocation(const Connection& daemon, const std::string& id, bool json);
int drain(const Connection& daemon, std::optional<std::chrono::seconds> deadline, std::uint32_t until,
          bool json);
int reload(const Connection& daemon, bool dry_run, bool json);
int set_log_level(const Connection& daemon, const std::string& level, bool json);
int mint_credentials(const CredentialsOptions& options, bool json);
int check(const std::string& config_file, bool json);

}  // namespace turnpike::turnpikectl
