#include <algorithm>
#include <optional>

#include "config/fields.hpp"
#include "config/prefix.hpp"
#include "config/read.hpp"

namespace turnpike::config {
namespace {

struct Forbidden {
  std::string_view prefix;
  std::string_view why;
};

// No part of these blocks may be allowed. A wider prefix, such as 0.0.0.0/0, is allowed, because the policy's
// own rules for these blocks have longer prefixes.
constexpr Forbidden kForbidden[] = {
    {"0.0.0.0/8", "unspecified addresses"},
    {"224.0.0.0/4", "multicast addresses"},
    {"ff00::/8", "multicast addresses"},
    {"::/128", "unspecified addresses"},
    {"::ffff:0:0:0/96", "addresses with an IPv4 address inside"},  // RFC 2765: IPv4-translated
    {"64:ff9b::/96", "addresses with an IPv4 address inside"},     // RFC 6052
    {"64:ff9b:1::/48", "addresses with an IPv4 address inside"},   // RFC 8215
    {"2001::/32", "addresses with an IPv4 address inside"},        // RFC 4380: Teredo
    {"2002::/16", "addresses with an IPv4 address inside"},        // RFC 3056: 6to4
    {"::/96", "addresses with an IPv4 address inside"},            // RFC 4291 §2.5.5.1; ::1 is in here too
};

std::optional<std::string_view> why_forbidden(const Prefix& prefix) {
  static const Prefix loopback = *parse_prefix("::1/128");
  if (prefix == loopback) return std::nullopt;
  for (const auto& [text, why] : kForbidden) {
    if (contains(*parse_prefix(text), prefix)) return why;
  }
  return std::nullopt;
}

std::optional<Prefix> read_peer_prefix(const Value& value) {
  const std::optional<Prefix> prefix = value.is_scalar() ? parse_prefix(value.text()) : std::nullopt;
  if (!prefix) {
    value.expected("a prefix such as 10.20.0.0/16 or 2001:db8::/32, or one address");
  } else if (is_v4_mapped(prefix->address)) {
    value.expected("an IPv4 prefix in its own form, such as 10.20.0.0/16");
  } else if (const Prefix clean = without_host_bits(*prefix); clean != *prefix) {
    value.expected("no bits beyond the prefix length, that is " + to_string(clean));
  } else {
    return prefix;
  }
  return std::nullopt;
}

template <class Accept>
void read_prefixes(const Value& value, std::vector<Prefix>& out, Accept accept) {
  read_list(value, "a list of prefixes", [&](const Value& item) {
    const std::optional<Prefix> prefix = read_peer_prefix(item);
    if (prefix && accept(item, *prefix)) out.push_back(*prefix);
  });
}

}  // namespace

void read_allow(const Value& value, std::vector<Prefix>& out) {
  read_prefixes(value, out, [](const Value& item, const Prefix& prefix) {
    const std::optional<std::string_view> why = why_forbidden(prefix);
    if (why) item.problem(item.with_got(std::string(*why) + " cannot be allowed"));
    return !why;
  });
}

void read_networks(const Value& value, std::vector<Prefix>& out) {
  read_prefixes(value, out, [](const Value&, const Prefix&) { return true; });
}

void check_client_deny(const Value& deny, const Config& config) {
  for (const Value& item : deny.items()) {
    const std::vector<Prefix>& allowed = config.clients.allow;
    const bool is_allowed = std::ranges::find(allowed, *parse_prefix(item.text())) != allowed.end();
    if (is_allowed) item.expected("a prefix that clients.allow does not have");
  }
}

namespace {

// Returns the advertised address of each local one, if the file shows which local one it is for.
std::map<IpAddress, IpAddress> advertised_for(const turn::RelayParams& relay) {
  std::map<IpAddress, IpAddress> advertised = relay.advertise;
  for (const IpAddress& public_address : relay.advertise_for_only) {
    const auto local = std::ranges::find(relay.addresses, public_address.family(), &IpAddress::family);
    if (local != relay.addresses.end()) advertised.emplace(*local, public_address);
  }
  return advertised;
}

// Converts an advertised address of the relay to its local form. Both forms mean the same address.
Prefix in_local_spelling(const Prefix& prefix, const std::map<IpAddress, IpAddress>& advertise) {
  for (const auto& [local, public_address] : advertise) {
    const std::uint8_t whole = public_address.is_v4() ? 32 : 128;
    if (prefix == Prefix{public_address, whole}) return {local, whole};
  }
  return prefix;
}

}  // namespace

void check_deny(const Value& deny, const Config& config) {
  const std::map<IpAddress, IpAddress> advertise = advertised_for(config.relay);
  for (const Value& item : deny.items()) {
    const Prefix denied = in_local_spelling(*parse_prefix(item.text()), advertise);
    const bool is_allowed = std::ranges::any_of(config.peers.allow, [&](const Prefix& allowed) {
      return in_local_spelling(allowed, advertise) == denied;
    });
    if (is_allowed) item.expected("a prefix that peers.allow does not have");
  }
}

}  // namespace turnpike::config
