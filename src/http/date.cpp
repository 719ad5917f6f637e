#include "http/date.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace turnpike::http {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

const std::string& Date::at(std::time_t now) {
  if (now == written_) return text_;
  written_ = now;
  std::tm time{};
  gmtime_r(&now, &time);
  text_ =
      fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<std::size_t>(time.tm_wday)),
                  time.tm_mday, kMonths.at(static_cast<std::size_t>(time.tm_mon)), time.tm_year + 1900,
                  time.tm_hour, time.tm_min, time.tm_sec);
  return text_;
}

}  // namespace turnpike::http
