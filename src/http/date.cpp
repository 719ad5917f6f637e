#include "http/date.hpp"

namespace turnpike::http {

// The names are English, since this program never calls setlocale().
std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  const std::string terminated(text);
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* end = strptime(terminated.c_str(), form, &parts);
    if (end == terminated.c_str() + text.size() && end != terminated.c_str()) return timegm(&parts);
  }
  return std::nullopt;
}

const std::string& Date::at(std::time_t now) {
  if (now == written_) return text_;
  written_ = now;
  text_ = http_date(now);
  return text_;
}

}  // namespace turnpike::http
