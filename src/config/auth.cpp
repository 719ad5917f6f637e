#include <filesystem>
#include <optional>
#include <system_error>

#include "config/fields.hpp"
#include "config/read.hpp"
#include "config/text.hpp"
#include "turnpike/base/hex.hpp"

namespace turnpike::config {
namespace {

// The length of secrets in characters. An attacker with one user name and its password can test secrets as
// fast as a machine can hash.
constexpr std::size_t kMinSecret = 8;
constexpr std::size_t kMinGoodSecret = 16;

bool is_clean_text(std::string_view text) { return count_characters(text).value_or(0) > 0; }

template <std::size_t Size>
void read_stored_key(const Value& value, std::optional<std::array<std::uint8_t, Size>>& out) {
  std::array<std::uint8_t, Size> key;
  if (!value.is_scalar() || !parse_hex(value.text(), key)) {
    return value.expected(std::to_string(2 * Size) + " hex digits");
  }
  out = key;
}

void read_stored_keys(const Value& map, auth::UserParams& user) {
  read_map(map, {{"key_md5", [&](const Value& value) { read_stored_key(value, user.key_md5); }},
                 {"key_sha256", [&](const Value& value) { read_stored_key(value, user.key_sha256); }}});
  if (map.entries().empty()) map.expected("key_md5, key_sha256 or both");
}

auth::UserParams read_user(std::string_view name, const Value& value) {
  auth::UserParams user;
  user.name = name;
  if (value.is_map()) {
    read_stored_keys(value, user);
  } else if (value.is_scalar() && is_clean_text(value.text())) {
    user.password = value.text();
  } else {
    value.expected("a password without control characters, or a map with key_md5, key_sha256 or both");
  }
  return user;
}

}  // namespace

void read_users(const Value& value, std::vector<auth::UserParams>& out) {
  if (!value.is_map()) return value.expected("a map from user names to passwords");
  // Secrets may be written like this. Here it would mean a user of the name `file` or `env`.
  const auto users = value.entries();
  const bool is_reference = users.size() == 1 && users.front().second.is_scalar() &&
                            (users.front().first == "file" || users.front().first == "env");
  if (is_reference) {
    return value.expected(
        "NAME: PASSWORD or NAME: {file: PATH}, since a list of users is not read from elsewhere");
  }
  for (const auto& [name, entry] : users) {
    if (entry.is_null()) {  // the name may contain the password, as in "alice:secret", so it is not shown
      value.problem_with(entry, "expected NAME: PASSWORD, with a space after the colon (got no password)");
    } else if (!is_clean_text(name) || name.size() > auth::kMaxUserName) {
      value.problem_with(entry, "expected a user name of 1 to 508 bytes of UTF-8 without control characters");
    } else {
      out.push_back(read_user(name, entry));
    }
  }
}

void read_secrets(const Value& value, std::vector<std::string>& out) {
  read_list(value, "a list of secrets", [&](const Value& item) {
    if (item.is_scalar() && count_characters(item.text()).value_or(0) >= kMinSecret) {
      out.push_back(item.text());
    } else {
      expected_secret(item,
                      "a secret of at least 8 characters, better 16 or more, without control characters");
    }
  });
}

void read_database(const Value& value, std::string& out) {
  constexpr std::string_view kScheme = "sqlite:";
  const std::string path =
      value.is_scalar() && value.text().starts_with(kScheme) ? value.text().substr(kScheme.size()) : "";
  std::error_code ignored;
  const bool can_be = path.starts_with('/') && !path.ends_with('/') && is_clean_text(path) &&
                      std::filesystem::is_directory(std::filesystem::path(path).parent_path(), ignored);
  if (!can_be) return value.expected("sqlite: and an absolute path, in an existing folder");
  out = path;
}

void warn_of_short_secrets(const Value& value, std::vector<std::string>& warnings) {
  for (const Value& item : value.items()) {
    if (count_characters(item.text()).value_or(0) >= kMinGoodSecret) continue;
    warnings.push_back(item.where() + ": " + item.path() +
                       ": this secret has fewer than 16 characters, so it can be guessed");
  }
}

}  // namespace turnpike::config
