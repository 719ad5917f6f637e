// What a reader is handed: one node of the document, the key path it stands at, and the list its complaints
// go to. Refers to a YamlNode and an Errors that must outlive it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/error.hpp"
#include "config/node.hpp"

namespace turnpike::config {

// "relay" and "ports" give "relay.ports"; an empty parent stands for the whole document.
std::string join(std::string_view parent, std::string_view key);

// Everything from `auth` downward, secrets for tokens, and those of a cluster: errors say where it stands but
// never what it is.
bool is_private(std::string_view path);

class Value {
 public:
  Value(const YamlNode& node, std::string path, Errors& errors)
      : node_(&node), path_(std::move(path)), errors_(&errors) {}

  const std::string& path() const { return path_; }
  const std::string& where() const { return node_->where; }
  const std::string& text() const { return node_->text; }

  bool is_null() const { return node_->kind == YamlNode::Kind::null; }
  bool is_scalar() const { return node_->kind == YamlNode::Kind::scalar; }
  // A scalar that YAML takes for more than a text: not in quotes.
  bool is_plain() const { return is_scalar() && !node_->quoted; }
  bool is_list() const { return node_->kind == YamlNode::Kind::list; }
  bool is_map() const { return node_->kind == YamlNode::Kind::map; }

  std::vector<Value> items() const;
  // The entries of a map, each key once; keys that are no scalars or stand there twice are reported and left
  // out.
  std::vector<std::pair<std::string_view, Value>> entries() const;

  // Reports "expected WHAT (got ...)".
  void expected(std::string_view what) const { problem("expected " + with_got(what)); }
  void problem(std::string text) const { errors_->push_back({where(), path_, std::move(text)}); }
  // Reports a member at its own place in the text but under this path: below auth, a key that is not known to
  // be one may be a misplaced secret.
  void problem_with(const Value& member, std::string text) const;
  // "WHAT (got ...)"
  std::string with_got(std::string_view what) const;

 private:
  std::string got() const;

  const YamlNode* node_;
  std::string path_;
  Errors* errors_;
};

// Reports an entry of `map` whose key is none of `known`.
void report_unknown(const Value& map, std::string_view key, const Value& entry,
                    const std::vector<std::string>& known);

}  // namespace turnpike::config
