// Tables for people. Columns are as wide as necessary, and numbers are aligned to the right.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace turnpike::turnpikectl {

inline constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();

class Table {
 public:
  struct Column {
    std::string title;
    bool is_number = false;
    // When the table must fit, columns with the highest number are left out first. A column with 0 always
    // stays.
    unsigned spare = 0;
    // The column is never wider than `widest`. When there is no room, it becomes as narrow as `narrowest`.
    // Longer cells are cut.
    std::size_t widest = kNoBound;
    std::size_t narrowest = kNoBound;
    // The column is never narrower than this, so that changing numbers do not move the columns beside them.
    std::size_t at_least = 0;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Adds a row with one cell for each column. Lines have printable() forms of cells.
  void add(std::vector<std::string> cells);

  // Returns the titles and the rows, at most `room` columns wide. They are wider only when every column that
  // may be left out is left out.
  std::vector<std::string> lines(std::size_t room = kNoBound) const;

 private:
  std::vector<std::size_t> natural_widths() const;
  // The width is 0 for a column that is left out.
  std::vector<std::size_t> fitted(const std::vector<std::size_t>& natural, std::size_t room) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Short forms for people: "1.2 MB", "850 kbit/s", "1h 5m".
std::string readable_bytes(std::uint64_t bytes);
std::string readable_rate(double bytes_per_second);
std::string readable_duration(std::int64_t seconds);

}  // namespace turnpike::turnpikectl
