#include "cluster/cluster_log.hpp"

#include <utility>

namespace turnpike::cluster {

ClusterLog::ClusterLog(const OwnNode& own, Write info, Write warn, Counter& refused)
    : own_(own), info_(std::move(info)), warn_(std::move(warn)), refused_(refused) {}

void ClusterLog::refuse(std::string_view key) {
  ignore("the text at " + std::string(key) + " in Redis is not signed with our secret, or is malformed");
}

bool ClusterLog::refuse(Warning kind, const std::string& why) {
  ++refused_;
  if (take_due_warning(kind)) warn("cluster: " + why);
  return false;
}

bool ClusterLog::ignore(const std::string& what) {
  return refuse(Warning::ignored, what + ": it is ignored");
}

void ClusterLog::warn_of_refused_command(const std::string& error) {
  if (take_due_warning(Warning::command)) warn("cluster: Redis refuses a command: " + error);
}

bool ClusterLog::take_due_warning(Warning kind) {
  if (own_.clock().steady < next_of(kind)) return false;
  postpone(kind);
  return true;
}

void ClusterLog::postpone(Warning kind) { next_of(kind) = own_.clock().steady + kBetweenWarnings; }

}  // namespace turnpike::cluster
