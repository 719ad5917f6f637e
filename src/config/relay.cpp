#include <algorithm>
#include <optional>
#include <set>

#include "config/fields.hpp"
#include "config/prefix.hpp"
#include "config/read.hpp"
#include "config/text.hpp"

namespace turnpike::config {
namespace {

constexpr std::uint32_t kFirstUnprivilegedPort = 1024;
constexpr std::uint32_t kLastPort = 65535;
constexpr std::string_view kHostAddress = "an IPv4 or IPv6 address that a host can have";

std::optional<IpAddress> parse_host_address(std::string_view text) {
  const std::optional<IpAddress> address = IpAddress::parse(text);
  return address && is_host_address(*address) ? address : std::nullopt;
}

// Returns the local addresses that clients may be told of, if none is `auto`: the relayed addresses, and with
// NAT discovery the source addresses of answers.
std::set<IpAddress> addresses_told(const Config& config) {
  std::set<IpAddress> announced(config.relay.addresses.begin(), config.relay.addresses.end());
  for (const Endpoint& alternate : config.nat_discovery.alternates) announced.insert(alternate.address);
  for (const Listener& listener : config.listen) {
    if (find_alternate(listener, config)) announced.insert(listener.endpoint.address);
  }
  return announced;
}

bool is_auto(const Value& value) { return value.is_scalar() && value.text() == "auto"; }

}  // namespace

void read_relay_addresses(const Value& value, std::vector<IpAddress>& out) {
  const std::vector<Value> items = value.items();
  if (!value.is_list() || items.empty()) return value.expected("[auto] or a list of addresses");
  if (items.size() == 1 && is_auto(items[0])) return out.clear();
  for (const Value& item : items) {
    const std::optional<IpAddress> address =
        item.is_scalar() ? parse_host_address(item.text()) : std::nullopt;
    if (is_auto(item)) {
      item.expected("auto to be the only item of the list");
    } else if (!address) {
      item.expected(kHostAddress);
    } else if (std::ranges::find(out, *address) != out.end()) {
      item.expected("each address once");
    } else {
      out.push_back(*address);
    }
  }
}

namespace {

// Reads the form without local addresses: each address is for the only relayed address of its family.
void read_advertised_for_only(const std::vector<Value>& values, std::vector<IpAddress>& out) {
  for (const Value& value : values) {
    const std::optional<IpAddress> public_address =
        value.is_scalar() ? parse_host_address(value.text()) : std::nullopt;
    if (!public_address) {
      value.expected(kHostAddress);
    } else if (std::ranges::find(out, public_address->family(), &IpAddress::family) != out.end()) {
      value.expected("one address of each family");
    } else {
      out.push_back(*public_address);
    }
  }
}

}  // namespace

void read_advertise(const Value& value, turn::RelayParams& relay) {
  if (value.is_scalar() || value.is_list()) {
    return read_advertised_for_only(one_or_more(value), relay.advertise_for_only);
  }
  if (!value.is_map()) return value.expected("an address, or a map from local to advertised addresses");
  std::map<IpAddress, IpAddress>& out = relay.advertise;
  for (const auto& [key, entry] : value.entries()) {
    const std::optional<IpAddress> local = parse_host_address(key);
    const std::optional<IpAddress> public_address =
        entry.is_scalar() ? parse_host_address(entry.text()) : std::nullopt;
    if (!local) {
      entry.problem(std::string("expected as its key ").append(kHostAddress));
    } else if (!public_address || public_address->family() != local->family()) {
      entry.expected("an address of the same family that a host can have");
    } else if (!out.emplace(*local, *public_address).second) {
      entry.expected("each local address once");
    }
  }
}

void read_ports(const Value& value, turn::RelayParams& out) {
  const std::string_view text = value.text();
  const std::size_t dash = std::min(text.find('-'), text.size());
  const std::optional<std::uint32_t> first = parse_number(text.substr(0, dash));
  const std::optional<std::uint32_t> last = parse_number(text.substr(std::min(dash + 1, text.size())));
  if (!first || !last || *first < kFirstUnprivilegedPort || *last < *first || *last > kLastPort) {
    return value.expected("FIRST-LAST within 1024-65535, such as 49152-65535");
  }
  out.first_port = static_cast<std::uint16_t>(*first);
  out.last_port = static_cast<std::uint16_t>(*last);
}

namespace {

// The address of `auto` is known only when the daemon starts, so it cannot be checked here.
void check_advertised_for_only(const Value& value, const IpAddress& public_address,
                               const turn::RelayParams& relay) {
  const auto of_family = std::ranges::count(relay.addresses, public_address.family(), &IpAddress::family);
  if (std::ranges::find(relay.addresses, public_address) != relay.addresses.end()) {
    value.expected("an address that is not a local one here");
  } else if (!relay.addresses.empty() && of_family != 1) {
    value.expected(
        "one address of this family in relay.addresses, or the local address as a key, as in "
        "{10.0.0.5: 198.51.100.7}");
  }
}

}  // namespace

// Addresses are translated in both directions, so each advertised address must belong to exactly one local
// address.
void check_advertise(const Value& advertise, const Config& config) {
  const turn::RelayParams& relay = config.relay;
  if (!advertise.is_map()) {
    for (const Value& value : one_or_more(advertise))
      check_advertised_for_only(value, *parse_host_address(value.text()), relay);
    return;
  }
  const std::set<IpAddress> told_of = addresses_told(config);
  std::set<IpAddress> seen;
  for (const auto& [key, entry] : advertise.entries()) {
    const IpAddress local = *IpAddress::parse(key);
    const IpAddress public_address = relay.advertise.at(local);
    if (!relay.addresses.empty() && !told_of.contains(local)) {
      entry.problem("expected as its key one of relay.addresses");
    } else if (relay.advertise.contains(public_address)) {
      entry.expected("an address that is not a local one here");
    } else if (!seen.insert(public_address).second) {
      entry.expected("an address that is advertised for one local address only");
    }
  }
}

}  // namespace turnpike::config
