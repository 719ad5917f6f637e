// Makes log lines about refusals of signaling or another part, with the configuration key that decides, so
// that an operator whose users are refused knows what to change. Strangers decide how many refusals there
// are, so each kind gets at most one line a minute, which says how many others there were.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "http/refused.hpp"
#include "relay/log_event.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::daemon {

// Belongs to one thread.
class RefusalLog {
 public:
  static constexpr Duration kInterval = std::chrono::minutes(1);
  static constexpr std::size_t kMaxDetail = 64;  // bytes of a stranger's text

  // `who` is a literal.
  explicit RefusalLog(std::string_view who = "signaling") : who_(who) {}

  // Counts the refusal. Returns the line to write, or nothing when this kind had a line in the last minute.
  std::optional<relay::LogEvent> line(const http::Refused& refused, SteadyTime now);
  // Returns the count of each kind, "host=3 origin=12"; empty when there was no refusal.
  std::string totals() const;

 private:
  struct Kind {
    std::uint64_t all = 0;
    std::uint64_t unwritten = 0;  // since the last line
    SteadyTime next_line{};
  };

  std::string_view who_;
  // By http::Refused::what and key, which are literals of ours: there are few.
  std::map<std::pair<std::string_view, std::string_view>, Kind> kinds_;
};

}  // namespace turnpike::daemon
