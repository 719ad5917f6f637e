// What a node writes to its log about other nodes and Redis. Everybody who can write to Redis can cause
// warnings, so each kind of warning that is caused again and again is written at most once in
// kBetweenWarnings. What is refused is counted each time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "cluster/own_node.hpp"
#include "cluster/params.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

// Belongs to one thread.
class ClusterLog {
 public:
  using Write = std::function<void(const std::string& line)>;
  enum class Warning : std::uint8_t { unreachable, echo, command, ignored, untimely, same_name, kinds };

  // `info` may be empty where info() is not called. The references must outlive this object.
  ClusterLog(const OwnNode& own, Write info, Write warn, Counter& refused);

  void info(const std::string& line) const { info_(line); }
  void warn(const std::string& line) const { warn_(line); }
  // Counts a text of this key or channel that is not valid, and warns of it.
  void refuse(std::string_view key);
  // Counts a message that is ignored, and warns of it. Returns false.
  bool refuse(Warning kind, const std::string& why);
  // The same for what needs no other warning than that `what` is ignored, such as "an order is malformed".
  bool ignore(const std::string& what);
  // Warns that Redis refuses a command of this node, and why.
  void warn_of_refused_command(const std::string& error);
  // Returns true when a warning of this kind is due, and then starts the time until the next one.
  bool take_due_warning(Warning kind);
  // The next warning of this kind is due after kBetweenWarnings from now.
  void postpone(Warning kind);
  // The next warning of this kind is due at once.
  void make_due(Warning kind) { next_of(kind) = {}; }

 private:
  SteadyTime& next_of(Warning kind) { return next_warning_[static_cast<std::size_t>(kind)]; }

  const OwnNode& own_;
  const Write info_;
  const Write warn_;
  Counter& refused_;
  std::array<SteadyTime, static_cast<std::size_t>(Warning::kinds)> next_warning_{};
};

}  // namespace turnpike::cluster
