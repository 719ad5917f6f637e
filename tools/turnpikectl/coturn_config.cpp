#include "turnpikectl/coturn_config.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/prefix.hpp"
#include "config/text.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/hex.hpp"
#include "turnpike/base/prefix.hpp"
#include "turnpike/base/printable.hpp"

namespace turnpike::turnpikectl {
namespace {

// Options that have no counterpart, or need none. The values of secret ones are not repeated.
struct WithoutCounterpart {
  std::string_view option;
  std::string_view remark;
  bool is_secret = false;
};

constexpr std::string_view kLogs = "turnpike logs to standard error, which systemd's journal keeps; see log";
constexpr std::string_view kUnit = "turnpike.service, the unit for systemd, does this";
constexpr std::string_view kConsole = "turnpikectl on the admin socket takes the place of this console";
constexpr std::string_view kWebAdmin =
    "the admin listener has a status page: admin: {listen: [http://127.0.0.1:9641]}";
constexpr std::string_view kDatabase =
    "turnpike stores users in SQLite only: auth: {database: sqlite:/var/lib/turnpike/users.db}";
constexpr std::string_view kNoDatabase = "turnpike has no such database";
constexpr std::string_view kAsHere = "turnpike does so in any case";
constexpr std::string_view kDiffieHellman = "OpenSSL chooses the group";
constexpr std::string_view kFixedLifetime = "RFC 8656 fixes this lifetime, and turnpike keeps to it";
constexpr std::string_view kFamilies = "write addresses instead of devices";
constexpr std::string_view kMetrics = "for /metrics, set admin: {listen: [http://127.0.0.1:9641]}";
constexpr std::string_view kDiscovery =
    "for NAT discovery, name the second address: nat_discovery: {alternate: ADDRESS:PORT}";

constexpr WithoutCounterpart kWithoutCounterpart[] = {
    {"alt-listening-port", kDiscovery},
    {"rfc5780", kDiscovery},
    {"alt-tls-listening-port", "NAT discovery works by UDP and TCP only"},
    {"udp-self-balance", "turnpike balances its workers by itself"},
    {"listening-device", kFamilies},
    {"relay-device", kFamilies},
    {"fingerprint", "an answer has a fingerprint when its request had one"},
    {"lt-cred-mech", kAsHere},
    {"secure-stun", "turnpike answers Binding requests of everybody, within limits.bindings_per_second"},
    {"no-stun", "turnpike answers Binding requests of everybody, within limits.bindings_per_second"},
    {"no-udp-relay", "turnpike always relays by UDP"},
    {"no-tcp-relay", "turnpike relays by TCP only with relay: {tcp: true}"},
    {"no-multicast-peers", kAsHere},
    {"no-loopback-peers", kAsHere},
    {"drop-invalid-packets", kAsHere},
    {"drop-invalid-packets-log", "/metrics counts them: turnpike_dropped_total"},
    {"psql-userdb", kDatabase, true},
    {"sql-userdb", kDatabase, true},
    {"mysql-userdb", kDatabase, true},
    {"mongo-userdb", kDatabase, true},
    {"redis-userdb", kDatabase, true},
    {"redis-statsdb", "statistics are at /metrics of the admin listener, for Prometheus", true},
    {"secret-key-file", kNoDatabase, true},
    {"no-auth-pings", kNoDatabase},
    {"no-dynamic-ip-list", kNoDatabase},
    {"no-dynamic-realms", kNoDatabase},
    {"check-origin-consistency", "turnpike has one realm, whatever the origin"},
    {"oauth", "for access tokens (RFC 7635) name the keys in auth.third_party"},
    {"server-name", "for access tokens (RFC 7635): auth: {third_party: {server_name: NAME, keys: [...]}}"},
    {"pkey-pwd", "turnpike cannot read an encrypted key: openssl pkey -in OLD -out NEW", true},
    {"CA-file", "turnpike asks clients for no certificate"},
    {"ec-curve-name", kDiffieHellman},
    {"dh566", "this group is too weak; OpenSSL chooses one"},
    {"dh1066", "this group is too weak; OpenSSL chooses one"},
    {"dh2066", kDiffieHellman},
    {"dh-file", kDiffieHellman},
    {"no-tlsv1", kAsHere},
    {"no-tlsv1_1", kAsHere},
    {"tlsv1", "turnpike has TLS 1.2 and 1.3 alone"},
    {"tlsv1_1", "turnpike has TLS 1.2 and 1.3 alone"},
    {"raw-public-keys", "turnpike has certificates alone"},
    {"no-sslv2", kAsHere},
    {"no-sslv3", kAsHere},
    {"channel-lifetime", kFixedLifetime},
    {"permission-lifetime", kFixedLifetime},
    {"verbose", kLogs},
    {"syslog", kLogs},
    {"syslog-facility", kLogs},
    {"log-file", kLogs},
    {"no-stdout-log", kLogs},
    {"simple-log", kLogs},
    {"new-log-timestamp", kLogs},
    {"new-log-timestamp-format", kLogs},
    {"log-binding", "Binding requests are counted in /metrics"},
    {"pidfile", kUnit},
    {"proc-user", kUnit},
    {"proc-group", kUnit},
    {"daemon", kUnit},
    {"cli", kConsole},
    {"no-cli", kConsole},
    {"cli-ip", kConsole},
    {"cli-port", kConsole},
    {"cli-password", kConsole, true},
    {"cli-max-output-sessions", kConsole},
    {"web-admin", kWebAdmin},
    {"web-admin-ip", kWebAdmin},
    {"web-admin-port", kWebAdmin},
    {"web-admin-listen-on-workers", kWebAdmin},
    {"prometheus", kMetrics},
    {"prometheus-port", kMetrics},
    {"prometheus-address", kMetrics},
    {"prometheus-path", "the path is always /metrics"},
    {"prometheus-username-labels", "metrics have no names of users; turnpikectl allocations shows them"},
    {"acme-redirect", "signaling.root serves /.well-known/acme-challenge/ from a folder"},
    {"no-software-attribute", kAsHere},
    {"software-attribute", "turnpike never sends it"},
    {"prod", kAsHere},
    {"no-rfc5780", kAsHere},
    {"no-stun-backward-compatibility", kAsHere},
    {"stun-backward-compatibility",
     "answers have XOR-MAPPED-ADDRESS; for clients of RFC 3489: stun: {rfc3489: true}"},
    {"response-origin-only-with-rfc5780", kAsHere},
    {"respond-http-unsupported",
     "auto:// listeners take HTTP where signaling is on; /healthz is on admin.listen"},
    {"ne", "turnpike has one engine: workers on epoll"},
    {"cpus", "workers: auto counts the cores that this process may use"},
    {"sock-buf-size", "for relayed sockets: relay: {receive_buffer: SIZE}"},
    {"secret-ts-exp-time", "the time in the user name counts, as in coturn"},
    {"rest-api-separator", "time-limited credentials have ':' between the time and the name"},
    {"tcp-proxy-port",
     "write a listener with the balancers' addresses: {url: \"tcp://0.0.0.0:PORT\", proxy_protocol: "
     "[ADDRESS]}"},
    {"no-auth", "DANGEROUS, so it is left out: everybody could use this relay"},
    {"server-relay",
     "DANGEROUS, so it is left out: peers could reach the relay's clients without permission"},
    {"allow-loopback-peers",
     "DANGEROUS, so it is left out: clients could reach services of this machine. If you need it: "
     "peers: {allow: [127.0.0.0/8, \"::1/128\"]}"},
};

// Returns the text as YAML that a terminal can show safely.
std::string quoted(const std::string& text) {
  return printable_json(boost::json::serialize(boost::json::string(text)));
}

std::string in_url(const IpAddress& address) {
  return address.is_v4() ? address.to_string() : '[' + address.to_string() + ']';
}

std::string join_items(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text.append(text.empty() ? "" : ", ").append(item);
  return '[' + text + ']';
}

// Returns the fewest blocks that contain exactly the addresses from `first` to `last`.
std::vector<Prefix> blocks_between(const IpAddress& first, const IpAddress& last) {
  const unsigned bits = first.is_v4() ? 32 : 128;
  std::vector<Prefix> blocks;
  const auto last_of = [&](const Prefix& block) {
    std::array<std::uint8_t, 16> octets = block.address.storage();
    for (unsigned bit = block.length; bit < bits; ++bit)
      octets[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
    return IpAddress::from_bytes(first.family(), octets);
  };
  for (IpAddress next = first;;) {
    Prefix block{next, static_cast<std::uint8_t>(bits)};
    while (block.length > 0) {
      const Prefix wider{next, static_cast<std::uint8_t>(block.length - 1)};
      if (config::without_host_bits(wider) != wider || last_of(wider) > last) break;
      block = wider;
    }
    blocks.push_back(block);
    const IpAddress end = last_of(block);
    if (end >= last) return blocks;
    std::array<std::uint8_t, 16> octets = end.storage();
    for (unsigned i = bits / 8; i-- > 0 && ++octets[i] == 0;) {
    }
    next = IpAddress::from_bytes(first.family(), octets);
  }
}

// Parses "10.0.0.1", "10.0.0.0-10.0.0.255" or "10.0.0.0/24".
std::optional<std::vector<Prefix>> parse_peers(const std::string& text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) {
    const auto prefix = config::parse_prefix(text);
    return prefix ? std::optional(std::vector{config::without_host_bits(*prefix)}) : std::nullopt;
  }
  const auto first = IpAddress::parse(std::string_view(text).substr(0, dash));
  const auto last = IpAddress::parse(std::string_view(text).substr(dash + 1));
  if (!first || !last || first->family() != last->family() || *last < *first) return std::nullopt;
  return blocks_between(*first, *last);
}

class Conversion {
 public:
  void take(int line, const std::string& option, const std::string& value);
  std::string yaml(const std::string& name);

 private:
  struct Setting {
    int line = 0;
    std::string value;
  };
  struct Line {
    int number = 0;
    std::string text;
  };

  void remark(int line, const std::string& text) { remarks_.push_back({line, text}); }
  bool is_on(const std::string& option) const { return settings_.contains(option); }
  std::string last(const std::string& option, const std::string& otherwise) const {
    const auto found = settings_.find(option);
    return found == settings_.end() ? otherwise : found->second.back().value;
  }
  const std::vector<Setting>& all(const std::string& option) const {
    static const std::vector<Setting> none;
    const auto found = settings_.find(option);
    return found == settings_.end() ? none : found->second;
  }
  // Returns a whole number from `smallest` to `largest`. When it is something else, adds a remark and returns
  // nothing.
  std::optional<std::uint32_t> number(const std::string& option, std::uint32_t smallest = 0,
                                      std::uint32_t largest = UINT32_MAX);
  std::vector<IpAddress> addresses(const std::string& option);
  void add_number(std::vector<std::string>& keys, const std::string& option, const std::string& key,
                  std::uint32_t smallest = 0, std::uint32_t largest = UINT32_MAX,
                  const std::string& unit = "");
  void write(const std::string& section, const std::vector<std::string>& keys);

  bool has_tls() const;
  std::vector<IpAddress> own_addresses();
  void listen_at(const IpAddress& address, std::uint32_t port, std::uint32_t tls_port,
                 std::vector<std::string>& urls) const;
  void add_ciphers(std::vector<std::string>& keys);
  std::vector<IpAddress> relayed_addresses();
  void read_external(const std::vector<IpAddress>& locals, std::map<std::string, std::string>& mapped,
                     std::vector<IpAddress>& for_only);
  void add_addresses(std::vector<std::string>& keys);
  void add_users(std::vector<std::string>& keys, bool by_secret);
  bool is_own(const std::string& address) const;
  static std::optional<std::string_view> why_left_out(const std::string& option, const Prefix& block);
  void write_listeners();
  void write_tls();
  void write_relay();
  void write_auth();
  void write_peers();
  void write_limits();
  void write_stun();

  std::map<std::string, std::vector<Setting>> settings_;
  std::set<std::string> seen_;  // with those that have no counterpart
  std::vector<Line> remarks_;
  std::string out_;
};

// Options that are converted. All others have a remark.
const std::set<std::string, std::less<>> kConverted{"listening-ip",
                                                    "listening-port",
                                                    "tls-listening-port",
                                                    "aux-server",
                                                    "relay-ip",
                                                    "external-ip",
                                                    "min-port",
                                                    "max-port",
                                                    "relay-threads",
                                                    "realm",
                                                    "user",
                                                    "use-auth-secret",
                                                    "static-auth-secret",
                                                    "cert",
                                                    "pkey",
                                                    "cipher-list",
                                                    "no-tlsv1_2",
                                                    "allowed-peer-ip",
                                                    "denied-peer-ip",
                                                    "user-quota",
                                                    "total-quota",
                                                    "max-bps",
                                                    "bps-capacity",
                                                    "stale-nonce",
                                                    "max-allocate-lifetime",
                                                    "max-allocate-timeout",
                                                    "mobility",
                                                    "no-udp",
                                                    "no-tcp",
                                                    "no-tls",
                                                    "no-dtls",
                                                    "alternate-server",
                                                    "tls-alternate-server",
                                                    "allocation-default-address-family",
                                                    "keep-address-family",
                                                    "Verbose",
                                                    "stun-only",
                                                    "userdb",
                                                    "db",
                                                    "rfc3489-compatibility"};

// coturn takes a flag as off when its value begins with one of these characters, or is "off".
bool is_off(const std::string& value) {
  if (value == "off" || value == "OFF" || value == "Off") return true;
  return !value.empty() && std::string_view("0nNfF").find(value.front()) != std::string_view::npos;
}

bool is_flag(const std::string& option) {
  static const std::set<std::string, std::less<>> flags{"use-auth-secret", "no-tlsv1_2",
                                                        "mobility",        "no-udp",
                                                        "no-tcp",          "no-tls",
                                                        "no-dtls",         "keep-address-family",
                                                        "Verbose",         "stun-only",
                                                        "no-auth",         "lt-cred-mech",
                                                        "server-relay",    "allow-loopback-peers",
                                                        "no-tcp-relay",    "rfc3489-compatibility"};
  return flags.contains(option);
}

void Conversion::take(int line, const std::string& option, const std::string& value) {
  if (is_flag(option) && is_off(value)) return;
  seen_.insert(option);
  if (kConverted.contains(option)) {
    settings_[option].push_back({line, value});
    return;
  }
  const auto* known = std::ranges::find(kWithoutCounterpart, option, &WithoutCounterpart::option);
  if (known == std::ranges::end(kWithoutCounterpart)) {
    // The value may be a secret. Even the name may be a password that stands on a line of its own, so it is
    // cut.
    return remark(line, config::shown(option.substr(0, 40)) + ": turnpike does not know this option");
  }
  const bool shows_value = !known->is_secret && !value.empty();
  remark(line, option + (shows_value ? "=" + config::shown(value) : "") + ": " + std::string(known->remark));
}

std::optional<std::uint32_t> Conversion::number(const std::string& option, std::uint32_t smallest,
                                                std::uint32_t largest) {
  if (!is_on(option)) return std::nullopt;
  const Setting& setting = all(option).back();
  // coturn reads the digits in front, and no comment behind them.
  const auto value = config::parse_number(setting.value.substr(0, setting.value.find_first_of(" \t#")));
  if (value && *value >= smallest && *value <= largest) return value;
  remark(setting.line, option + "=" + config::shown(setting.value) + ": turnpike takes a number from " +
                           std::to_string(smallest) + " to " + std::to_string(largest) +
                           " here, so its default holds");
  return std::nullopt;
}

std::vector<IpAddress> Conversion::addresses(const std::string& option) {
  std::vector<IpAddress> found;
  for (const Setting& setting : all(option)) {
    const auto address = IpAddress::parse(setting.value);
    if (!address) {
      remark(setting.line, option + "=" + config::shown(setting.value) + ": no IP address");
    } else if (std::ranges::find(found, *address) == found.end()) {
      found.push_back(*address);
    }
  }
  return found;
}

void Conversion::add_number(std::vector<std::string>& keys, const std::string& option, const std::string& key,
                            std::uint32_t smallest, std::uint32_t largest, const std::string& unit) {
  if (const auto value = number(option, smallest, largest))
    keys.push_back(key + ": " + std::to_string(*value) + unit);
}

void Conversion::write(const std::string& section, const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  out_ += section + ":\n";
  for (const std::string& key : keys) out_ += "  " + key + '\n';
}

bool Conversion::has_tls() const {
  return is_on("cert") && is_on("pkey") && !(is_on("no-tls") && is_on("no-dtls"));
}

// Returns the addresses that coturn listens at.
std::vector<IpAddress> Conversion::own_addresses() {
  std::vector<IpAddress> at = addresses("listening-ip");
  if (at.empty()) return {IpAddress::v4(0), IpAddress::v6({})};
  const bool is_all_v6 = std::ranges::find(at, IpAddress::v6({})) != at.end();
  if (is_all_v6 && std::ranges::none_of(at, &IpAddress::is_v4)) {
    at.insert(at.begin(), IpAddress::v4(0));
    remark(all("listening-ip").back().line,
           "listening-ip=::: coturn takes IPv4 there as well, so 0.0.0.0 is added");
  }
  return at;
}

// coturn tells TLS from TCP, and DTLS from UDP, on each port, whatever the port is for. auto:// does the
// former here, and udp:// the latter.
void Conversion::listen_at(const IpAddress& address, std::uint32_t port, std::uint32_t tls_port,
                           std::vector<std::string>& urls) const {
  const bool by_tls = has_tls() && !is_on("no-tls");
  const bool by_dtls = has_tls() && !is_on("no-dtls");
  const auto listen = [&](const char* scheme, std::uint32_t at) {
    urls.push_back("- " + quoted(scheme + ("://" + in_url(address) + ':' + std::to_string(at))));
  };
  if (!is_on("no-udp")) listen("udp", port);
  if (!is_on("no-tcp")) listen(by_tls ? "auto" : "tcp", port);
  if (by_tls && (is_on("no-tcp") || tls_port != port)) listen(is_on("no-tcp") ? "tls" : "auto", tls_port);
  if (by_dtls && (is_on("no-udp") || tls_port != port)) listen(is_on("no-udp") ? "dtls" : "udp", tls_port);
}

void Conversion::write_listeners() {
  std::vector<std::string> urls;
  const std::uint32_t port = number("listening-port", 1, 65535).value_or(3478);
  const std::uint32_t tls_port = number("tls-listening-port", 1, 65535).value_or(5349);
  for (const IpAddress& address : own_addresses()) listen_at(address, port, tls_port, urls);
  for (const Setting& setting : all("aux-server")) {
    const auto endpoint = Endpoint::parse(setting.value);
    if (!endpoint) {
      remark(setting.line, "aux-server=" + config::shown(setting.value) + ": no address with a port");
      continue;
    }
    const char* const stream = has_tls() && !is_on("no-tls") ? "auto://" : "tcp://";
    if (!is_on("no-udp")) urls.push_back("- " + quoted("udp://" + endpoint->to_string()));
    if (!is_on("no-tcp")) urls.push_back("- " + quoted(stream + endpoint->to_string()));
  }
  if (urls.empty()) remark(0, "listen: all listeners are switched off, so turnpike's default is used");
  write("listen", urls);
  if (!has_tls() && !(is_on("no-tls") && is_on("no-dtls")))
    remark(0, "tls: without cert and pkey there are no listeners for TLS and DTLS");
  if (has_tls() && is_on("no-dtls") && !is_on("no-udp"))
    remark(all("no-dtls").back().line, "no-dtls: with a certificate, udp:// takes DTLS as well");
}

// Writes the ciphers when turnpike can use all of them.
void Conversion::add_ciphers(std::vector<std::string>& keys) {
  const std::string ciphers = last("cipher-list", "DEFAULT");
  if (ciphers == "DEFAULT") return;
  const std::string key = "ciphers: " + quoted(ciphers);
  if (config::parse("tls: {" + key + '}', "")) return keys.push_back(key);
  remark(all("cipher-list").back().line,
         "cipher-list=" + config::shown(ciphers) +
             ": turnpike accepts only ciphers with authenticated encryption, so it uses its own list");
}

void Conversion::write_tls() {
  std::vector<std::string> keys;
  if (has_tls()) {
    keys.push_back("certificate: " + quoted(last("cert", "")));
    keys.push_back("private_key: " + quoted(last("pkey", "")));
    add_ciphers(keys);
    if (is_on("no-tlsv1_2")) keys.emplace_back("min_version: \"1.3\"");
  } else {
    for (const char* option : {"cert", "pkey", "cipher-list", "no-tlsv1_2"}) {
      for (const Setting& setting : all(option))
        remark(setting.line, std::string(option) +
                                 ": this has no effect without cert, pkey and a listener for TLS or DTLS");
    }
  }
  write("tls", keys);
}

// Returns the addresses that coturn relays from; none when it takes the one that the client came to.
std::vector<IpAddress> Conversion::relayed_addresses() {
  std::vector<IpAddress> locals = addresses("relay-ip");
  if (std::erase_if(locals, std::mem_fn(&IpAddress::is_unspecified)) != 0)
    remark(all("relay-ip").back().line, "relay-ip: nothing can be relayed from 0.0.0.0 or ::");
  if (!locals.empty()) return locals;
  locals = addresses("listening-ip");
  if (std::ranges::any_of(locals, &IpAddress::is_unspecified)) return {};
  // A listener on loopback serves only this machine.
  if (!std::ranges::all_of(locals, &IpAddress::is_loopback))
    std::erase_if(locals, std::mem_fn(&IpAddress::is_loopback));
  return locals;
}

// Reads external-ip: pairs to `mapped`, and the addresses without a local one to `for_only`.
void Conversion::read_external(const std::vector<IpAddress>& locals,
                               std::map<std::string, std::string>& mapped, std::vector<IpAddress>& for_only) {
  const auto is_known = [](const std::vector<IpAddress>& list, const auto& value, auto projection) {
    return std::ranges::find(list, value, projection) != list.end();
  };
  for (const Setting& setting : all("external-ip")) {
    const std::size_t slash = setting.value.find('/');
    const auto outside = IpAddress::parse(setting.value.substr(0, slash));
    const auto inside =
        slash == std::string::npos ? std::nullopt : IpAddress::parse(setting.value.substr(slash + 1));
    const auto say = [&](const char* what) {
      remark(setting.line, "external-ip=" + config::shown(setting.value) + ": " + what);
    };
    if (!outside || (slash != std::string::npos && !inside)) {
      say("no address, or pair of addresses");
    } else if (inside == outside || (!inside && is_known(locals, *outside, std::identity()))) {
      say("an address of this machine needs no other one that clients are told");
    } else if (inside) {
      mapped[inside->to_string()] = outside->to_string();
    } else if (is_known(for_only, outside->family(), &IpAddress::family)) {
      say("there is one of this family before it, so this one is left out");
    } else {
      for_only.push_back(*outside);
    }
  }
}

void Conversion::add_addresses(std::vector<std::string>& keys) {
  std::vector<IpAddress> locals = relayed_addresses();
  std::map<std::string, std::string> mapped;
  std::vector<IpAddress> for_only;
  read_external(locals, mapped, for_only);
  for (const auto& [inside, outside] : mapped) {
    const IpAddress local = *IpAddress::parse(inside);
    if (std::ranges::find(locals, local) == locals.end()) locals.push_back(local);
  }
  std::vector<std::string> items;
  items.reserve(locals.size());
  for (const IpAddress& local : locals) items.push_back(quoted(local.to_string()));
  if (!items.empty()) keys.push_back("addresses: " + join_items(items));
  if (!mapped.empty()) {
    std::string map;
    for (const auto& [inside, outside] : mapped)
      map.append(map.empty() ? "" : ", ").append(quoted(inside)).append(": ").append(quoted(outside));
    keys.push_back("advertise: {" + map + '}');
    if (!for_only.empty())
      remark(0, "external-ip: the one without a local address beside others is left out");
  } else if (!for_only.empty()) {
    std::vector<std::string> told;
    told.reserve(for_only.size());
    for (const IpAddress& outside : for_only) told.push_back(quoted(outside.to_string()));
    keys.push_back("advertise: " + (told.size() == 1 ? told[0] : join_items(told)));
  }
}

void Conversion::write_relay() {
  std::vector<std::string> keys;
  add_addresses(keys);
  if (is_on("min-port") || is_on("max-port")) {
    const std::uint32_t first = number("min-port", 1024, 65535).value_or(49152);
    const std::uint32_t end = number("max-port", 1024, 65535).value_or(65535);
    keys.push_back("ports: " + std::to_string(first) + '-' + std::to_string(end));
  }
  if (is_on("mobility")) keys.emplace_back("mobility: true");
  const std::string family =
      last("allocation-default-address-family", is_on("keep-address-family") ? "keep" : "");
  if (family == "ipv6") keys.emplace_back("default_family: ipv6");
  if (family == "keep") keys.emplace_back("default_family: client");
  if (!family.empty() && family != "ipv4" && family != "ipv6" && family != "keep") {
    remark(all("allocation-default-address-family").back().line,
           "allocation-default-address-family=" + config::shown(family) + ": expected ipv4, ipv6 or keep");
  }
  std::vector<std::string> others;
  for (const Setting& setting : all("alternate-server")) {
    const auto address = IpAddress::parse(setting.value);
    const auto endpoint = address ? std::optional(Endpoint{*address, 3478}) : Endpoint::parse(setting.value);
    if (!endpoint) {
      remark(setting.line, "alternate-server=" + config::shown(setting.value) + ": no address");
      continue;
    }
    if (!is_on("no-udp")) others.push_back(quoted("udp://" + endpoint->to_string()));
    if (!is_on("no-tcp")) others.push_back(quoted("tcp://" + endpoint->to_string()));
  }
  if (!others.empty()) {
    keys.push_back("alternate_servers: " + join_items(others));
    keys.emplace_back("redirect: always");
  }
  for (const Setting& setting : all("tls-alternate-server")) {
    remark(setting.line, "tls-alternate-server=" + config::shown(setting.value) +
                             ": clients by TLS need the name in its certificate: relay: {alternate_servers: "
                             "[{url: \"tls://ADDRESS:PORT\", domain: NAME}]}");
  }
  if (!seen_.contains("no-tcp-relay"))
    remark(0, "no-tcp-relay: without it coturn relays by TCP too; if you need that: relay: {tcp: true}");
  write("relay", keys);
}

// When coturn has a name twice, the later line counts.
void Conversion::add_users(std::vector<std::string>& keys, bool by_secret) {
  std::map<std::string, std::pair<int, std::string>> users;
  for (const Setting& setting : all("user")) {
    const std::size_t colon = setting.value.find(':');
    if (is_on("stun-only") || by_secret) {
      remark(setting.line, std::string("user: coturn accepts no users together with ") +
                               (by_secret ? "use-auth-secret" : "stun-only") + ", so this one is left out");
      continue;
    }
    if (colon == 0 || colon == std::string::npos || colon + 1 == setting.value.size()) {
      remark(setting.line, "user: expected NAME:PASSWORD or NAME:0xKEY");
      continue;
    }
    const std::string password = setting.value.substr(colon + 1);
    std::array<std::uint8_t, 16> key;
    const bool is_key = password.starts_with("0x") && parse_hex(std::string_view(password).substr(2), key);
    auto& [line, text] = users[setting.value.substr(0, colon)];
    if (line != 0) remark(line, "user: a later line has this name as well, so this one is left out");
    line = setting.line;
    text = is_key ? "{key_md5: " + quoted(password.substr(2)) + '}' : quoted(password);
  }
  if (!users.empty()) keys.emplace_back("users:");
  for (const auto& [name, user] : users) keys.push_back("  " + quoted(name) + ": " + user.second);
}

void Conversion::write_auth() {
  std::vector<std::string> keys;
  const bool by_secret = is_on("use-auth-secret") || is_on("static-auth-secret");
  add_users(keys, by_secret);
  std::vector<std::string> secrets;
  for (const Setting& setting : all("static-auth-secret")) {
    if (is_on("stun-only")) {
      remark(setting.line, "static-auth-secret: this has no effect with stun-only, so it is left out");
    } else if (count_characters(setting.value).value_or(0) < 8) {
      remark(setting.line,
             "static-auth-secret: turnpike needs 8 characters or more, better 16, so it is left out");
    } else {
      secrets.push_back(quoted(setting.value));
    }
  }
  if (!secrets.empty()) keys.push_back("secrets: " + join_items(secrets));
  if (is_on("use-auth-secret") && !is_on("static-auth-secret"))
    remark(all("use-auth-secret").back().line,
           "use-auth-secret: write the secrets of coturn's database in auth.secrets");
  for (const char* option : {"userdb", "db"}) {
    for (const Setting& setting : all(option)) {
      remark(setting.line, std::string(option) + "=" + config::shown(setting.value) +
                               ": switch on auth.database below, and then: turnpikectl import coturn " +
                               config::shown(setting.value));
    }
  }
  if (is_on("userdb") || is_on("db")) keys.emplace_back("# database: sqlite:/var/lib/turnpike/users.db");
  if (is_on("stale-nonce") && !last("stale-nonce", "").empty())
    add_number(keys, "stale-nonce", "nonce_lifetime", 10, 86400, "s");
  if (is_on("stun-only"))
    remark(all("stun-only").back().line, "stun-only: so it is without users and secrets");
  const bool has_keys = std::ranges::any_of(keys, [](const std::string& key) { return key.front() != '#'; });
  if (has_keys || keys.empty()) return write("auth", keys);
  out_ += "# auth:\n#   database: sqlite:/var/lib/turnpike/users.db\n";
}

// Returns whether the address is one that coturn listens at, relays from or tells clients.
bool Conversion::is_own(const std::string& address) const {
  constexpr const char* kOwn[] = {"listening-ip", "relay-ip", "external-ip"};
  return std::ranges::any_of(kOwn, [&](const char* option) {
    return std::ranges::any_of(all(option), [&](const Setting& one) {
      const std::string& value = one.value;
      return value == address || value.starts_with(address + '/') || value.ends_with('/' + address);
    });
  });
}

// Returns why turnpike cannot have this block in peers.allow, or peers.deny; nothing when it can.
std::optional<std::string_view> Conversion::why_left_out(const std::string& option, const Prefix& block) {
  if (config::is_v4_mapped(block.address) && block.length >= 96)
    return "IPv4 addresses in this form are always denied";
  if (option != "allowed-peer-ip") return std::nullopt;
  if (block.length == 0) return "DANGEROUS, so it is left out: name the networks that clients need";
  const std::string key = "peers: {allow: [" + quoted(to_string(block)) + "]}";
  if (!config::parse(key, "")) return "turnpike never allows these addresses";
  return std::nullopt;
}

void Conversion::write_peers() {
  std::vector<Prefix> allowed;
  std::vector<Prefix> denied;
  const auto read = [&](const std::string& option, std::vector<Prefix>& out) {
    for (const Setting& setting : all(option)) {
      const auto say = [&](std::string_view what) {
        remark(setting.line, option + "=" + config::shown(setting.value) + ": " + std::string(what));
      };
      const auto blocks = parse_peers(setting.value);
      if (!blocks) say("no address, and no range of them");
      for (const Prefix& block : blocks.value_or(std::vector<Prefix>())) {
        const auto why = why_left_out(option, block);
        if (why) say(*why);
        if (!why && std::ranges::find(out, block) == out.end()) out.push_back(block);
      }
      if (option == "allowed-peer-ip" && is_own(setting.value))
        say("opens all ports of this machine to clients. They reach each other without it");
    }
  };
  read("allowed-peer-ip", allowed);
  read("denied-peer-ip", denied);
  // In coturn, an allowed address goes before a denied one. Here, the longer prefix decides.
  std::erase_if(denied, [&](const Prefix& block) {
    const bool is_allowed =
        std::ranges::any_of(allowed, [&](const Prefix& wider) { return config::contains(wider, block); });
    if (is_allowed)
      remark(0, "denied-peer-ip: " + to_string(block) + " is left out, since allowed-peer-ip has it");
    return is_allowed;
  });
  std::vector<std::string> keys;
  const auto add = [&](const char* key, const std::vector<Prefix>& blocks) {
    std::vector<std::string> items;
    items.reserve(blocks.size());
    for (const Prefix& block : blocks) items.push_back(quoted(to_string(block)));
    if (!items.empty()) keys.push_back(key + join_items(items));
  };
  add("allow: ", allowed);
  add("deny: ", denied);
  write("peers", keys);
}

void Conversion::write_limits() {
  std::vector<std::string> keys;
  add_number(keys, "total-quota", "allocations");
  add_number(keys, "user-quota", "allocations_per_user");
  add_number(keys, "bps-capacity", "bytes_per_second");
  add_number(keys, "max-bps", "bytes_per_second_per_allocation");
  add_number(keys, "max-allocate-lifetime", "allocation_lifetime", 600, 86400, "s");
  add_number(keys, "max-allocate-timeout", "idle_timeout", 1, 3600, "s");
  write("limits", keys);
}

// Up to version 4.6, coturn answers clients of RFC 3489 unless it is told not to.
void Conversion::write_stun() {
  if (is_on("rfc3489-compatibility")) return write("stun", {"rfc3489: true"});
  if (seen_.contains("no-stun-backward-compatibility") || seen_.contains("stun-backward-compatibility"))
    return;
  remark(0,
         "no-stun-backward-compatibility: without it coturn up to 4.6 answers clients of RFC 3489, such as "
         "Asterisk's stunaddr; if you have some: stun: {rfc3489: true}");
}

std::string Conversion::yaml(const std::string& name) {
  out_ = "# Made by turnpikectl import coturn of " + config::shown(name) + ". Read it, then check it with\n" +
         "# turnpikectl check FILE. It has secrets: run chmod 640.\n";
  if (is_on("realm")) {
    out_ += "realm: " + quoted(last("realm", "")) + '\n';
  } else {
    remark(0, "realm: coturn took this machine's domain. Keys of users hold for their realm alone.");
  }
  if (const auto threads = number("relay-threads", 0, 256); threads && *threads > 0)
    out_ += "workers: " + std::to_string(*threads) + '\n';
  write_listeners();
  write_tls();
  write_relay();
  write_auth();
  write_peers();
  write_limits();
  write_stun();
  if (is_on("Verbose")) write("log", {"level: debug"});
  write("admin", {"listen: [\"unix:/run/turnpike/admin.sock\"]"});
  remark(0,
         "peers: loopback, private, link-local and other special networks are denied here unless peers.allow "
         "has "
         "them; coturn allows private ones.");

  std::ranges::stable_sort(remarks_, {}, &Line::number);
  out_ += "\n# What is different, and what was left out:\n";
  for (const Line& each : remarks_)
    out_ += "# " + (each.number == 0 ? "" : "line " + std::to_string(each.number) + ": ") + each.text + '\n';
  return out_;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

}  // namespace

std::string convert_coturn_config(std::istream& file, const std::string& name) {
  Conversion conversion;
  std::string text;
  for (int line = 1; std::getline(file, text); ++line) {
    text = trimmed(text);
    if (text.empty() || text.front() == '#') continue;
    // Options of a command line may be written as they are there.
    if (text.starts_with("--")) text.erase(0, 2);
    const std::size_t end = std::min(text.find_first_of("= \t"), text.size());
    const std::size_t begin = std::min(text.find_first_not_of("= \t", end), text.size());
    std::string value = text.substr(begin);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    conversion.take(line, text.substr(0, end), value);
  }
  return conversion.yaml(name);
}

}  // namespace turnpike::turnpikectl
