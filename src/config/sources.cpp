#include "config/sources.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "config/text.hpp"
#include "config/value.hpp"
#include "net/regular_file.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxSecret = 64 << 10;  // octets; more than any key has

YamlNode* find(YamlNode* node, std::string_view name) {
  if (!node || node->kind != YamlNode::Kind::map) return nullptr;
  const auto entry =
      std::ranges::find_if(node->entries, [&](const YamlEntry& e) { return e.key.text == name; });
  return entry == node->entries.end() ? nullptr : &entry->value;
}

class Sources {
 public:
  explicit Sources(Errors& errors) : errors_(errors) {}

  // Replaces a source by its contents. `node` may be null; a node that is not a source stays unchanged.
  void replace(YamlNode* node, const std::string& path) {
    if (node && node->kind == YamlNode::Kind::scalar) secrets_.in_document = true;
    replace_public(node, path);
  }

  // Does the same for a value that is not a secret by itself.
  void replace_public(YamlNode* node, const std::string& path) {
    if (!node || node->kind != YamlNode::Kind::map || node->entries.size() != 1) return;
    const std::string kind = node->entries.front().key.text;
    const YamlNode& source = node->entries.front().value;
    if ((kind != "file" && kind != "env") || source.kind != YamlNode::Kind::scalar) return;
    std::string text;
    if (auto problem = kind == "file" ? read_file(source.text, text) : read_variable(source.text, text)) {
      errors_.push_back({node->where, path, std::move(*problem)});
      node->reported = true;
      return;
    }
    node->kind = YamlNode::Kind::scalar;
    node->quoted = true;
    node->text = std::move(text);
    node->entries.clear();
  }

  void replace_each(YamlNode* list, const std::string& path) {
    if (!list || list->kind != YamlNode::Kind::list) return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      replace(&list->items[i], path + '[' + std::to_string(i) + ']');
    }
  }

  Secrets take() { return std::move(secrets_); }

 private:
  // Each function returns the problem, or nothing when there is none.
  std::optional<std::string> read_file(std::string path, std::string& out) {
    if (auto problem = expand_credentials(path)) return problem;
    const std::string name = "file " + shown(path);
    Result<std::string, net::FileProblem> text = net::read_regular_file(path, kMaxSecret);
    if (!text) return name + ' ' + text.error().text;
    if (text->ends_with('\n')) text->pop_back();
    if (text->ends_with('\r')) text->pop_back();
    if (text->empty()) return name + " is empty";
    out = std::move(*text);
    secrets_.files.push_back(path);
    return std::nullopt;
  }
  static std::optional<std::string> read_variable(const std::string& name, std::string& out) {
    if (auto problem = find_variable_problem(name)) return problem;
    out = getenv(name.c_str());
    return std::nullopt;
  }

  Errors& errors_;
  Secrets secrets_;
};

}  // namespace

std::optional<std::string> expand_credentials(std::string& path) {
  constexpr std::string_view kFolder = "$CREDENTIALS_DIRECTORY";
  if (path != kFolder && !path.starts_with(std::string(kFolder) + '/')) return std::nullopt;
  const char* const folder = getenv("CREDENTIALS_DIRECTORY");
  if (!folder || *folder == '\0')
    return "environment variable CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit with "
           "LoadCredential=";
  path.replace(0, kFolder.size(), folder);
  return std::nullopt;
}

std::optional<std::string> find_variable_problem(const std::string& name) {
  const char* const value = getenv(name.c_str());
  if (value && *value != '\0') return std::nullopt;
  return "environment variable " + shown(name) + (value ? " is empty" : " is not set");
}

Secrets replace_sources(YamlNode& document, Errors& errors) {
  Sources sources(errors);
  YamlNode* const auth = find(&document, "auth");
  if (YamlNode* const users = find(auth, "users"); users && users->kind == YamlNode::Kind::map) {
    for (YamlEntry& user : users->entries) {
      const std::string path = join("auth.users", shown(user.key.text));
      sources.replace(&user.value, path);
      for (const char* key : {"key_md5", "key_sha256"})
        sources.replace(find(&user.value, key), join(path, key));
    }
  }
  sources.replace_each(find(auth, "secrets"), "auth.secrets");
  if (YamlNode* const keys = find(find(auth, "third_party"), "keys");
      keys && keys->kind == YamlNode::Kind::list) {
    for (std::size_t i = 0; i < keys->items.size(); ++i) {
      sources.replace(find(&keys->items[i], "key"), "auth.third_party.keys[" + std::to_string(i) + "].key");
    }
  }
  for (const std::string section : {"signaling", "admin"}) {
    sources.replace_each(find(find(&document, section), "token_secrets"), section + ".token_secrets");
  }
  YamlNode* const cluster = find(&document, "cluster");
  YamlNode* const secret = find(cluster, "secret");  // one, or a list
  sources.replace(secret, "cluster.secret");
  sources.replace_each(secret, "cluster.secret");
  YamlNode* const redis = find(cluster, "redis");  // a URL, or a map with one
  sources.replace_public(redis, "cluster.redis");
  for (const char* key : {"url", "user"})
    sources.replace_public(find(redis, key), join("cluster.redis", key));
  sources.replace(find(redis, "password"), "cluster.redis.password");
  return sources.take();
}

}  // namespace turnpike::config
