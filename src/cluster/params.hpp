// The part of the configuration about the cluster. It is plain data, which config/ fills.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::cluster {

// The most nodes; records of further nodes are ignored.
inline constexpr std::size_t kMaxNodes = 1000;
inline constexpr std::chrono::minutes kBetweenWarnings{1};  // the least time between two warnings of one kind

// The address of Redis or Valkey, and the account that is used there.
struct RedisAddress {
  bool tls = false;  // the server's certificate is checked against the machine's authorities, and for `host`
  std::string host;
  std::uint16_t port = 6379;
  std::string unix_socket;  // a path; empty when `host` is used
  std::string user;         // empty: Redis's default user
  std::string password;     // empty: no AUTH
  std::uint32_t database = 0;
};

struct Params {
  RedisAddress redis;
  // Known to all nodes and to nobody else. What is written is signed with the first; what any of them has
  // signed is believed, so that they can be changed on one node after the other.
  std::vector<std::string> secrets;
  std::string node;                 // the name by which clients find this node
  std::string prefix = "turnpike";  // of all keys and channels

  bool is_enabled() const { return !node.empty(); }
};

}  // namespace turnpike::cluster
