// Reads the records of all nodes from Redis, again and again, and says which other nodes are there. Others
// can write there too: what is not signed, or is old, is refused, and the last valid record of a node stays
// in use as long as it would live.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster_log.hpp"
#include "cluster/known_nodes.hpp"
#include "cluster/node_link.hpp"
#include "cluster/node_record.hpp"
#include "cluster/own_node.hpp"
#include "cluster/own_record.hpp"
#include "cluster/redis_connection.hpp"
#include "cluster/seal.hpp"

namespace turnpike::cluster {

// Belongs to the thread of the link.
class NodeRecords {
 public:
  struct Hooks {
    std::function<void(const std::vector<NodeRecord>&)> changed;  // others(), after each reading
    std::function<void(std::uint64_t reading)> read;              // after that: which reading is done
  };

  // All references must outlive this object.
  NodeRecords(const OwnNode& own, Seal& seal, NodeLink& link, ClusterLog& log, KnownNodes& known,
              OwnRecord& own_record, Hooks hooks);

  // Begins to read which nodes there are, and then their records. Returns the number of this reading, which
  // is greater than those of the readings before.
  std::uint64_t read();
  // Redis is away, so that nobody knows who is there.
  void forget();

  // The records of the other nodes that are there, sorted by name.
  const std::vector<NodeRecord>& others() const { return others_; }
  bool is_there(const std::string& node) const;
  // Whether two servers are configured with this name.
  bool is_used_twice(const std::string& node) const;
  // Returns those names, of this node and of the others that are there.
  std::vector<std::string> names_used_twice() const;

 private:
  using Texts = std::map<std::string, std::optional<std::string>>;  // at the keys of nodes, by name

  void on_names(const redisReply& reply, std::uint64_t reading);
  void read_records(const std::vector<std::string>& names, std::uint64_t reading);
  // `least` is the number that the record of this node had at that time.
  void on_records(const Texts& texts, std::uint64_t least);
  std::optional<NodeRecord> open(const std::string& name, std::string_view sealed);
  void add_latest(const std::string& name, std::vector<NodeRecord>& records) const;
  void remove_names(const std::vector<std::string>& names);

  const OwnNode& own_;
  Seal& seal_;
  NodeLink& link_;
  ClusterLog& log_;
  KnownNodes& known_;
  OwnRecord& own_record_;
  const Hooks hooks_;
  std::vector<NodeRecord> others_;
  std::uint64_t last_reading_ = 0;
};

}  // namespace turnpike::cluster
