#include "config/sources.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>

#include "config/text.hpp"
#include "turnpike/base/result.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxSecret = 64 << 10;  // octets; more than any key has, and a limit for devices

YamlNode* find(YamlNode* node, std::string_view name) {
  if (!node || node->kind != YamlNode::Kind::map) return nullptr;
  const auto entry =
      std::ranges::find_if(node->entries, [&](const YamlEntry& e) { return e.key.text == name; });
  return entry == node->entries.end() ? nullptr : &entry->value;
}

std::string expand(const std::string& path) {
  constexpr std::string_view kFolder = "$CREDENTIALS_DIRECTORY";
  if (!path.starts_with(kFolder)) return path;
  const char* const folder = getenv("CREDENTIALS_DIRECTORY");
  return folder ? folder + path.substr(kFolder.size()) : path;
}

struct Problem {
  std::string text;
};

// The contents of a source, or the problem with it.
Result<std::string, Problem> read_secret_file(const std::string& path) {
  const std::string name = "file " + shown(path);
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return Problem{name + " is no regular file"};
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  std::string text(kMaxSecret + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.eof() && (!stream || stream.bad()))
    return Problem{name + " cannot be read: " + std::generic_category().message(errno)};
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxSecret) return Problem{name + " is longer than 64 KiB"};
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return Problem{name + " is empty"};
  return {boost::system::in_place_value, std::move(text)};
}

Result<std::string, Problem> read_variable(const std::string& variable) {
  const char* const value = getenv(variable.c_str());
  if (!value) return Problem{"environment variable " + shown(variable) + " is not set"};
  if (*value == '\0') return Problem{"environment variable " + shown(variable) + " is empty"};
  return {boost::system::in_place_value, std::string(value)};
}

class Sources {
 public:
  explicit Sources(Errors& errors) : errors_(errors) {}

  // Replaces a source by its contents. `node` may be null; a node that is not a source stays unchanged.
  void replace(YamlNode* node, const std::string& path) {
    if (!node || node->kind != YamlNode::Kind::map || node->entries.size() != 1) return;
    const std::string kind = node->entries.front().key.text;
    const YamlNode& source = node->entries.front().value;
    if ((kind != "file" && kind != "env") || source.kind != YamlNode::Kind::scalar) return;
    const bool is_file = kind == "file";
    const std::string name = is_file ? expand(source.text) : source.text;
    Result<std::string, Problem> value = is_file ? read_secret_file(name) : read_variable(name);
    if (!value) {
      errors_.push_back({node->where, path, value.error().text});
      return;
    }
    if (is_file) files_.push_back(name);
    node->kind = YamlNode::Kind::scalar;
    node->quoted = true;
    node->text = std::move(*value);
    node->entries.clear();
  }

  void replace_each(YamlNode* list, const std::string& path) {
    if (!list || list->kind != YamlNode::Kind::list) return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      replace(&list->items[i], path + '[' + std::to_string(i) + ']');
    }
  }

  std::vector<std::string> take_files() { return std::move(files_); }

 private:
  Errors& errors_;
  std::vector<std::string> files_;
};

}  // namespace

std::vector<std::string> replace_sources(YamlNode& document, Errors& errors) {
  Sources sources(errors);
  YamlNode* const auth = find(&document, "auth");
  if (YamlNode* const users = find(auth, "users"); users && users->kind == YamlNode::Kind::map) {
    for (YamlEntry& user : users->entries) {
      sources.replace(&user.value, "auth.users");
      for (const char* key : {"key_md5", "key_sha256"}) sources.replace(find(&user.value, key), "auth.users");
    }
  }
  sources.replace_each(find(auth, "secrets"), "auth.secrets");
  if (YamlNode* const keys = find(find(auth, "third_party"), "keys");
      keys && keys->kind == YamlNode::Kind::list) {
    for (YamlNode& key : keys->items) sources.replace(find(&key, "key"), "auth.third_party.keys");
  }
  for (const std::string section : {"signaling", "admin"}) {
    sources.replace_each(find(find(&document, section), "token_secrets"), section + ".token_secrets");
  }
  YamlNode* const cluster = find(&document, "cluster");
  YamlNode* const secret = find(cluster, "secret");  // one, or a list
  sources.replace(secret, "cluster.secret");
  sources.replace_each(secret, "cluster.secret");
  YamlNode* const redis = find(cluster, "redis");  // a URL, or a map with one
  sources.replace(redis, "cluster.redis");
  for (const char* key : {"url", "user", "password"}) sources.replace(find(redis, key), "cluster.redis");
  return sources.take_files();
}

}  // namespace turnpike::config
