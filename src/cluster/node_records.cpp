#include "cluster/node_records.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "cluster/params.hpp"
#include "cluster/redis_reply.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::cluster {
namespace {

const std::string kMaxRecord = "4194303";  // the last octet that is read of the value at a node's key

}  // namespace

NodeRecords::NodeRecords(const OwnNode& own, Seal& seal, NodeLink& link, ClusterLog& log, KnownNodes& known,
                         OwnRecord& own_record, Hooks hooks)
    : own_(own),
      seal_(seal),
      link_(link),
      log_(log),
      known_(known),
      own_record_(own_record),
      hooks_(std::move(hooks)) {}

std::uint64_t NodeRecords::read() {
  const std::uint64_t reading = ++last_reading_;
  link_.commands().send({"SMEMBERS", own_.nodes_key}, [this, reading](const redisReply* reply) {
    if (reply && !link_.is_stopped()) on_names(*reply, reading);
  });
  return reading;
}

void NodeRecords::on_names(const redisReply& reply, std::uint64_t reading) {
  // This error means that the value is not a set. All nodes then write their names into a new one.
  if (is_wrong_type(&reply)) {
    link_.commands().send({"UNLINK", own_.nodes_key});
    return own_record_.renew();
  }
  if (reply.type != REDIS_REPLY_ARRAY) return;
  // Known nodes come first, so that names without a node do not take their places.
  std::vector<std::string> names{own_.name};
  for (const NodeRecord& known : others_) names.push_back(known.name);
  const std::set<std::string, std::less<>> before(names.begin(), names.end());
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const auto name = text_of(reply.element[i]);
    if (!name || before.contains(*name)) continue;
    if (!is_host(*name)) {
      if (wrong.size() < kMaxNodes) wrong.emplace_back(*name);
    } else if (names.size() < kMaxNodes) {
      names.emplace_back(*name);
    }
  }
  remove_names(wrong);
  read_records(names, reading);
}

// The records are read one by one and only in part, since others may have written values of any length.
void NodeRecords::read_records(const std::vector<std::string>& names, std::uint64_t reading) {
  struct Found {
    Texts texts;
    bool is_refused = false;  // so that it says nothing about any node
  };
  const auto found = std::make_shared<Found>();
  for (const std::string& name : names) {
    const auto take = [this, found, name, is_last = name == names.back(), least = own_record_.latest(),
                       reading](const redisReply* reply) {
      const auto text = text_of(reply);
      found->texts[name] = text && !text->empty() ? std::optional<std::string>(*text) : std::nullopt;
      found->is_refused = found->is_refused || (!text && !is_wrong_type(reply));
      if (found->is_refused || !is_last || link_.is_stopped()) return;
      on_records(found->texts, least);
      hooks_.read(reading);
    };
    link_.commands().send({"GETRANGE", own_.record_key(name), "0", kMaxRecord}, take);
  }
}

void NodeRecords::on_records(const Texts& texts, std::uint64_t least) {
  std::vector<NodeRecord> records;
  // The names of nodes that are lost or never existed; a node adds its own name again.
  std::vector<std::string> nobody;
  for (const auto& [name, sealed] : texts) {
    const bool is_own = name == own_.name;
    const auto record = sealed ? open(name, *sealed) : std::nullopt;
    if (is_own && record) {
      own_record_.check(*record, least);
    } else if (is_own) {
      own_record_.renew();  // somebody has overwritten or deleted the record
    } else if (!record && !known_.latest_of(name, own_.clock().steady)) {
      nobody.push_back(name);
    } else {
      const auto verdict = record ? known_.accept(*record, own_.clock()) : KnownNodes::Verdict::old;
      if (record && verdict == KnownNodes::Verdict::old)
        log_.ignore("an old record of node " + name + " was written again");
      // When somebody has overwritten or deleted a record, or Redis has evicted it, its last valid version
      // stays in use; the node will soon write again.
      const bool is_there = verdict == KnownNodes::Verdict::fresh || verdict == KnownNodes::Verdict::old;
      if (is_there) add_latest(name, records);
    }
  }
  remove_names(nobody);
  known_.forget_long_gone(own_.clock().steady);
  others_ = std::move(records);
  hooks_.changed(others_);
}

std::optional<NodeRecord> NodeRecords::open(const std::string& name, std::string_view sealed) {
  const std::string key = own_.record_key(name);
  const auto text = seal_.open(key, sealed);
  auto record = text ? parse_node_record(*text) : std::nullopt;
  if (record && record->name == name) return record;
  log_.refuse(key);
  return std::nullopt;
}

void NodeRecords::add_latest(const std::string& name, std::vector<NodeRecord>& records) const {
  const NodeRecord* const latest = known_.latest_of(name, own_.clock().steady);
  if (latest && !latest->leaving) records.push_back(*latest);
}

void NodeRecords::remove_names(const std::vector<std::string>& names) {
  if (names.empty()) return;
  RedisConnection::Command command{"SREM", own_.nodes_key};
  command.insert(command.end(), names.begin(), names.end());
  link_.commands().send(command);
}

void NodeRecords::forget() {
  others_.clear();
  hooks_.changed(others_);
}

bool NodeRecords::is_there(const std::string& node) const {
  return std::ranges::find(others_, node, &NodeRecord::name) != others_.end();
}

bool NodeRecords::is_used_twice(const std::string& node) const {
  if (node == own_.name) return own_record_.is_name_used_twice();
  return known_.is_used_twice(node, own_.clock().steady);
}

std::vector<std::string> NodeRecords::names_used_twice() const {
  std::vector<std::string> names{own_.name};
  for (const NodeRecord& other : others_) names.push_back(other.name);
  std::erase_if(names, [this](const std::string& name) { return !is_used_twice(name); });
  return names;
}

}  // namespace turnpike::cluster
