#include "relay/log_event.hpp"

#include <spdlog/spdlog.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>

#include "turnpike/base/printable.hpp"

namespace turnpike::relay {
namespace {

constexpr std::size_t kMaxQuoted = 64;  // characters, or octets that are not part of a character

// Appends the text without quotes. Returns whether all of it fits.
bool escape(std::string_view text, std::string& result) {
  for (std::size_t taken = 0; !text.empty() && taken < kMaxQuoted; ++taken)
    result += take_printable(text, "\"\\");
  return text.empty();
}

std::string as_json(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string result = "\"";
  const bool is_whole = escape(text, result);
  return result + (is_whole ? "\"" : "\"...");
}

LogEvent::LogEvent(std::string_view event, std::string_view words) : words_(words) { field("event", event); }

LogEvent& LogEvent::say(std::string_view words) {
  words_.append(" ").append(words);
  return *this;
}

LogEvent& LogEvent::field(std::string_view name, std::string_view value) {
  members_.append(",").append(as_json(name)).append(":").append(as_json(value));
  return *this;
}

LogEvent& LogEvent::field(std::string_view name, std::uint64_t value) {
  members_.append(",").append(as_json(name)).append(":").append(std::to_string(value));
  return *this;
}

LogEvent& LogEvent::add(std::string_view name, std::string_view value) {
  words_.append(" ").append(name).append("=").append(value);
  return field(name, value);
}

LogEvent& LogEvent::add(std::string_view name, std::uint64_t value) {
  words_.append(" ").append(name).append("=").append(std::to_string(value));
  return field(name, value);
}

LogEvent& LogEvent::add_quoted(std::string_view name, std::string_view text) {
  words_.append(" ").append(name).append("=").append(quoted(text));
  std::string escaped;
  if (!escape(text, escaped)) escaped += "...";
  return field(name, escaped);
}

void LogEvent::write(spdlog::level::level_enum level) const {
  spdlog::log(level, fmt::format("{}{}{}", words_, kSeparator, members_));
}

}  // namespace turnpike::relay
