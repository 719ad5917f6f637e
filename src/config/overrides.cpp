#include "config/overrides.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config/keys.hpp"
#include "config/text.hpp"
#include "config/value.hpp"
#include "config/yaml.hpp"

namespace turnpike::config {
namespace {

// Returns the name of an override for errors. The value is left out unless the key is known and the value is
// not secret, since the value of a mistyped path may be a secret.
std::string name_of(std::string_view path, std::string_view value) {
  if (is_private(path)) return "--set " + (is_known_path(path) ? shown(path) : "auth") + "=...";
  const bool is_shown = is_known_path(path) && !holds_private(path) && !is_pem_text(value);
  return "--set " + shown(path) + '=' + (is_shown ? shown(value) : "...");
}

// Returns the value of `key` in a map, and adds it when it is absent.
YamlNode& find_or_add_member(YamlNode& map, const std::string& key, const std::string& where) {
  const auto entry = std::ranges::find_if(map.entries, [&](const YamlEntry& e) { return e.key.text == key; });
  if (entry != map.entries.end()) return entry->value;
  YamlNode key_node;
  key_node.kind = YamlNode::Kind::scalar;
  key_node.where = where;
  key_node.text = key;
  YamlNode value_node;
  value_node.where = where;
  map.entries.push_back({std::move(key_node), std::move(value_node)});
  return map.entries.back().value;
}

// Returns the node at a key path, and adds missing maps on the path. Returns null when another kind of node
// is in the way.
YamlNode* find_or_add_path(YamlNode& root, const std::vector<std::string>& names, const std::string& where,
                           Errors& errors) {
  YamlNode* node = &root;
  std::string path;
  for (const std::string& name : names) {
    if (node->kind == YamlNode::Kind::null) node->kind = YamlNode::Kind::map;
    if (node->kind != YamlNode::Kind::map) {
      YamlNode obstacle = *node;
      obstacle.where = where;
      Value(obstacle, path, errors).expected("a map to set a key in");
      return nullptr;
    }
    node = &find_or_add_member(*node, name, where);
    path = join(path, shown(name));
  }
  return node;
}

}  // namespace

void apply_override(std::string_view override_text, YamlNode& root, Errors& errors) {
  const std::size_t equals = override_text.find('=');
  if (equals == std::string_view::npos) {
    errors.push_back({"--set", "", "expected key.path=value (got no =)"});
    return;
  }
  const std::string_view path = override_text.substr(0, equals);
  const std::string_view value_text = override_text.substr(equals + 1);
  std::string where = name_of(path, value_text);
  const std::vector<std::string> names = split_path(path);
  if (std::ranges::any_of(names, &std::string::empty)) {
    errors.push_back({where, "", "expected key.path=value (got an empty name in the path)"});
    return;
  }
  Result<YamlNode, Error> value = parse_yaml(value_text, [&](int) { return where; });
  if (!value) {
    errors.push_back(value.error());
    return;
  }
  if (YamlNode* target = find_or_add_path(root, names, where, errors)) *target = std::move(*value);
}

}  // namespace turnpike::config
