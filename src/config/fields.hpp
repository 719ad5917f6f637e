// One reader for each kind of value. A reader either stores the value in `out`, or reports an error that says
// what was expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/value.hpp"

namespace turnpike::config {

inline constexpr std::string_view kUnix = "unix:";  // stands before the path of a unix socket

// fields.cpp: values on one line
void read_realm(const Value& value, std::string& out);
void read_workers(const Value& value, unsigned& out);
void read_count(const Value& value, std::uint32_t& out);
// In milliseconds. Both bounds are allowed.
void read_duration(const Value& value, Duration shortest, Duration longest, Duration& out);
// In microseconds; 0 means no delay.
void read_batching_delay(const Value& value, std::chrono::microseconds& out);
void read_flag(const Value& value, bool& out);
// Octets per second: a number, optionally with KiB or MiB; 0 means no limit.
void read_rate(const Value& value, std::uint32_t& out);
void read_default_family(const Value& value, turn::DefaultFamily& out);
// In bytes. Both bounds are allowed.
void read_size(const Value& value, std::uint32_t smallest, std::uint32_t largest, std::uint32_t& out);
// Whole seconds: 0, which means no limit, or one minute to one year.
void read_age(const Value& value, Duration& out);
// Whole seconds, from `shortest` to one day.
void read_lifetime(const Value& value, std::chrono::seconds shortest, Duration& out);
// A relay in the kernel has these keys. This build has none, so `off` is the only mode.
void read_offload(const Value& value, Config& config);
void read_level(const Value& value, LogLevel& out);
void read_format(const Value& value, LogFormat& out);
void read_shown_addresses(const Value& value, ShownAddresses& out);
void read_access(const Value& value, std::optional<signaling::Access>& out);
void read_preset(const Value& value, signaling::Preset& out);

// listen.cpp
void read_listeners(const Value& value, std::vector<Listener>& out);
// Whether both listeners would receive the same packets.
bool clash(const Listener& a, const Listener& b);
// Checks that no web server behind a listener is a listener of ours.
void check_web_servers(const Value& value, const Config& config);
// Checks that listeners with TLS have a certificate.
void check_secure_listeners(const Value& value, const Config& config);

// Parses the transport and endpoint of "udp://192.0.2.1:3478", for any purpose.
std::optional<Listener> parse_listener(std::string_view url);

// alternate_servers.cpp
void read_alternate_servers(const Value& value, turn::AlternateParams& out);
// Checks that there is a cluster when alternate_servers is `cluster`.
void check_alternate_servers(const Value& value, const Config& config);
void read_redirect(const Value& value, turn::Redirect& out);

// nat_discovery.cpp
void read_alternates(const Value& value, std::vector<Endpoint>& out);
// Checks that the alternates agree with `listen`.
void check_alternates(const Value& value, const Config& config);

// tls.cpp
// A file, as PATH or {file: PATH}; or {env: NAME}.
void read_pem_source(const Value& value, net::PemSource& out);
void read_certificates(const Value& value, std::vector<net::CertificateSources>& out);
void read_min_version(const Value& value, bool& only_tls_1_3);
void read_ciphers(const Value& value, std::string& out);
// Checks that a certificate has its key and a key its certificate, also beside a list of certificates.
void check_tls(const Value& section);

// relay.cpp
void read_relay_addresses(const Value& value, std::vector<IpAddress>& out);
void read_advertise(const Value& value, turn::RelayParams& out);
void read_ports(const Value& value, turn::RelayParams& out);
// Reports entries of `advertise` that no relayed address uses, or that several would use.
void check_advertise(const Value& advertise, const Config& config);

// auth.cpp
void read_users(const Value& value, std::vector<auth::UserParams>& out);
void read_secrets(const Value& value, std::vector<std::string>& out);
// Reads sqlite:PATH. The folder must exist; the file need not.
void read_database(const Value& value, std::string& out);
void warn_of_short_secrets(const Value& value, std::vector<std::string>& warnings);

// third_party.cpp
void read_third_party(const Value& value, auth::ThirdPartyParams& out);

// signaling.cpp
// Whether two TCP listeners cannot both use these endpoints.
bool clash(const Endpoint& a, const Endpoint& b);
// Parses "http://127.0.0.1:8080", or the same with https. Nothing for anything else.
std::optional<http::Listener> parse_site_listener(const Value& value);
void read_site_listeners(const Value& value, std::vector<http::Listener>& out);
void read_token_secrets(const Value& value, std::vector<std::string>& out);
void read_host(const Value& value, std::string& out);
void read_folder(const Value& value, std::string& out);
void read_origins(const Value& value, std::vector<std::string>& out);
void read_hosts(const Value& value, std::vector<std::string>& out);
void read_proxies(const Value& value, std::vector<Prefix>& out);
void read_bytes(const Value& value, std::uint32_t smallest, std::uint32_t largest, std::uint32_t& out);
// Checks that the listeners of signaling clash with none of `listen`.
void check_site_listeners(const Value& section, const Config& config);
// Checks that https:// has a certificate.
void check_secure_sites(const Value& section, const Config& config);
// Checks that there are secrets for tokens where tokens are asked for. Warns where everybody has access.
void check_access(const Value& section, Config& config);

// admin.cpp
void read_admin_listeners(const Value& value, admin::Params& out);
// Checks that the secrets of admin are not those of signaling.
void check_admin_secrets(const Value& section, const Config& config);
// Checks that the listeners of admin clash with no others.
void check_admin_listeners(const Value& section, const Config& config);

// cluster.cpp
void read_redis(const Value& value, cluster::RedisAddress& out);
// Reads one secret or a list of secrets.
void read_cluster_secrets(const Value& value, std::vector<std::string>& out);
void read_prefix(const Value& value, std::string& out);
// Checks that all keys which a cluster needs are set.
void check_cluster(const Value& section, const Config& config);

// peers.cpp
void read_allow(const Value& value, std::vector<Prefix>& out);
// Reads networks of clients; any network is allowed.
void read_networks(const Value& value, std::vector<Prefix>& out);
// Reports prefixes of clients.deny that are also in clients.allow.
void check_client_deny(const Value& deny, const Config& config);
// Reports prefixes of peers.deny that are also allowed, even if only by the local or advertised form of the
// address.
void check_deny(const Value& deny, const Config& config);

}  // namespace turnpike::config
