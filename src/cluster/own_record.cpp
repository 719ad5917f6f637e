#include "cluster/own_record.hpp"

#include <utility>

#include "cluster/known_nodes.hpp"

namespace turnpike::cluster {
namespace {

const std::string kLastRecordLives = "60000";  // ms

}  // namespace

OwnRecord::OwnRecord(const OwnNode& own, Seal& seal, RedisConnection& commands, ClusterLog& log,
                     std::function<NodeRecord()> describe)
    : own_(own), seal_(seal), commands_(commands), log_(log), describe_(std::move(describe)) {}

// Traffic changes all the time, so a change of traffic alone causes no write.
void OwnRecord::write() {
  if (!commands_.is_up()) return;
  NodeRecord record = describe_();
  NodeRecord slow = record;
  slow.octets_per_second = 0;
  std::string text = to_json(slow);
  if (text == written_ && own_.clock().steady < renew_at_) return;
  written_ = std::move(text);
  renew_at_ = own_.clock().steady + kRenewal;
  const auto life = std::chrono::duration_cast<std::chrono::milliseconds>(KnownNodes::kLife).count();
  commands_.send_together(
      {{"SET", own_.record_key(own_.name), seal(std::move(record)), "PX", std::to_string(life)},
       {"SADD", own_.nodes_key, own_.name}});
}

RedisConnection::Command OwnRecord::make_last() {
  NodeRecord last = describe_();
  last.ready = false;
  last.leaving = true;
  return {"SET", own_.record_key(own_.name), seal(std::move(last)), "PX", kLastRecordLives};
}

std::string OwnRecord::seal(NodeRecord record) {
  record.name = own_.name;
  record.began = began_;
  record.written_at = latest_ = next_number();
  return seal_.seal(own_.record_key(own_.name), to_json(record));
}

void OwnRecord::check(const NodeRecord& read, std::uint64_t least) {
  if (read.written_at < least) renew();  // somebody has written an old record again
  if (read.began == began_ || read.written_at < began_) return;
  if (!is_name_used_twice()) {
    log_.warn("cluster: another server is node " + own_.name +
              " too: each server needs its own cluster.node");
  }
  used_twice_until_ = own_.clock().steady + kUsedTwice;
  renew();  // so that the other server notices it as well, whenever each of them writes
}

}  // namespace turnpike::cluster
