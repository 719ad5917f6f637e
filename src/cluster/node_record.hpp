// The record of a node: what it tells the other nodes about itself. The node writes it to Redis as JSON every
// few seconds.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::cluster {

struct NodeRecord {
  struct Listener {
    Transport transport = Transport::udp;
    Endpoint endpoint;  // as clients reach it: an advertised address where there is one
  };
  // The used part of a limit.
  struct Use {
    std::uint64_t used = 0;
    std::uint64_t limit = 0;  // 0: no limit

    // From 0 to 1; 0 without a limit.
    double fraction() const;
  };

  static constexpr std::size_t kMaxName = 255;  // octets
  std::string name;
  // When the node was started, in milliseconds since 1970. Two servers that are configured with the same name
  // have different values.
  std::uint64_t began = 0;
  // Grows each time that the node writes: milliseconds since 1970. Readers know by it what is old.
  std::uint64_t written_at = 0;
  std::vector<std::string> stun_urls;  // RFC 7064
  std::vector<std::string> turn_urls;  // RFC 7065
  std::vector<Listener> listeners;
  Use allocations;
  Use ports;
  std::uint64_t octets_per_second = 0;  // relayed, in both directions
  // Users and addresses that hold a considerable part of their limit here, with the allocations of each.
  using Held = std::map<std::string, std::uint32_t, std::less<>>;
  static constexpr std::size_t kMaxHeld = 1000;   // entries of each
  static constexpr std::size_t kMaxHolder = 520;  // octets of an address, or of a user as quotas name it
  Held held_by_user;
  Held held_by_address;
  // Users whose clients want a considerable part of bytes_per_second_per_user here: octets per second from
  // them and to them.
  using Demands = std::map<std::string, std::array<std::uint64_t, 2>, std::less<>>;
  Demands demand_by_user;
  bool ready = false;  // takes new clients
  bool draining = false;
  bool leaving = false;  // the node stops, and this is its last record
  // The ids of the first kMaxSecrets of its secrets, see secret_id. Empty for a node of an earlier version.
  static constexpr std::size_t kMaxSecrets = 16;
  std::vector<std::string> secrets;

  // How full the node is, from 0 to 1: the largest fraction of its limits.
  double load() const;
};

std::string to_json(const NodeRecord& record);
// Parses a record. Nothing when the text has another form.
std::optional<NodeRecord> parse_node_record(std::string_view text);

// Finds a secret of this node that all of these nodes know. Returns its index in the list of ids, or nothing
// when there is none. When they know several, all nodes find the same one, whatever the order of their lists.
std::optional<std::size_t> find_common_secret(const std::vector<std::string>& ids,
                                              const std::vector<NodeRecord>& others);

}  // namespace turnpike::cluster
