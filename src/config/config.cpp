#include "config/config.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "config/faults.hpp"
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

// A check that involves more than one key. Each key alone was checked before.
struct Check {
  std::string_view at;                 // the key or section that `run` gets
  std::array<std::string_view, 6> of;  // the keys that it relies on: errors in them would have others
  void (*run)(const Value&, Config&);
  bool only_presence = false;  // it relies on which of these keys there are, and not on their values
};

constexpr Check kChecks[] = {
    {"listen", {"listen"}, [](const Value& v, Config& c) { check_web_servers(v, c); }},
    {"listen",
     {"listen", "tls.certificate", "tls.private_key", "tls.certificates"},
     [](const Value& v, Config& c) { check_secure_listeners(v, c); }},
    {"relay.advertise",
     {"relay.advertise", "relay.addresses", "nat_discovery.alternate", "listen"},
     [](const Value& v, Config& c) { check_advertise(v, c); }},
    {"relay.alternate_servers",
     {"relay.alternate_servers", "relay.redirect", "cluster"},
     [](const Value& v, Config& c) { check_alternate_servers(v, c); }},
    {"auth.secrets", {}, [](const Value& v, Config& c) { warn_of_short_secrets(v, c.warnings); }},
    {"clients.deny", {"clients.deny"}, [](const Value& v, Config& c) { check_client_deny(v, c); }},
    {"peers.deny", {"peers.deny"}, [](const Value& v, Config& c) { check_deny(v, c); }},
    {"nat_discovery.alternate",
     {"nat_discovery.alternate", "listen"},
     [](const Value& v, Config& c) { check_alternates(v, c); }},
    {"tls", {"tls.certificate", "tls.private_key"}, [](const Value& v, Config&) { check_tls(v); }, true},
    {"signaling",
     {"signaling.listen", "listen"},
     [](const Value& v, Config& c) { check_site_listeners(v, c); }},
    {"signaling",
     {"signaling.listen", "tls.certificate", "tls.private_key", "tls.certificates"},
     [](const Value& v, Config& c) { check_secure_sites(v, c); }},
    {"signaling",
     {"signaling.access", "signaling.token_secrets", "signaling.listen", "signaling.public_host",
      "signaling.trusted_proxies", "listen"},
     [](const Value& v, Config& c) { check_access(v, c); }},
    {"admin", {}, [](const Value& v, Config& c) { check_admin_secrets(v, c); }},
    {"admin",
     {"admin.listen", "signaling.listen", "listen"},
     [](const Value& v, Config& c) { check_admin_listeners(v, c); },
     true},
    {"cluster", {"cluster"}, [](const Value& v, Config& c) { check_cluster(v, c); }},
};

bool can_run(const Check& check, const Doubts& doubts) {
  return std::ranges::all_of(check.of, [&](std::string_view path) {
    return path.empty() || (check.only_presence ? doubts.has_known_presence(path) : doubts.is_sound(path));
  });
}

void run_checks(const Value& value, const Doubts& doubts, Config& config) {
  for (const Check& check : kChecks) {
    if (check.at == value.path() && can_run(check, doubts)) check.run(value, config);
  }
}

void check_together(const Value& document, const Doubts& doubts, Config& config) {
  for (const auto& [section, keys] : document.entries()) {
    run_checks(keys, doubts, config);
    if (!keys.is_map()) continue;
    for (const auto& [name, value] : keys.entries()) run_checks(value, doubts, config);
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

namespace {

struct Draft {
  Config config;
  Errors errors;  // when there are any, config has only the values without an error
};

// Sets what follows from several keys.
void complete(Config& config, const Value& document) {
  config.signaling.enabled = names_any_key_of(document, "signaling");
  for (const Listener& listener : config.listen) {
    if (!listener.auto_detect) continue;
    config.signaling.also_at.push_back(listener.endpoint);
    config.signaling.behind_balancer |= !listener.proxy_protocol.empty();
  }
  config.admin.signaling_hosts = config.signaling.hosts;
  config.admin.public_host = config.signaling.public_host;
  config.auth.realm = config.realm;
}

Draft read_draft(std::string_view text, const std::string& name, const std::vector<std::string>& overrides) {
  Draft draft;
  auto& [config, errors] = draft;
  Result<YamlNode, Error> root = parse_yaml(text, lines_of(name));
  if (!root) {
    errors.push_back(root.error());
    return draft;
  }
  for (const std::string& override_text : overrides) {
    apply_override(override_text, *root, errors);
  }
  Secrets secrets = replace_sources(*root, errors);
  config.secret_files = std::move(secrets.files);
  config.holds_secrets = secrets.in_document;
  const Value document(*root, "", errors);
  read_keys(document, config);
  complete(config, document);
  check_together(document, Doubts(errors), config);
  if (config.shutdown.drain > config.shutdown.deadline) {
    config.warnings.emplace_back("shutdown.drain: is longer than shutdown.deadline, which ends a drain");
  }
  config.written = written_values(*root);
  config.places = places_in(*root);
  return draft;
}

// Adds the faults of find_faults(), but none that may be a consequence of an error.
void add_faults_of_use(Draft& draft) {
  const Doubts doubts(draft.errors);
  Attempts attempts(draft.config.places);
  if (doubts.is_sound("auth") && doubts.is_sound("realm"))
    try_users(draft.config, attempts, draft.config.warnings);
  if (doubts.is_sound("tls")) {
    try_certificates(draft.config, attempts, draft.config.warnings);
  } else {
    try_other_certificates(draft.config, attempts);
  }
  for (const Error& error : attempts.errors()) draft.errors.push_back(error);
}

Errors for_operator(Errors errors, const std::string& file) {
  sort_by_line(errors);
  shorten(errors, file);
  return errors;
}

}  // namespace

Result<Config, Errors> parse(std::string_view text, const std::string& name,
                             const std::vector<std::string>& overrides) {
  Draft draft = read_draft(text, name, overrides);
  if (!draft.errors.empty()) return for_operator(std::move(draft.errors), name);
  return std::move(draft.config);
}

Result<Config, Errors> load(const std::string& file, const std::vector<std::string>& overrides) {
  const Result<std::string, Error> text = read_file(file);
  if (!text) return Errors{text.error()};
  Draft draft = read_draft(*text, file, overrides);
  if (!draft.errors.empty()) {
    add_faults_of_use(draft);
    return for_operator(std::move(draft.errors), file);
  }
  Config& config = draft.config;
  if (config.holds_secrets) warn_where_all_may_read(file, config.warnings);
  for (const std::string& secret : config.secret_files) warn_where_all_may_read(secret, config.warnings);
  if (!config.user_database.empty()) warn_where_all_may_read(config.user_database, config.warnings);
  for (const std::string& key : key_files(config.tls)) warn_where_all_may_read(key, config.warnings);
  return std::move(config);
}

}  // namespace turnpike::config
