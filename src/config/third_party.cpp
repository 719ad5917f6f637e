#include <algorithm>
#include <array>
#include <optional>

#include "config/fields.hpp"
#include "config/read.hpp"
#include "config/text.hpp"
#include "turnpike/auth/access_token.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxServerName = 255;
constexpr std::size_t kMaxKid = 128;
constexpr Duration kMinKeyLifetime = std::chrono::minutes(1);
constexpr Duration kMaxKeyLifetime = std::chrono::hours(24 * 3660);

bool is_name(const Value& value, std::size_t longest) {
  return value.is_scalar() && !value.text().empty() && value.text().size() <= longest &&
         count_characters(value.text()).has_value();
}

void read_server_name(const Value& value, std::string& out) {
  if (!is_name(value, kMaxServerName)) {
    return value.expected(
        "the name that the authorization server knows this one by, such as turn.example.org");
  }
  out = value.text();
}

void read_kid(const Value& value, std::string& out) {
  if (!is_name(value, kMaxKid)) {
    return value.expected("a name of 1 to 128 bytes of UTF-8 without control characters");
  }
  out = value.text();
}

void read_token_key(const Value& value, std::vector<std::uint8_t>& out) {
  auto key = value.is_scalar() ? auth::decode_token_key(value.text()) : std::nullopt;
  if (!key || key->empty()) return value.expected("a key in base64");
  out = std::move(*key);
}

void read_algorithm(const Value& value, auth::TokenAlgorithm& out) {
  constexpr std::array<std::pair<std::string_view, auth::TokenAlgorithm>, 2> kAlgorithms{
      {{"A256GCM", auth::TokenAlgorithm::a256gcm}, {"A128GCM", auth::TokenAlgorithm::a128gcm}}};
  read_choice(value, kAlgorithms, out);
}

void read_valid_from(const Value& value, std::optional<WallTime>& out) {
  const auto seconds = value.is_plain() ? parse_number(value.text()) : std::nullopt;
  if (!seconds) return value.expected("a time in seconds since 1970, such as 1790000000");
  out = WallTime(std::chrono::seconds(*seconds));
}

// Checks that all necessary members of a key are there and agree.
void check_key(const Value& map, const auth::TokenKeyParams& key, const std::optional<Duration>& lifetime) {
  const std::size_t size = auth::key_size(key.algorithm);
  if (!has_key(map, "kid") || !has_key(map, "key")) {
    map.expected("kid and key");
  } else if (!key.key.empty() && key.key.size() < size) {
    map.problem("expected a key of at least " + std::to_string(size) + " bytes before base64");
  } else if (lifetime && !key.valid_from) {
    map.problem("expected valid_from beside lifetime");
  }
}

auth::TokenKeyParams read_token_key_map(const Value& map) {
  auth::TokenKeyParams key;
  std::optional<Duration> lifetime;
  read_map(map, {{"kid", [&](const Value& value) { read_kid(value, key.kid); }},
                 {"key", [&](const Value& value) { read_token_key(value, key.key); }},
                 {"algorithm", [&](const Value& value) { read_algorithm(value, key.algorithm); }},
                 {"valid_from", [&](const Value& value) { read_valid_from(value, key.valid_from); }},
                 {"lifetime", [&](const Value& value) {
                    read_duration(value, kMinKeyLifetime, kMaxKeyLifetime, lifetime.emplace());
                  }}});
  check_key(map, key, lifetime);
  if (key.valid_from && lifetime) key.valid_until = *key.valid_from + *lifetime;
  return key;
}

void read_token_keys(const Value& value, std::vector<auth::TokenKeyParams>& out) {
  read_list(value, "a list of keys", [&](const Value& item) {
    if (!item.is_map()) return item.expected("a map with kid and key");
    auth::TokenKeyParams key = read_token_key_map(item);
    const bool is_new = std::ranges::find(out, key.kid, &auth::TokenKeyParams::kid) == out.end();
    if (!is_new && !key.kid.empty()) item.problem("expected each kid once");
    out.push_back(std::move(key));
  });
}

}  // namespace

void read_third_party(const Value& value, auth::ThirdPartyParams& out) {
  if (!value.is_map()) return value.expected("a map with server_name and keys");
  bool has_keys = false;
  bool has_name = false;
  read_map(value, {{"server_name",
                    [&](const Value& entry) {
                      has_name = true;
                      read_server_name(entry, out.server_name);
                    }},
                   {"keys", [&](const Value& entry) {
                      has_keys = true;
                      read_token_keys(entry, out.keys);
                    }}});
  if (has_keys != has_name) value.problem("expected server_name and keys, both or neither");
}

}  // namespace turnpike::config
