#include "http/date.hpp"

namespace turnpike::http {

// The names are English, since nobody here calls setlocale().
const std::string& Date::at(std::time_t now) {
  if (now == written_) return text_;
  written_ = now;
  std::tm time{};
  gmtime_r(&now, &time);
  char text[64];
  text_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &time));
  return text_;
}

}  // namespace turnpike::http
