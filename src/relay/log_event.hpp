// One event as a line of the log: words for people, and behind them the same as fields for machines. With
// log.format: json the fields become members of the line's object.
#pragma once

#include <spdlog/common.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike::relay {

// A stranger's text for a log line, in quotes: printable characters as they are, anything else as an escape,
// and `...` behind the quotes where there is more of it than 64 characters.
std::string quoted(std::string_view text);

class LogEvent {
 public:
  // Stands between the words and the members of a JSON object, each of which begins with a comma. It is no
  // printable character, so no text of a stranger has it.
  static constexpr char kSeparator = '\x1f';

  // `event` is the value of the field of that name.
  LogEvent(std::string_view event, std::string_view words);

  // "name=value" among the words, and a field. The value is no stranger's text.
  LogEvent& add(std::string_view name, std::string_view value);
  LogEvent& add(std::string_view name, std::uint64_t value);
  // The same for a stranger's text.
  LogEvent& add_quoted(std::string_view name, std::string_view text);
  // One of the two alone.
  LogEvent& say(std::string_view words);
  LogEvent& field(std::string_view name, std::string_view value);
  LogEvent& field(std::string_view name, std::uint64_t value);

  void write(spdlog::level::level_enum level) const;

 private:
  std::string words_;
  std::string members_;
};

}  // namespace turnpike::relay
