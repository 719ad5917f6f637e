#include "config/keys.hpp"

#include <algorithm>

#include "config/fields.hpp"
#include "config/text.hpp"

namespace turnpike::config {
namespace {

// With less, slow clients would get 438 again and again.
constexpr std::chrono::seconds kMinNonceLifetime{10};
constexpr std::chrono::seconds kMinAllocationLifetime{600};  // RFC 8656 §7.2: the default lifetime

constexpr std::chrono::seconds kMinCredentialLifetime{60};
constexpr std::chrono::milliseconds kMinConnectTimeout{100};
constexpr std::chrono::milliseconds kMinPing{100};
constexpr std::chrono::minutes kMaxPing{10};
constexpr std::chrono::minutes kMaxRecovery{2};
constexpr std::chrono::hours kMaxConnectTimeout{1};
constexpr std::chrono::hours kMaxDrain{24};
constexpr std::chrono::hours kMaxWebIdle{24};
constexpr std::uint32_t kMinReceiveBuffer = 4 << 10;
constexpr std::uint32_t kMaxReceiveBuffer = 64 << 20;
constexpr std::uint32_t kMinPayload = 1 << 10;
constexpr std::uint32_t kMaxPayload = 16 << 20;
constexpr std::uint32_t kMaxWaiting = 256 << 20;

struct Key {
  std::string_view path;
  std::string_view default_value;
  void (*read)(const Value&, Config&);
  bool has_free_names = false;  // the operator chooses the keys of this map
};

// When the file contains this key, its limit also counts allocations that it does not count by default.
constexpr std::string_view kCountsMoreWhenWritten = "limits.allocations_per_user";

constexpr Key kKeys[] = {
    {"realm", "turnpike", [](const Value& v, Config& c) { read_realm(v, c.realm); }},
    {"workers", "auto", [](const Value& v, Config& c) { read_workers(v, c.workers); }},
    {"listen", R"(["udp://0.0.0.0:3478", "udp://[::]:3478"])",
     [](const Value& v, Config& c) { read_listeners(v, c.listen); }},

    {"relay.addresses", "[auto]",
     [](const Value& v, Config& c) { read_relay_addresses(v, c.relay.addresses); }},
    {"relay.advertise", "{}", [](const Value& v, Config& c) { read_advertise(v, c.relay); }, true},
    {"relay.ports", "49152-65535", [](const Value& v, Config& c) { read_ports(v, c.relay); }},
    {"relay.receive_buffer", "1MiB",
     [](const Value& v, Config& c) {
       read_size(v, kMinReceiveBuffer, kMaxReceiveBuffer, c.relay.receive_buffer);
     }},
    {"relay.batching.delay", "175us",
     [](const Value& v, Config& c) { read_batching_delay(v, c.batching_delay); }},
    {"relay.tcp", "false", [](const Value& v, Config& c) { read_flag(v, c.relay.tcp); }},
    {"relay.mobility", "false", [](const Value& v, Config& c) { read_flag(v, c.relay.mobility); }},
    {"relay.default_family", "ipv4",
     [](const Value& v, Config& c) { read_default_family(v, c.relay.default_family); }},
    {"relay.alternate_servers", "[]",
     [](const Value& v, Config& c) { read_alternate_servers(v, c.relay.alternates); }},
    {"relay.redirect", "full", [](const Value& v, Config& c) { read_redirect(v, c.relay.alternates.when); }},

    {"auth.users", "{}", [](const Value& v, Config& c) { read_users(v, c.auth.users); }, true},
    {"auth.secrets", "[]", [](const Value& v, Config& c) { read_secrets(v, c.auth.secrets); }},
    {"auth.database", "", [](const Value& v, Config& c) { read_database(v, c.user_database); }},
    {"auth.third_party", "{}", [](const Value& v, Config& c) { read_third_party(v, c.auth.third_party); }},
    {"auth.nonce_lifetime", "600s",
     [](const Value& v, Config& c) { read_lifetime(v, kMinNonceLifetime, c.auth.nonce_lifetime); }},
    {"auth.strict_expiry", "false", [](const Value& v, Config& c) { read_flag(v, c.auth.strict_expiry); }},

    {"clients.allow", "[]", [](const Value& v, Config& c) { read_networks(v, c.clients.allow); }},
    {"clients.deny", "[]", [](const Value& v, Config& c) { read_networks(v, c.clients.deny); }},
    {"clients.exempt", "[]", [](const Value& v, Config& c) { read_networks(v, c.clients.exempt); }},

    {"peers.allow", "[]", [](const Value& v, Config& c) { read_allow(v, c.peers.allow); }},
    {"peers.deny", "[]", [](const Value& v, Config& c) { read_networks(v, c.peers.deny); }},

    {"limits.allocations", "0", [](const Value& v, Config& c) { read_count(v, c.limits.allocations); }},
    {"limits.allocations_per_user", "1000",
     [](const Value& v, Config& c) {
       read_count(v, c.limits.allocations_per_user);
       c.limits.counts_shared_names = true;
     }},
    {"limits.allocations_per_address", "0",
     [](const Value& v, Config& c) { read_count(v, c.limits.allocations_per_address); }},
    {"limits.permissions_per_allocation", "256",
     [](const Value& v, Config& c) { read_count(v, c.limits.permissions_per_allocation); }},
    {"limits.channels_per_allocation", "256",
     [](const Value& v, Config& c) { read_count(v, c.limits.channels_per_allocation); }},
    {"limits.peer_connections", "10000",
     [](const Value& v, Config& c) { read_count(v, c.limits.peer_connections); }},
    {"limits.peer_connections_per_user", "1000",
     [](const Value& v, Config& c) { read_count(v, c.limits.peer_connections_per_user); }},
    {"limits.allocation_lifetime", "3600s",
     [](const Value& v, Config& c) {
       read_lifetime(v, kMinAllocationLifetime, c.limits.allocation_lifetime);
     }},
    {"limits.allocation_age", "0s", [](const Value& v, Config& c) { read_age(v, c.limits.allocation_age); }},
    {"limits.bytes_per_second", "0",
     [](const Value& v, Config& c) { read_rate(v, c.limits.bytes_per_second); }},
    {"limits.bytes_per_second_per_user", "0",
     [](const Value& v, Config& c) { read_rate(v, c.limits.bytes_per_second_per_user); }},
    {"limits.bytes_per_second_per_allocation", "0",
     [](const Value& v, Config& c) { read_rate(v, c.limits.bytes_per_second_per_allocation); }},
    {"limits.unauthenticated_per_second", "100",
     [](const Value& v, Config& c) { read_count(v, c.limits.unauthenticated_per_second); }},
    {"limits.bindings_per_second", "500",
     [](const Value& v, Config& c) { read_count(v, c.limits.bindings_per_second); }},
    {"limits.failures_per_second", "10",
     [](const Value& v, Config& c) { read_count(v, c.limits.failures_per_second); }},
    {"limits.idle_connections", "10000", [](const Value& v, Config& c) { read_count(v, c.streams.idle); }},
    {"limits.idle_connections_per_address", "200",
     [](const Value& v, Config& c) { read_count(v, c.streams.idle_per_address); }},
    {"limits.connect_timeout", "10s",
     [](const Value& v, Config& c) {
       read_duration(v, kMinConnectTimeout, kMaxConnectTimeout, c.streams.connect_timeout);
     }},
    {"limits.idle_timeout", "60s",
     [](const Value& v, Config& c) {
       read_duration(v, kMinConnectTimeout, kMaxConnectTimeout, c.streams.idle_timeout);
     }},
    {"limits.web_connections", "1000", [](const Value& v, Config& c) { read_count(v, c.streams.web); }},
    {"limits.web_connections_per_address", "200",
     [](const Value& v, Config& c) { read_count(v, c.streams.web_per_address); }},
    {"limits.web_idle_timeout", "10m",
     [](const Value& v, Config& c) {
       read_duration(v, kMinConnectTimeout, kMaxWebIdle, c.streams.web_idle_timeout);
     }},

    {"nat_discovery.alternate", "",
     [](const Value& v, Config& c) { read_alternates(v, c.nat_discovery.alternates); }},

    {"stun.rfc3489", "false", [](const Value& v, Config& c) { read_flag(v, c.stun.rfc3489); }},

    {"tls.certificate", "", [](const Value& v, Config& c) { read_pem_source(v, c.tls.certificate); }},
    {"tls.private_key", "", [](const Value& v, Config& c) { read_pem_source(v, c.tls.private_key); }},
    {"tls.min_version", "1.2", [](const Value& v, Config& c) { read_min_version(v, c.tls.only_tls_1_3); }},
    {"tls.ciphers", "", [](const Value& v, Config& c) { read_ciphers(v, c.tls.ciphers); }},
    {"tls.certificates", "[]", [](const Value& v, Config& c) { read_certificates(v, c.tls.certificates); }},

    {"signaling.listen", "http://127.0.0.1:8080",
     [](const Value& v, Config& c) { read_site_listeners(v, c.signaling.listen); }},
    {"signaling.access", "", [](const Value& v, Config& c) { read_access(v, c.signaling.access); }},
    {"signaling.token_secrets", "[]",
     [](const Value& v, Config& c) { read_token_secrets(v, c.signaling.token_secrets); }},
    {"signaling.public_host", "", [](const Value& v, Config& c) { read_host(v, c.signaling.public_host); }},
    {"signaling.root", "", [](const Value& v, Config& c) { read_folder(v, c.signaling.root); }},
    {"signaling.cors", "[]", [](const Value& v, Config& c) { read_origins(v, c.signaling.cors); }},
    {"signaling.hosts", "[]", [](const Value& v, Config& c) { read_hosts(v, c.signaling.hosts); }},
    {"signaling.trusted_proxies", "[]",
     [](const Value& v, Config& c) { read_proxies(v, c.signaling.trusted_proxies); }},
    {"signaling.credential_lifetime", "1h",
     [](const Value& v, Config& c) {
       read_lifetime(v, kMinCredentialLifetime, c.signaling.credential_lifetime);
     }},
    {"signaling.connect_timeout", "45s",
     [](const Value& v, Config& c) {
       read_duration(v, kMinConnectTimeout, kMaxConnectTimeout, c.signaling.connect_timeout);
     }},
    {"signaling.preset", "course", [](const Value& v, Config& c) { read_preset(v, c.signaling.preset); }},
    {"signaling.list_rooms", "false",
     [](const Value& v, Config& c) { read_flag(v, c.signaling.list_rooms); }},
    {"signaling.ping_interval", "25s",
     [](const Value& v, Config& c) { read_duration(v, kMinPing, kMaxPing, c.signaling.ping_interval); }},
    {"signaling.ping_timeout", "20s",
     [](const Value& v, Config& c) { read_duration(v, kMinPing, kMaxPing, c.signaling.ping_timeout); }},
    {"signaling.recovery", "0s",
     [](const Value& v,
        Config& c) { read_duration(v, Duration::zero(), kMaxRecovery, c.signaling.recovery); }},
    {"signaling.max_payload", "65536",
     [](const Value& v,
        Config& c) { read_bytes(v, kMinPayload, kMaxPayload, c.signaling.http.message_bytes); }},
    {"signaling.max_waiting", "1048576",
     [](const Value& v,
        Config& c) { read_bytes(v, kMinPayload, kMaxWaiting, c.signaling.http.waiting_bytes); }},
    {"signaling.connections", "20000",
     [](const Value& v, Config& c) { read_count(v, c.signaling.http.connections); }},
    {"signaling.connections_per_address", "200",
     [](const Value& v, Config& c) { read_count(v, c.signaling.http.connections_per_address); }},
    {"signaling.bytes_per_second_per_address", "4194304",
     [](const Value& v, Config& c) { read_count(v, c.signaling.http.bytes_per_second_per_address); }},
    {"signaling.credentials_per_second", "10",
     [](const Value& v, Config& c) { read_count(v, c.signaling.credentials_per_second); }},
    {"signaling.members_per_room", "16",
     [](const Value& v, Config& c) { read_count(v, c.signaling.limits.members_per_room); }},
    {"signaling.rooms_per_address", "100",
     [](const Value& v, Config& c) { read_count(v, c.signaling.limits.rooms_per_address); }},

    {"admin.listen", "[]", [](const Value& v, Config& c) { read_admin_listeners(v, c.admin); }},
    {"admin.token_secrets", "[]",
     [](const Value& v, Config& c) { read_token_secrets(v, c.admin.token_secrets); }},
    {"admin.hosts", "[]", [](const Value& v, Config& c) { read_hosts(v, c.admin.hosts); }},

    {"cluster.redis", "", [](const Value& v, Config& c) { read_redis(v, c.cluster.redis); }},
    {"cluster.secret", "", [](const Value& v, Config& c) { read_cluster_secrets(v, c.cluster.secrets); }},
    {"cluster.node", "", [](const Value& v, Config& c) { read_host(v, c.cluster.node); }},
    {"cluster.prefix", "turnpike", [](const Value& v, Config& c) { read_prefix(v, c.cluster.prefix); }},

    {"shutdown.drain", "0s",
     [](const Value& v, Config& c) { read_duration(v, Duration::zero(), kMaxDrain, c.shutdown.drain); }},
    {"shutdown.deadline", "10m",
     [](const Value& v, Config& c) { read_duration(v, Duration::zero(), kMaxDrain, c.shutdown.deadline); }},

    {"offload", "{mode: off, interfaces: []}", [](const Value& v, Config& c) { read_offload(v, c); }},

    {"log.level", "info", [](const Value& v, Config& c) { read_level(v, c.log.level); }},
    {"log.format", "text", [](const Value& v, Config& c) { read_format(v, c.log.format); }},
    {"log.addresses", "full", [](const Value& v, Config& c) { read_shown_addresses(v, c.log.addresses); }},
};

bool is_below(std::string_view path, std::string_view ancestor) {
  return ancestor.empty() ||
         (path.size() > ancestor.size() && path.starts_with(ancestor) && path[ancestor.size()] == '.');
}

const Key* find_key(std::string_view path) {
  const Key* key = std::ranges::find(kKeys, path, &Key::path);
  return key == std::ranges::end(kKeys) ? nullptr : key;
}

bool is_section(std::string_view path) {
  return std::ranges::any_of(kKeys, [&](const Key& key) { return is_below(key.path, path); });
}

// "relay.ports" is a path. As a single key in the file it is unknown.
bool is_dotted(std::string_view name) { return name.find('.') != std::string_view::npos; }

// The names that are allowed directly in a section, in the order of the table.
std::vector<std::string> names_in(std::string_view section) {
  std::vector<std::string> names;
  for (const Key& key : kKeys) {
    if (!is_below(key.path, section)) continue;
    const std::string_view rest = key.path.substr(section.empty() ? 0 : section.size() + 1);
    const std::string name(rest.substr(0, rest.find('.')));
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

// Finds a key of this name in another section. The usual reason is a line with wrong indentation. A key of
// the same section with nearly this name is the better guess.
const Key* find_elsewhere(const Value& section, std::string_view name) {
  if (nearest(name, names_in(section.path()))) return nullptr;
  const Key* key = std::ranges::find_if(
      kKeys, [&](const Key& k) { return k.path == name || k.path.ends_with('.' + std::string(name)); });
  return key == std::ranges::end(kKeys) ? nullptr : key;
}

void report_unknown_in(const Value& section, std::string_view name, const Value& entry) {
  const std::string path = join(section.path(), name);
  if (is_dotted(name) && is_known_path(path)) {
    section.problem_with(entry, "unknown key, expected a line of its own for each part of the name", path);
  } else if (const Key* key = find_elsewhere(section, name); key && !is_dotted(name)) {
    section.problem_with(entry, "unknown key, did you mean " + std::string(key->path) + "?",
                         std::string(key->path));
  } else {
    report_unknown(section, name, entry, names_in(section.path()));
  }
}

void read_section(const Value& section, Config& config);

void read_entry(const Value& section, std::string_view name, const Value& value, Config& config) {
  if (is_dotted(name)) return report_unknown_in(section, name, value);
  if (const Key* key = find_key(value.path())) return key->read(value, config);
  if (is_section(value.path())) return read_section(value, config);
  report_unknown_in(section, name, value);
}

void read_section(const Value& section, Config& config) {
  if (section.is_null()) return;  // all its keys are commented out
  if (!section.is_map()) return section.expected("a map");
  for (const auto& [name, value] : section.entries()) {
    read_entry(section, name, value, config);
  }
}

// Writes a value on one line. Two values with the same meaning may be written differently.
std::string on_one_line(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null: return "";
    case YamlNode::Kind::scalar: return node.text;
    case YamlNode::Kind::list: {
      std::string text;
      for (const YamlNode& item : node.items) text.append(text.empty() ? "" : ", ").append(on_one_line(item));
      return "[" + text + "]";
    }
    case YamlNode::Kind::map: {
      std::string text;
      for (const YamlEntry& entry : node.entries) {
        text.append(text.empty() ? "" : ", ").append(on_one_line(entry.key)).append(": ");
        text.append(on_one_line(entry.value));
      }
      return "{" + text + "}";
    }
  }
  return "";
}

const YamlNode* find_node(const YamlNode& node, std::string_view path) {
  if (path.empty()) return &node;
  const std::string_view name = path.substr(0, path.find('.'));
  const std::string_view rest =
      name.size() == path.size() ? std::string_view() : path.substr(name.size() + 1);
  for (const YamlEntry& entry : node.entries) {
    if (entry.key.text == name) return find_node(entry.value, rest);
  }
  return nullptr;
}

// The place of what an override has set is empty.
void note_place(const YamlNode& node, const std::string& path, Places& places) {
  places.emplace(path, node.where.starts_with("--set") ? "" : node.where);
}

void note_places(const YamlNode& section, const std::string& path, Places& places) {
  for (const YamlEntry& entry : section.entries) {
    const std::string inner = join(path, entry.key.text);
    note_place(entry.value, inner, places);
    if (is_section(inner)) note_places(entry.value, inner, places);
    for (std::size_t i = 0; i < entry.value.items.size(); ++i) {
      const YamlNode& item = entry.value.items[i];
      const std::string place = inner + '[' + std::to_string(i) + ']';
      note_place(item, place, places);
      for (const YamlEntry& member : item.entries)
        note_place(member.value, join(place, member.key.text), places);
    }
  }
}

bool is_of_path(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("_.[]").find(c) != std::string_view::npos;
}

// The keys that are read only at the start; see also keep_what_needs_restart().
constexpr std::string_view kNeedRestart[] = {
    "listen",         "workers",          "relay.addresses",        "relay.ports",    "relay.tcp",
    "relay.mobility", "admin.listen",     "cluster.redis",          "cluster.secret", "cluster.node",
    "cluster.prefix", "signaling.listen", "nat_discovery.alternate"};
constexpr std::size_t kMaxShown = 60;  // characters of a value in a log line

}  // namespace

std::map<std::string, std::string> written_values(const YamlNode& document) {
  std::map<std::string, std::string> written;
  for (const Key& key : kKeys) {
    if (const YamlNode* node = find_node(document, key.path)) written.emplace(key.path, on_one_line(*node));
  }
  return written;
}

Places places_in(const YamlNode& document) {
  Places places;
  note_places(document, "", places);
  return places;
}

std::string find_place(const Places& places, std::string_view fault) {
  const auto* const end = std::ranges::find_if_not(fault, is_of_path);
  std::string path(fault.begin(), end);
  while (!path.empty()) {
    if (const auto place = places.find(path); place != places.end()) return place->second;
    const std::size_t last = path.find_last_of(".[");
    path.resize(last == std::string::npos ? 0 : last);
  }
  return {};
}

std::string add_place(const Places& places, std::string_view fault) {
  return to_string(Error{find_place(places, fault), "", std::string(fault)});
}

std::vector<ChangedKey> find_changes(const Config& before, const Config& after) {
  std::vector<ChangedKey> changes;
  // The daemon has these from its start or not at all.
  const bool turns_signaling = before.signaling.enabled != after.signaling.enabled;
  const bool has_no_tls = !before.tls.complete();
  if (turns_signaling)
    changes.push_back({"signaling", after.signaling.enabled ? "off -> on" : "on -> off", true});
  for (const Key& key : kKeys) {
    const std::string path(key.path);
    const auto old = before.written.find(path);
    const auto now = after.written.find(path);
    std::string by_default(key.default_value);
    if (path == kCountsMoreWhenWritten) by_default += " by default";
    const std::string from = old == before.written.end() ? by_default : old->second;
    const std::string to = now == after.written.end() ? by_default : now->second;
    if (from == to) continue;
    const bool is_known_plain = path == "auth.nonce_lifetime" || path == "auth.strict_expiry";
    const bool is_shown =
        (is_known_plain || !is_private(path)) && from.size() <= kMaxShown && to.size() <= kMaxShown;
    changes.push_back({path, is_shown ? shown(from) + " -> " + shown(to) : "changed",
                       std::ranges::find(kNeedRestart, key.path) != std::ranges::end(kNeedRestart) ||
                           (turns_signaling && is_below(path, "signaling")) ||
                           (has_no_tls && is_below(path, "tls"))});
  }
  return changes;
}

void keep_what_needs_restart(Config& next, const Config& now) {
  next.workers = now.workers;
  next.listen = now.listen;
  next.relay.addresses = now.relay.addresses;
  next.relay.first_port = now.relay.first_port;
  next.relay.last_port = now.relay.last_port;
  next.relay.tcp = now.relay.tcp;
  next.relay.mobility = now.relay.mobility;
  next.nat_discovery = now.nat_discovery;
  if (!now.tls.complete()) next.tls = now.tls;
  if (next.signaling.enabled != now.signaling.enabled) {
    next.signaling = now.signaling;
    next.admin.signaling_hosts = now.admin.signaling_hosts;
    next.admin.public_host = now.admin.public_host;
  }
  next.signaling.listen = now.signaling.listen;
  next.signaling.also_at = now.signaling.also_at;
  next.signaling.behind_balancer = now.signaling.behind_balancer;
  next.admin.unix_sockets = now.admin.unix_sockets;
  next.admin.listeners = now.admin.listeners;
  next.cluster = now.cluster;
}

void read_keys(const Value& document, Config& config) { read_section(document, config); }

std::vector<std::string> split_path(std::string_view path) {
  const Key* free = std::ranges::find_if(
      kKeys, [&](const Key& key) { return key.has_free_names && is_below(path, key.path); });
  std::vector<std::string> names;
  if (free != std::ranges::end(kKeys)) {
    names = split_path(free->path);
    names.emplace_back(path.substr(free->path.size() + 1));
    return names;
  }
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    names.emplace_back(path.substr(0, dot));
    path.remove_prefix(dot + 1);
  }
  names.emplace_back(path);
  return names;
}

bool is_known_path(std::string_view path) {
  return find_key(path) || (!path.empty() && is_section(path)) ||
         std::ranges::any_of(kKeys,
                             [&](const Key& key) { return key.has_free_names && is_below(path, key.path); });
}

std::vector<KnownKey> known_keys() {
  std::vector<KnownKey> keys;
  for (const Key& key : kKeys) {
    keys.push_back({key.path, key.default_value});
  }
  return keys;
}

}  // namespace turnpike::config
