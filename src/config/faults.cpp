#include "config/faults.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "config/text.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxErrors = 100;  // a file of another kind may have one on each line

// "listen[0].url" is within "listen[0]", "listen" and the document, which has no path.
bool is_within(std::string_view path, std::string_view outer) {
  if (outer.empty() || path == outer) return true;
  return path.starts_with(outer) && (path[outer.size()] == '.' || path[outer.size()] == '[');
}

bool is_about(std::string_view error_path, std::string_view path) {
  return is_within(path, error_path) || is_within(error_path, path);
}

bool leaves_out(const Error& error, std::string_view path) {
  return !error.left_out.empty() && is_about(error.left_out, path);
}

std::uint32_t line_of(const Error& error) {
  const std::size_t colon = error.where.rfind(':');
  if (colon == std::string::npos || error.where.starts_with("--set")) return 0;
  return parse_number(std::string_view(error.where).substr(colon + 1)).value_or(0);
}

}  // namespace

bool Doubts::is_sound(std::string_view path) const {
  return std::ranges::none_of(
      errors_, [&](const Error& error) { return is_about(error.key, path) || leaves_out(error, path); });
}

bool Doubts::has_known_presence(std::string_view path) const {
  return std::ranges::none_of(
      errors_, [&](const Error& error) { return error.key.empty() || leaves_out(error, path); });
}

void sort_by_line(Errors& errors) {
  std::ranges::stable_sort(errors, {}, line_of);
  std::set<std::string> seen;
  std::erase_if(errors, [&](const Error& error) { return !seen.insert(to_string(error)).second; });
}

void shorten(Errors& errors, const std::string& file) {
  if (errors.size() <= kMaxErrors) return;
  const std::size_t more = errors.size() - kMaxErrors;
  errors.resize(kMaxErrors);
  errors.push_back({file, "", "has " + std::to_string(more) + " more errors, which are not shown"});
}

Errors Attempts::errors() const {
  Errors sorted = errors_;
  sort_by_line(sorted);
  return sorted;
}

void Attempts::add(std::string fault) {
  std::string place = find_place(places_, fault);
  errors_.push_back({std::move(place), "", std::move(fault)});
}

}  // namespace turnpike::config
