// The time as HTTP writes it (RFC 9110 §5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike::http {

// Formats a time as HTTP dates are written (RFC 9110 §5.6.7).
std::string http_date(std::time_t time);
// Reads a date in any of the three forms that the standard allows. Returns nothing for any other text.
std::optional<std::time_t> parse_http_date(std::string_view text);

// Formats the time only once in each second. Belongs to one thread.
class Date {
 public:
  const std::string& at(std::time_t now);
  const std::string& now() { return at(std::time(nullptr)); }

 private:
  std::time_t written_ = -1;
  std::string text_;
};

}  // namespace turnpike::http
