#include <algorithm>
#include <boost/url/parse.hpp>
#include <charconv>
#include <optional>
#include <system_error>

#include "config/fields.hpp"
#include "config/read.hpp"
#include "config/text.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::config {
namespace {

constexpr std::string_view kRedisUrlForm =
    "redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE for a connection with TLS, or unix:/PATH, such "
    "as redis://127.0.0.1:6379/0";
constexpr std::size_t kMinClusterSecret = 16;  // characters
constexpr std::size_t kMaxPrefix = 64;
constexpr std::uint32_t kMaxDatabase = 65535;

bool is_path(std::string_view path) { return path.size() > 1 && path.front() == '/'; }

// Nothing is taken of a URL that is wrong, since it may hold a password.
bool read_redis_url(const Value& value, cluster::RedisAddress& out) {
  if (!value.is_scalar()) return false;
  const std::string_view text = value.text();
  if (text.starts_with(kUnix)) {
    out.unix_socket = text.substr(kUnix.size());
    return is_path(out.unix_socket);
  }
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->has_query() || url->has_fragment() || url->encoded_host().empty()) return false;
  const std::string scheme = url->scheme();
  if (scheme != "redis" && scheme != "rediss") return false;
  out.tls = scheme == "rediss";
  out.host =
      url->host_type() == boost::urls::host_type::ipv6 ? std::string(url->host_address()) : url->host();
  out.user = url->user();
  out.password = url->password();
  if (url->has_port()) {
    // Not port_number(), which is only the lower 16 bits of a number that is too large.
    const auto digits = url->port();
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (parsed.ec != std::errc{} || out.port == 0) return false;
  }
  const std::string path = url->path();
  if (path.empty() || path == "/") return true;
  const std::optional<std::uint32_t> database = parse_number(std::string_view(path).substr(1));
  if (!database || *database > kMaxDatabase) return false;
  out.database = *database;
  return true;
}

void read_text(const Value& value, std::string& out) {
  if (!value.is_scalar() || count_characters(value.text()).value_or(0) == 0) {
    return value.expected("a text without control characters");
  }
  out = value.text();
}

}  // namespace

void read_redis(const Value& value, cluster::RedisAddress& out) {
  cluster::RedisAddress address;
  std::string user;
  std::string password;
  bool has_url = !value.is_map();
  if (value.is_map()) {
    read_map(value, {{"url",
                      [&](const Value& entry) {
                        has_url = true;
                        if (!read_redis_url(entry, address)) entry.expected(kRedisUrlForm);
                      }},
                     {"user", [&](const Value& entry) { read_text(entry, user); }},
                     {"password", [&](const Value& entry) { read_text(entry, password); }}});
    if (!has_url) value.expected("a url");
  } else if (!read_redis_url(value, address)) {
    value.expected(kRedisUrlForm);
  }
  if (!user.empty()) address.user = user;
  if (!password.empty()) address.password = password;
  out = address;
}

void read_cluster_secrets(const Value& value, std::vector<std::string>& out) {
  for (const Value& item : one_or_more(value)) {
    const bool is_secret = item.is_scalar() && count_characters(item.text()).value_or(0) >= kMinClusterSecret;
    if (is_secret) {
      out.push_back(item.text());
    } else {
      expected_secret(item,
                      "a secret of at least 16 characters without control characters, or a list of such");
    }
  }
}

void read_prefix(const Value& value, std::string& out) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  };
  if (!value.is_scalar() || value.text().empty() || value.text().size() > kMaxPrefix ||
      !std::ranges::all_of(value.text(), is_allowed)) {
    return value.expected("at most 64 letters, digits and -_.:");
  }
  out = value.text();
}

void check_cluster(const Value& section, const Config& config) {
  const cluster::Params& cluster = config.cluster;
  const bool has_redis = !cluster.redis.host.empty() || !cluster.redis.unix_socket.empty();
  const int present = int{has_redis} + int{!cluster.secrets.empty()} + int{!cluster.node.empty()};
  if (present != 0 && present != 3)
    section.problem("needs redis, secret and node: expected all three, or none");
}

}  // namespace turnpike::config
