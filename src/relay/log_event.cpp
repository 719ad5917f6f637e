#include "relay/log_event.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unictype.h>
#include <unistr.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>

namespace turnpike::relay {
namespace {

constexpr std::size_t kMaxQuoted = 64;  // characters, or octets that are none

bool is_plain(ucs4_t c) {
  if (c == '"' || c == '\\') return false;
  return c == ' ' ||
         uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
                                                 UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S);
}

// Without the quotes. Whether all of it is there.
bool escape(std::string_view text, std::string& result) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto* end = at + text.size();
  for (std::size_t shown = 0; at < end; ++shown) {
    if (shown == kMaxQuoted) return false;
    ucs4_t c = 0;
    const int size = u8_mbtoucr(&c, at, static_cast<std::size_t>(end - at));
    if (size <= 0) {
      result += fmt::format("\\x{:02x}", *at++);
    } else {
      if (is_plain(c)) {
        result.append(reinterpret_cast<const char*>(at), static_cast<std::size_t>(size));
      } else {
        result += fmt::format("\\u{{{:x}}}", c);
      }
      at += size;
    }
  }
  return true;
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
  spdlog::log(level, "{}{}{}", words_, kSeparator, members_);
}

}  // namespace turnpike::relay
