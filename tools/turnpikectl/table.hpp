// Tables for people. Columns are as wide as necessary, and numbers are aligned to the right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::turnpikectl {

class Table {
 public:
  struct Column {
    std::string title;
    bool is_number = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Adds a row with one cell for each column. Characters that cannot be printed become '?'.
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Short forms for people: "1.2 MB", "850 kbit/s", "1h 5m".
std::string readable_bytes(std::uint64_t bytes);
std::string readable_rate(double bytes_per_second);
std::string readable_duration(std::int64_t seconds);

}  // namespace turnpike::turnpikectl
