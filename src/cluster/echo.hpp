// Whether the two connections of a node reach the same Redis: what the node says on one of them to itself has
// to come back on the other. They may reach two servers behind one name, or one of them may have stayed with
// a server that is not the primary any more. Both of them work then, and nothing else shows it.
#pragma once

#include <cstdint>
#include <string_view>

namespace turnpike::cluster {

class Echo {
 public:
  // How often count_look() is called until an echo counts as missing. Calls are counted instead of time,
  // since much time has passed, and nothing was read, when the process was stopped for a while.
  static constexpr int kLooks = 5;
  // Why the connections begin anew then, for the log.
  static constexpr std::string_view kMissing = "it does not pass on the messages of this node";

  // Call this when one of the connections has ended, so that no echo of it counts for the next one.
  void reset() { *this = {}; }
  // A message with this number is sent. Each number is greater than the one before.
  void send(std::uint64_t number) {
    if (first_ == 0) first_ = number;
    last_ = number;
  }
  // Redis has answered that it has passed this message on. It passes a message on before it answers, so the
  // echo is due.
  void expect(std::uint64_t number) {
    const bool is_missing = first_ != 0 && number >= first_ && number > heard_;
    if (is_missing && looks_left_ == 0) looks_left_ = kLooks;
  }
  // A message of this node has come back. Returns false when it is an older one, which somebody has repeated,
  // or one of another server with this node's name.
  bool hear(std::uint64_t number) {
    if (first_ == 0 || number < first_ || number > last_ || number <= heard_) return false;
    heard_ = number;
    looks_left_ = 0;
    return true;
  }
  // Call this at regular intervals. Returns true once when the echo is missing.
  bool count_look() { return looks_left_ > 0 && --looks_left_ == 0; }

 private:
  std::uint64_t first_ = 0;  // the first number since the connections began; 0: none
  std::uint64_t last_ = 0;
  std::uint64_t heard_ = 0;  // the greatest
  int looks_left_ = 0;       // 0 while no echo is due
};

}  // namespace turnpike::cluster
