// The argument of a reader: one node of the document, its key path, and the list for errors. It refers to a
// YamlNode and an Errors, which must outlive it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/error.hpp"
#include "config/node.hpp"

namespace turnpike::config {

// Joins "relay" and "ports" to "relay.ports". An empty parent means the whole document.
std::string join(std::string_view parent, std::string_view key);

// Whether a path is in `auth`, or has secrets of tokens or of a cluster. Errors then give the place of a
// value but never the value.
bool is_private(std::string_view path);
// The same for a path that such values can be below.
bool holds_private(std::string_view path);
// Whether a text is the contents of a PEM file, perhaps a private key, although the name of a file is
// expected.
bool is_pem_text(std::string_view text);

class Value {
 public:
  Value(const YamlNode& node, std::string path, Errors& errors)
      : node_(&node), path_(std::move(path)), errors_(&errors) {}

  const std::string& path() const { return path_; }
  const std::string& where() const { return node_->where; }
  const std::string& text() const { return node_->text; }

  bool is_null() const { return node_->kind == YamlNode::Kind::null; }
  bool is_scalar() const { return node_->kind == YamlNode::Kind::scalar; }
  // A scalar without quotes, which YAML may read as another type than text.
  bool is_plain() const { return is_scalar() && !node_->quoted; }
  bool is_list() const { return node_->kind == YamlNode::Kind::list; }
  bool is_map() const { return node_->kind == YamlNode::Kind::map; }

  std::vector<Value> items() const;
  // The entries of a map, each key once. Keys that are not scalars or occur twice are reported and left out.
  std::vector<std::pair<std::string_view, Value>> entries() const;

  // Reports "expected WHAT (got ...)".
  void expected(std::string_view what) const { problem("expected " + with_got(what)); }
  void problem(std::string text) const;
  // Reports an error at the place of `member`, but with this path. Below auth, an unknown key may be a
  // misplaced secret, so its name is not shown. See Error::left_out.
  void problem_with(const Value& member, std::string text, std::string left_out = {}) const;
  // "WHAT (got ...)"
  std::string with_got(std::string_view what) const;

 private:
  std::string got() const;

  const YamlNode* node_;
  std::string path_;
  Errors* errors_;
};

// Reports an entry of `map` whose key is not in `known`.
void report_unknown(const Value& map, std::string_view key, const Value& entry,
                    const std::vector<std::string>& known);

}  // namespace turnpike::config
