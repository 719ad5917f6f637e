#include "config/value.hpp"

#include <map>

#include "config/text.hpp"

namespace turnpike::config {

std::string to_string(const Error& error) {
  return (error.where.empty() ? "" : error.where + ": ") + (error.key.empty() ? "" : error.key + ": ") +
         error.problem;
}

std::string join(std::string_view parent, std::string_view key) {
  std::string path(parent);
  if (!path.empty()) path += '.';
  return path.append(key);
}

bool holds_private(std::string_view path) {
  return is_private(path) || path == "signaling" || path == "admin" || path == "cluster";
}

bool is_private(std::string_view path) {
  return path == "auth" || path.starts_with("auth.") || path.starts_with("signaling.token_secrets") ||
         path.starts_with("admin.token_secrets") || path.starts_with("cluster.secret") ||
         path.starts_with("cluster.redis");
}

bool is_pem_text(std::string_view text) { return text.find("-----BEGIN") != std::string_view::npos; }

std::vector<Value> Value::items() const {
  std::vector<Value> out;
  for (const YamlNode& item : node_->items) {
    out.emplace_back(item, path_ + '[' + std::to_string(out.size()) + ']', *errors_);
  }
  return out;
}

std::vector<std::pair<std::string_view, Value>> Value::entries() const {
  std::vector<std::pair<std::string_view, Value>> out;
  std::map<std::string_view, std::string_view> first_places;
  for (const auto& [key_node, value_node] : node_->entries) {
    const Value key(key_node, path_, *errors_);
    if (!key.is_scalar()) {
      key.expected("a name as a key");
      continue;
    }
    const Value value(value_node, join(path_, shown(key.text())), *errors_);
    const auto [first, is_new] = first_places.emplace(key.text(), key.where());
    if (is_new) {
      out.emplace_back(key.text(), value);
    } else {
      problem_with(value, "duplicate key, first set at " + std::string(first->second), value.path());
    }
  }
  return out;
}

void Value::problem(std::string text) const {
  if (!node_->reported) errors_->push_back({where(), path_, std::move(text)});
}

void Value::problem_with(const Value& member, std::string text, std::string left_out) const {
  if (node_->reported) return;
  errors_->push_back(
      {member.where(), is_private(path_) ? path_ : member.path_, std::move(text), std::move(left_out)});
}

std::string Value::with_got(std::string_view what) const {
  return std::string(what) + " (got " + got() + ')';
}

std::string Value::got() const {
  if (is_null()) return "nothing";
  if (is_list()) return "a list";
  if (is_map()) return "a map";
  if (path_.empty() || is_private(path_)) return "a text that is not shown here";
  return node_->quoted ? '"' + shown(text()) + '"' : shown(text());
}

void report_unknown(const Value& map, std::string_view key, const Value& entry,
                    const std::vector<std::string>& known) {
  const std::optional<std::string> meant = nearest(key, known);
  if (!meant) return map.problem_with(entry, "unknown key, expected one of " + listed(known));
  const std::string path = join(map.path(), *meant);
  map.problem_with(entry, "unknown key, did you mean " + path + "?", path);
}

}  // namespace turnpike::config
