#include "config/config.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "config/fields.hpp"
#include "config/keys.hpp"
#include "config/overrides.hpp"
#include "config/sources.hpp"
#include "config/yaml.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxFile = 64 << 20;  // octets; a hundred thousand users take a tenth of it

Result<std::string, Error> read_file(const std::string& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  char chunk[4096];
  while (stream.read(chunk, sizeof chunk) || stream.gcount() > 0) {
    text.append(chunk, static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kMaxFile) return Error{file, "", "is longer than 64 MiB"};
  }
  if (!stream.eof()) return Error{file, "", "cannot be read: " + std::generic_category().message(errno)};
  return {boost::system::in_place_value, std::move(text)};
}

Locate lines_of(const std::string& name) {
  return [&name](int line) { return line > 0 ? name + ':' + std::to_string(line) : name; };
}

bool names_any_key_of(const Value& document, std::string_view name) {
  for (const auto& [section, keys] : document.entries()) {
    if (section == name && keys.is_map() && !keys.entries().empty()) return true;
  }
  return false;
}

// These checks involve more than one key. Each key alone was checked before.
void check_together(const Value& document, Config& config) {
  for (const auto& [section, keys] : document.entries()) {
    if (section == "listen") check_listeners(keys, config);
    if (!keys.is_map()) continue;
    if (section == "tls") check_tls(keys);
    if (section == "admin") check_admin(keys, config);
    if (section == "cluster") check_cluster(keys, config);
    if (section == "signaling" && config.signaling.enabled) check_signaling(keys, config);
    for (const auto& [name, value] : keys.entries()) {
      if (value.path() == "auth.secrets") warn_of_short_secrets(value, config.warnings);
      if (value.path() == "relay.advertise") check_advertise(value, config);
      if (value.path() == "nat_discovery.alternate") check_alternates(value, config);
      if (value.path() == "relay.alternate_servers") check_alternate_servers(value, config);
      if (value.path() == "peers.deny") check_deny(value, config);
      if (value.path() == "clients.deny") check_client_deny(value, config);
    }
  }
}

}  // namespace

namespace {

std::vector<std::string> key_files(const net::TlsParams& tls) {
  std::vector<std::string> files;
  const auto add = [&](const net::PemSource& key) {
    if (key.is_file()) files.push_back(key.name);
  };
  add(tls.private_key);
  for (const net::CertificateSources& more : tls.certificates) add(more.private_key);
  return files;
}

void warn_where_all_may_read(const std::string& file, std::vector<std::string>& warnings) {
  struct stat status {};
  if (stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
    warnings.push_back(file +
                       ": this file has secrets, and everybody on this machine can read it: run chmod o-r");
  }
}

}  // namespace

bool SignalingParams::is_private() const {
  return std::ranges::all_of(listen,
                             [](const http::Listener& l) { return l.endpoint.address.is_loopback(); }) &&
         std::ranges::all_of(also_at, [](const Endpoint& e) { return e.address.is_loopback(); }) &&
         !behind_balancer && trusted_proxies.empty() && public_host.empty();
}

signaling::Access SignalingParams::effective_access() const {
  return access.value_or(is_private() ? signaling::Access::open : signaling::Access::token);
}

Result<Config, Errors> parse(std::string_view text, const std::string& name,
                             const std::vector<std::string>& overrides) {
  Result<YamlNode, Error> root = parse_yaml(text, lines_of(name));
  if (!root) return Errors{root.error()};

  Config config;
  Errors errors;
  for (const std::string& override_text : overrides) {
    apply_override(override_text, *root, errors);
  }
  Errors of_sources;
  Secrets secrets = replace_sources(*root, of_sources);
  config.secret_files = std::move(secrets.files);
  config.holds_secrets = secrets.in_document;
  if (!of_sources.empty()) return of_sources;
  const Value document(*root, "", errors);
  read_keys(document, config);
  if (errors.empty()) {
    config.signaling.enabled = names_any_key_of(document, "signaling");
    for (const Listener& listener : config.listen) {
      if (!listener.auto_detect) continue;
      config.signaling.also_at.push_back(listener.endpoint);
      config.signaling.behind_balancer |= !listener.proxy_protocol.empty();
    }
    config.admin.hosts = config.signaling.hosts;
    config.admin.public_host = config.signaling.public_host;
    check_together(document, config);
  }
  if (!errors.empty()) return errors;
  if (config.shutdown.drain > config.shutdown.deadline) {
    config.warnings.emplace_back("shutdown.drain: is longer than shutdown.deadline, which ends a drain");
  }
  config.auth.realm = config.realm;
  config.written = written_values(*root);
  config.places = places_in(*root);
  return config;
}

Result<Config, Errors> load(const std::string& file, const std::vector<std::string>& overrides) {
  const Result<std::string, Error> text = read_file(file);
  if (!text) return Errors{text.error()};
  Result<Config, Errors> config = parse(*text, file, overrides);
  if (!config) return config;
  if (config->holds_secrets) warn_where_all_may_read(file, config->warnings);
  for (const std::string& secret : config->secret_files) warn_where_all_may_read(secret, config->warnings);
  if (!config->user_database.empty()) warn_where_all_may_read(config->user_database, config->warnings);
  for (const std::string& key : key_files(config->tls)) warn_where_all_may_read(key, config->warnings);
  return config;
}

}  // namespace turnpike::config
