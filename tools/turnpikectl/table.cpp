#include "turnpikectl/table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "turnpike/base/printable.hpp"

namespace turnpike::turnpikectl {
namespace {

constexpr std::string_view kGap = "  ";

std::string scaled(double value, double step, const std::array<const char*, 5>& units) {
  std::size_t unit = 0;
  while (value >= step && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  std::ranges::transform(cells, cells.begin(), [](const std::string& cell) { return printable(cell); });
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::natural_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    std::size_t width = std::max(column.at_least, columns_of(column.title));
    for (const auto& row : rows_) width = std::max(width, columns_of(row[i]));
    widths.push_back(std::min(width, column.widest));
  }
  return widths;
}

std::vector<std::size_t> Table::fitted(const std::vector<std::size_t>& natural, std::size_t room) const {
  std::vector<std::size_t> widths;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(std::min(natural[i], columns_[i].narrowest));
    taken += widths[i] + (i == 0 ? 0 : kGap.size());
  }
  while (taken > room) {
    unsigned most = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      most = std::max(most, widths[i] == 0 ? 0 : columns_[i].spare);
    if (most == 0) return widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].spare == most) taken -= std::exchange(widths[i], 0) + kGap.size();
    }
  }
  // The columns that were made narrow share the space that is left.
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (widths[i] == 0) continue;
    const std::size_t more = std::min(natural[i] - widths[i], room - taken);
    widths[i] += more;
    taken += more;
  }
  return widths;
}

std::vector<std::string> Table::lines(std::size_t room) const {
  const std::vector<std::size_t> widths = fitted(natural_widths(), room);
  std::vector<std::string> lines;
  const auto add_line = [&](auto&& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::string cell = shortened(cell_of(i), widths[i]);
      const std::string padding(widths[i] - columns_of(cell), ' ');
      line.append(line.empty() ? "" : kGap).append(columns_[i].is_number ? padding + cell : cell + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  };
  add_line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) add_line([&](std::size_t i) -> const std::string& { return row[i]; });
  return lines;
}

std::string readable_bytes(std::uint64_t bytes) {
  return scaled(static_cast<double>(bytes), 1000, {"B", "kB", "MB", "GB", "TB"});
}

std::string readable_rate(double bytes_per_second) {
  return scaled(bytes_per_second * 8, 1000, {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"});
}

std::string readable_duration(std::int64_t seconds) {
  const std::int64_t minutes = seconds / 60;
  const std::int64_t hours = minutes / 60;
  if (hours >= 48) return std::to_string(hours / 24) + "d " + std::to_string(hours % 24) + "h";
  if (hours > 0) return std::to_string(hours) + "h " + std::to_string(minutes % 60) + "m";
  if (minutes > 0) return std::to_string(minutes) + "m " + std::to_string(seconds % 60) + "s";
  return std::to_string(seconds) + "s";
}

}  // namespace turnpike::turnpikectl
