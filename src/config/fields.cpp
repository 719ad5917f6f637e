#include "config/fields.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "config/read.hpp"
#include "config/text.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxRealm = 127;  // RFC 8489 §14.9: fewer than 128 characters
constexpr std::uint32_t kMaxWorkers = 1024;
constexpr std::chrono::seconds kMaxLifetime = std::chrono::hours(24);

std::optional<std::uint32_t> number_of(const Value& value) {
  return value.is_plain() ? parse_number(value.text()) : std::nullopt;
}

bool is_whole_seconds(Duration duration) { return duration % std::chrono::seconds(1) == Duration::zero(); }

// Reads a duration that `is_allowed` accepts. `expected` says which ones these are.
void read_duration_if(const Value& value, const std::function<bool(Duration)>& is_allowed,
                      std::string_view expected, Duration& out) {
  if (number_of(value)) return value.expected("a unit after the number: ms, s, m or h");
  const std::optional<Duration> duration = value.is_scalar() ? parse_duration(value.text()) : std::nullopt;
  if (!duration || !is_allowed(*duration)) return value.expected(expected);
  out = *duration;
}

}  // namespace

void read_realm(const Value& value, std::string& out) {
  const std::optional<std::size_t> length = value.is_scalar() ? count_characters(value.text()) : std::nullopt;
  if (!length || *length == 0 || *length > kMaxRealm) {
    return value.expected("a text of 1 to 127 characters, without control characters");
  }
  out = value.text();
}

void read_workers(const Value& value, unsigned& out) {
  if (value.is_scalar() && value.text() == "auto") {
    out = 0;
    return;
  }
  const std::optional<std::uint32_t> number = number_of(value);
  if (!number || *number == 0 || *number > kMaxWorkers)
    return value.expected("auto or a number from 1 to 1024");
  out = *number;
}

void read_count(const Value& value, std::uint32_t& out) {
  const std::optional<std::uint32_t> number = number_of(value);
  if (!number) return value.expected("a whole number from 0 (no limit) to 4294967295");
  out = *number;
}

void read_duration(const Value& value, Duration shortest, Duration longest, Duration& out) {
  const auto is_allowed = [&](Duration duration) { return duration >= shortest && duration <= longest; };
  read_duration_if(value, is_allowed,
                   "a duration from " + std::to_string(shortest.count()) + "ms to " +
                       std::to_string(longest.count() / 1000) + "s, such as 500ms, 45s or 2m",
                   out);
}

void read_batching_delay(const Value& value, std::chrono::microseconds& out) {
  constexpr std::chrono::microseconds kMax = std::chrono::milliseconds(1);
  const std::string_view text = value.is_scalar() ? std::string_view(value.text()) : std::string_view();
  const auto number = [&](std::string_view unit) {
    return text.ends_with(unit) ? parse_number(text.substr(0, text.size() - unit.size())) : std::nullopt;
  };
  std::optional<std::chrono::microseconds> delay;
  if (text == "0") {
    delay.emplace(0);
  } else if (const auto micro = number("us")) {
    delay.emplace(*micro);
  } else if (const auto milli = number("ms"); milli && *milli <= kMax / std::chrono::milliseconds(1)) {
    delay.emplace(std::chrono::milliseconds(*milli));
  }
  if (!delay || *delay > kMax) return value.expected("0 for none, or a duration up to 1ms, such as 100us");
  out = *delay;
}

void read_size(const Value& value, std::uint32_t smallest, std::uint32_t largest, std::uint32_t& out) {
  const std::optional<std::uint32_t> size = value.is_plain() ? parse_size(value.text()) : std::nullopt;
  if (!size || *size < smallest || *size > largest) {
    return value.expected("a size from " + std::to_string(smallest >> 10) + "KiB to " +
                          std::to_string(largest >> 20) + "MiB, such as 256KiB or 1MiB");
  }
  out = *size;
}

void read_rate(const Value& value, std::uint32_t& out) {
  const std::optional<std::uint32_t> rate = value.is_plain() ? parse_size(value.text()) : std::nullopt;
  if (!rate) return value.expected("octets in a second, such as 1250000, 512KiB or 4MiB, or 0 for no limit");
  out = *rate;
}

void read_default_family(const Value& value, turn::DefaultFamily& out) {
  constexpr std::array<std::pair<std::string_view, turn::DefaultFamily>, 3> kFamilies{
      {{"ipv4", turn::DefaultFamily::ipv4},
       {"ipv6", turn::DefaultFamily::ipv6},
       {"client", turn::DefaultFamily::client}}};
  read_choice(value, kFamilies, out);
}

// YAML has three ways to write each word. Templates of Ansible write True and False.
void read_flag(const Value& value, bool& out) {
  constexpr std::array<std::pair<std::string_view, bool>, 6> kWords{
      {{"true", true}, {"True", true}, {"TRUE", true}, {"false", false}, {"False", false}, {"FALSE", false}}};
  if (!value.is_plain()) return value.expected("true or false");
  const auto* const word = std::ranges::find(kWords, value.text(), &std::pair<std::string_view, bool>::first);
  if (word == kWords.end()) return value.expected("true or false");
  out = word->second;
}

void read_lifetime(const Value& value, std::chrono::seconds shortest, Duration& out) {
  const auto is_allowed = [&](Duration duration) {
    return is_whole_seconds(duration) && duration >= shortest && duration <= kMaxLifetime;
  };
  read_duration_if(value, is_allowed,
                   "a duration in whole seconds from " + std::to_string(shortest.count()) +
                       "s to 24h, such as 600s, 10m or 1h",
                   out);
}

void read_age(const Value& value, Duration& out) {
  constexpr Duration kMin = std::chrono::minutes(1);
  constexpr Duration kMax = std::chrono::hours(24 * 365);
  const auto is_allowed = [&](Duration age) {
    return is_whole_seconds(age) && (age == Duration::zero() || (age >= kMin && age <= kMax));
  };
  read_duration_if(value, is_allowed,
                   "0s for none, or a duration in whole seconds from 60s to 8760h, such as 12h", out);
}

void read_level(const Value& value, LogLevel& out) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels{{{"debug", LogLevel::debug},
                                                                          {"info", LogLevel::info},
                                                                          {"warning", LogLevel::warning},
                                                                          {"error", LogLevel::error}}};
  read_choice(value, kLevels, out);
}

void read_offload(const Value& value, Config& config) {
  if (value.is_null()) return;
  if (!value.is_map()) return value.expected("a map with mode and interfaces");
  const auto read_mode = [](const Value& mode) {
    if (!mode.is_scalar() || mode.text() != "off")
      mode.expected("off, since this build has no relay in the kernel");
  };
  bool has_interface = false;
  const auto read_name = [&](const Value& name) {
    if (!name.is_scalar() || name.text().empty()) return name.expected("the name of a network interface");
    has_interface = true;
  };
  read_map(value, {{"mode", read_mode}, {"interfaces", [&](const Value& names) {
                                           read_list(names, "a list of network interfaces", read_name);
                                         }}});
  if (has_interface)
    config.warnings.emplace_back("offload.interfaces: this key has no effect, because offload.mode is off");
}

void read_format(const Value& value, LogFormat& out) {
  constexpr std::array<std::pair<std::string_view, LogFormat>, 2> kFormats{
      {{"text", LogFormat::text}, {"json", LogFormat::json}}};
  read_choice(value, kFormats, out);
}

void read_shown_addresses(const Value& value, ShownAddresses& out) {
  constexpr std::array<std::pair<std::string_view, ShownAddresses>, 2> kShown{
      {{"full", ShownAddresses::full}, {"prefix", ShownAddresses::prefix}}};
  read_choice(value, kShown, out);
}

void read_access(const Value& value, std::optional<signaling::Access>& out) {
  constexpr std::array<std::pair<std::string_view, signaling::Access>, 2> kAccess{
      {{"open", signaling::Access::open}, {"token", signaling::Access::token}}};
  read_choice(value, kAccess, out);
}

void read_preset(const Value& value, signaling::Preset& out) {
  constexpr std::array<std::pair<std::string_view, signaling::Preset>, 3> kPresets{
      {{"course", signaling::Preset::course},
       {"echo", signaling::Preset::echo},
       {"none", signaling::Preset::none}}};
  read_choice(value, kPresets, out);
}

}  // namespace turnpike::config
