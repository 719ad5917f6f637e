// A Config and a list of errors as text, so that a test compares them at once and a failure shows what
// differs. The text has the value of each key: "every key changes what the configuration means" fails
// for a key that is missing here.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace turnpike::config::test {

inline std::string hex(Bytes bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 0xf];
  }
  return out;
}

inline void describe(std::ostream& out, std::string_view name, const std::vector<Prefix>& prefixes) {
  for (const Prefix& p : prefixes) {
    out << name << ' ' << p.address.to_string() << '/' << int{p.length} << '\n';
  }
}

inline void describe(std::ostream& out, std::string_view name, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) out << name << ' ' << text << '\n';
}

inline void describe(std::ostream& out, std::string_view name, const std::vector<http::Listener>& listeners) {
  for (const http::Listener& l : listeners) {
    out << name << (l.secure ? " https " : " http ") << l.endpoint.to_string() << '\n';
  }
}

// Writes an enumerator as its number.
template <class Enum>
int place_of(Enum value) {
  return static_cast<int>(value);
}

inline void describe(std::ostream& out, const SignalingParams& s) {
  describe(out, "signaling", s.listen);
  out << "access=" << (s.effective_access() == signaling::Access::open ? "open" : "token") << '\n';
  describe(out, "token_secret", s.token_secrets);
  out << "host '" << s.public_host << "' root '" << s.root << "'\n";
  describe(out, "cors", s.cors);
  describe(out, "signaling host", s.hosts);
  describe(out, "proxy", s.trusted_proxies);
  out << "credentials lifetime_ms=" << s.credential_lifetime.count()
      << " per_second=" << s.credentials_per_second << '\n';
  out << "signaling connect_timeout_ms=" << s.connect_timeout.count()
      << " max_payload=" << s.http.message_bytes << " max_waiting=" << s.http.waiting_bytes
      << " connections=" << s.http.connections << " per_address=" << s.http.connections_per_address
      << " bytes_per_address=" << s.http.bytes_per_second_per_address
      << " members=" << s.limits.members_per_room << " rooms=" << s.limits.rooms_per_address << '\n';
  out << "socket.io preset=" << place_of(s.preset) << " ping_ms=" << s.ping_interval.count() << '/'
      << s.ping_timeout.count() << " recovery_ms=" << s.recovery.count() << (s.list_rooms ? " list" : "")
      << '\n';
}

inline void describe(std::ostream& out, const Listener& l) {
  out << "listen " << scheme_of(l) << ' ' << l.endpoint.to_string() << '\n';
  describe(out, "behind", l.proxy_protocol);
  if (l.proxy_header_on_first_only) out << "behind first\n";
  if (l.web) out << "web " << l.web->at.to_string() << (l.web->wants_proxy_header ? " with header\n" : "\n");
}

inline void describe(std::ostream& out, const turn::RelayParams& r) {
  for (const IpAddress& a : r.addresses) {
    out << "relay " << a.to_string() << '\n';
  }
  for (const auto& [local, told] : r.advertise) {
    out << "advertise " << local.to_string() << " as " << told.to_string() << '\n';
  }
  for (const IpAddress& told : r.advertise_for_only) {
    out << "advertise " << told.to_string() << '\n';
  }
  out << "ports " << r.first_port << '-' << r.last_port << (r.tcp ? " tcp" : "")
      << (r.mobility ? " mobility" : "") << '\n';
  out << "relay buffer=" << r.receive_buffer << " default_family=" << place_of(r.default_family)
      << " redirect=" << (r.alternates.when == turn::Redirect::always ? "always" : "full") << '\n';
  if (r.alternates.from_cluster) out << "alternates of the cluster\n";
  for (const turn::AlternateServer& a : r.alternates.servers) {
    out << "alternate " << to_string(a.transport) << ' ' << a.endpoint.to_string() << " '" << a.domain
        << "'\n";
  }
}

inline void describe(std::ostream& out, const auth::Params& a) {
  for (const auth::UserParams& u : a.users) {
    out << "user " << u.name;
    if (u.password) out << " password " << *u.password;
    if (u.key_md5) out << " md5 " << hex(*u.key_md5);
    if (u.key_sha256) out << " sha256 " << hex(*u.key_sha256);
    out << '\n';
  }
  describe(out, "secret", a.secrets);
  for (const auth::TokenKeyParams& k : a.third_party.keys) {
    out << "token " << a.third_party.server_name << ' ' << k.kid << ' ' << hex(k.key)
        << (k.algorithm == auth::TokenAlgorithm::a128gcm ? " A128GCM" : " A256GCM");
    if (k.valid_from) out << " from " << k.valid_from->time_since_epoch().count();
    if (k.valid_until) out << " until " << k.valid_until->time_since_epoch().count();
    out << '\n';
  }
  out << "nonce_lifetime_ms=" << a.nonce_lifetime.count() << (a.strict_expiry ? " strict\n" : "\n");
}

// Leaves out counts_shared_names, which only says that a key is in the file.
inline void describe(std::ostream& out, const turn::Limits& l) {
  out << "limits allocations=" << l.allocations << " per_user=" << l.allocations_per_user
      << " per_address=" << l.allocations_per_address << " permissions=" << l.permissions_per_allocation
      << " channels=" << l.channels_per_allocation << '\n';
  out << "limits peer_connections=" << l.peer_connections << " per_user=" << l.peer_connections_per_user
      << '\n';
  out << "limits bytes=" << l.bytes_per_second << " per_user=" << l.bytes_per_second_per_user
      << " per_allocation=" << l.bytes_per_second_per_allocation << '\n';
  out << "limits unauthenticated=" << l.unauthenticated_per_second << " bindings=" << l.bindings_per_second
      << " failures=" << l.failures_per_second << '\n';
  out << "limits lifetime_ms=" << l.allocation_lifetime.count() << " age_ms=" << l.allocation_age.count()
      << '\n';
}

inline void describe(std::ostream& out, const relay::StreamLimits& s) {
  out << "streams idle=" << s.idle << " idle_per_address=" << s.idle_per_address
      << " connect_timeout_ms=" << s.connect_timeout.count() << " idle_timeout_ms=" << s.idle_timeout.count()
      << '\n';
  out << "web connections=" << s.web << " per_address=" << s.web_per_address
      << " idle_timeout_ms=" << s.web_idle_timeout.count() << '\n';
}

inline void describe(std::ostream& out, const net::TlsParams& t) {
  if (!t.certificate.empty())
    out << "tls " << t.certificate.describe() << ' ' << t.private_key.describe() << '\n';
  for (const net::CertificateSources& f : t.certificates) {
    out << "tls more " << f.certificate.describe() << ' ' << f.private_key.describe() << '\n';
  }
  out << "tls " << (t.only_tls_1_3 ? "1.3" : "1.2") << " ciphers '" << t.ciphers << "'\n";
}

inline void describe(std::ostream& out, const cluster::Params& c) {
  const cluster::RedisAddress& r = c.redis;
  out << "cluster node '" << c.node << "' prefix " << c.prefix << " redis " << (r.tls ? "tls " : "") << r.host
      << ':' << r.port << r.unix_socket << '/' << r.database << ' ' << r.user << ' ' << r.password << '\n';
  describe(out, "cluster secret", c.secrets);
}

inline std::string describe(const Config& c) {
  std::ostringstream out;
  out << "realm=" << c.realm << " auth.realm=" << c.auth.realm << "\nworkers=" << c.workers << '\n';
  for (const Listener& l : c.listen) describe(out, l);
  describe(out, c.relay);
  out << "batching_delay_us=" << c.batching_delay.count() << '\n';
  describe(out, c.auth);
  if (!c.user_database.empty()) out << "database " << c.user_database << '\n';
  describe(out, "client", c.clients.allow);
  describe(out, "no client", c.clients.deny);
  describe(out, "exempt", c.clients.exempt);
  describe(out, "allow", c.peers.allow);
  describe(out, "deny", c.peers.deny);
  describe(out, c.limits);
  describe(out, c.streams);
  for (const Endpoint& e : c.nat_discovery.alternates) {
    out << "alternate " << e.to_string() << '\n';
  }
  if (c.stun.rfc3489) out << "stun rfc3489\n";
  describe(out, c.tls);
  if (c.signaling.enabled) describe(out, c.signaling);
  describe(out, "admin unix", c.admin.unix_sockets);
  describe(out, "admin", c.admin.listeners);
  describe(out, "admin token_secret", c.admin.token_secrets);
  describe(out, "admin host", c.admin.hosts);
  if (c.cluster.is_enabled()) describe(out, c.cluster);
  out << "shutdown drain_ms=" << c.shutdown.drain.count() << " deadline_ms=" << c.shutdown.deadline.count()
      << '\n';
  out << "log level=" << place_of(c.log.level)
      << " format=" << (c.log.format == LogFormat::json ? "json" : "text")
      << " addresses=" << (c.log.addresses == ShownAddresses::prefix ? "prefix" : "full") << '\n';
  return out.str();
}

// Returns the errors, one on each line, or what was loaded when there is none.
inline std::string outcome(const Result<Config, Errors>& loaded) {
  if (loaded) return describe(*loaded);
  std::string out;
  for (const Error& error : loaded.error()) {
    out += (out.empty() ? "" : "\n") + to_string(error);
  }
  return out;
}

inline std::string outcome(std::string_view text, const std::vector<std::string>& overrides = {}) {
  return outcome(parse(text, "t.yaml", overrides));
}

}  // namespace turnpike::config::test
