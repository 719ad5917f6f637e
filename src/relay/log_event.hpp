// One line of the log about an event: words for people, followed by the same data as fields for machines.
// With log.format: json the fields become members of the line's object.
#pragma once

#include <spdlog/common.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike::relay {

// Writes a stranger's text in quotes for a log line. Characters that are not printable become escapes; after
// 64 characters it ends with `...` behind the quotes.
std::string quoted(std::string_view text);

class LogEvent {
 public:
  // Separates the words from the members of a JSON object, each of which begins with a comma. The character
  // is not printable, so no text of a stranger contains it.
  static constexpr char kSeparator = '\x1f';

  // `event` is the value of the field of that name.
  LogEvent(std::string_view event, std::string_view words);

  // Adds "name=value" to the words, and a field. Use add_quoted() when a stranger has chosen the value.
  LogEvent& add(std::string_view name, std::string_view value);
  LogEvent& add(std::string_view name, std::uint64_t value);
  // The same for a stranger's text.
  LogEvent& add_quoted(std::string_view name, std::string_view text);
  // Adds only words, or only a field.
  LogEvent& say(std::string_view words);
  LogEvent& field(std::string_view name, std::string_view value);
  LogEvent& field(std::string_view name, std::uint64_t value);

  const std::string& words() const { return words_; }
  // Each begins with a comma.
  const std::string& members() const { return members_; }

  void write(spdlog::level::level_enum level) const;

 private:
  std::string words_;
  std::string members_;
};

}  // namespace turnpike::relay
