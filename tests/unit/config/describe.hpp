// A Config and a list of errors as text, so that a test compares them at once and a failure shows what
// differs.
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

inline void describe(std::ostream& out, const SignalingParams& s) {
  for (const http::Listener& l : s.listen) {
    out << "signaling " << (l.secure ? "https " : "http ") << l.endpoint.to_string() << '\n';
  }
  out << "access=" << (s.effective_access() == signaling::Access::open ? "open" : "token") << '\n';
  for (const std::string& secret : s.token_secrets) out << "token_secret " << secret << '\n';
  out << "host '" << s.public_host << "' root '" << s.root << "'\n";
  for (const std::string& origin : s.cors) out << "cors " << origin << '\n';
  describe(out, "proxy", s.trusted_proxies);
  out << "credentials lifetime_ms=" << s.credential_lifetime.count()
      << " per_second=" << s.credentials_per_second << '\n';
  out << "signaling connect_timeout_ms=" << s.connect_timeout.count()
      << " max_payload=" << s.http.message_bytes << " max_waiting=" << s.http.waiting_bytes
      << " connections=" << s.http.connections << " per_address=" << s.http.connections_per_address
      << " members=" << s.limits.members_per_room << " rooms=" << s.limits.rooms_per_address << '\n';
}

inline std::string describe(const Config& c) {
  std::ostringstream out;
  out << "realm=" << c.realm << " auth.realm=" << c.auth.realm << "\nworkers=" << c.workers << '\n';
  for (const Listener& l : c.listen) {
    out << "listen " << scheme_of(l) << ' ' << l.endpoint.to_string() << '\n';
    describe(out, "behind", l.proxy_protocol);
    if (l.proxy_header_on_first_only) out << "behind first\n";
  }
  for (const IpAddress& a : c.relay.addresses) {
    out << "relay " << a.to_string() << '\n';
  }
  for (const auto& [local, told] : c.relay.advertise) {
    out << "advertise " << local.to_string() << " as " << told.to_string() << '\n';
  }
  for (const IpAddress& told : c.relay.advertise_for_only) {
    out << "advertise " << told.to_string() << '\n';
  }
  out << "ports " << c.relay.first_port << '-' << c.relay.last_port << (c.relay.tcp ? " tcp" : "")
      << (c.relay.mobility ? " mobility" : "") << '\n';
  for (const auth::UserParams& u : c.auth.users) {
    out << "user " << u.name;
    if (u.password) out << " password " << *u.password;
    if (u.key_md5) out << " md5 " << hex(*u.key_md5);
    if (u.key_sha256) out << " sha256 " << hex(*u.key_sha256);
    out << '\n';
  }
  for (const std::string& s : c.auth.secrets) {
    out << "secret " << s << '\n';
  }
  for (const auth::TokenKeyParams& k : c.auth.third_party.keys) {
    out << "token " << c.auth.third_party.server_name << ' ' << k.kid << ' ' << hex(k.key)
        << (k.algorithm == auth::TokenAlgorithm::a128gcm ? " A128GCM" : " A256GCM");
    if (k.valid_from) out << " from " << k.valid_from->time_since_epoch().count();
    if (k.valid_until) out << " until " << k.valid_until->time_since_epoch().count();
    out << '\n';
  }
  for (const turn::AlternateServer& a : c.relay.alternates.servers) {
    out << "alternate " << to_string(a.transport) << ' ' << a.endpoint.to_string() << " '" << a.domain << "'"
        << (c.relay.alternates.when == turn::Redirect::always ? " always" : " when full") << '\n';
  }
  out << "nonce_lifetime_ms=" << c.auth.nonce_lifetime.count() << '\n';
  describe(out, "allow", c.peers.allow);
  describe(out, "deny", c.peers.deny);
  out << "limits allocations=" << c.limits.allocations << " per_user=" << c.limits.allocations_per_user
      << " permissions=" << c.limits.permissions_per_allocation
      << " channels=" << c.limits.channels_per_allocation << '\n';
  out << "limits unauthenticated=" << c.limits.unauthenticated_per_second
      << " bindings=" << c.limits.bindings_per_second << " failures=" << c.limits.failures_per_second << '\n';
  out << "limits lifetime_ms=" << c.limits.allocation_lifetime.count()
      << " age_ms=" << c.limits.allocation_age.count() << '\n';
  out << "streams idle=" << c.streams.idle << " idle_per_address=" << c.streams.idle_per_address
      << " connect_timeout_ms=" << c.streams.connect_timeout.count()
      << " idle_timeout_ms=" << c.streams.idle_timeout.count() << '\n';
  for (const Endpoint& e : c.nat_discovery.alternates) {
    out << "alternate " << e.to_string() << '\n';
  }
  if (!c.tls.certificate.empty())
    out << "tls " << c.tls.certificate.describe() << ' ' << c.tls.private_key.describe() << '\n';
  for (const net::CertificateSources& f : c.tls.certificates) {
    out << "tls more " << f.certificate.describe() << ' ' << f.private_key.describe() << '\n';
  }
  if (c.signaling.enabled) describe(out, c.signaling);
  out << "log level="
      << (c.log.level == LogLevel::debug  ? "debug"
          : c.log.level == LogLevel::info ? "info"
                                          : "another")
      << " format=" << (c.log.format == LogFormat::json ? "json" : "text") << '\n';
  return out.str();
}

// The errors, one to a line; or what was loaded, where there is none.
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
