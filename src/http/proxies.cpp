#include "http/proxies.hpp"

#include <algorithm>

#include "http/message.hpp"

namespace turnpike::http {
namespace {

// Parses an address with or without a port, as proxies write it.
std::optional<IpAddress> parse_hop(std::string_view text) {
  auto address = IpAddress::parse(text);
  if (!address) address = IpAddress::parse(host_without_port(text));
  // Proxies that listen on [::] write IPv4 clients in this form. Without this, all of them would be in one
  // /64.
  if (address) address = unmapped(*address);
  return address;
}

}  // namespace

bool Proxies::is_trusted(const IpAddress& address) const {
  return std::ranges::any_of(trusted_, [&](const Prefix& prefix) { return contains(prefix, address); });
}

// Reads the list from the right, where the nearest proxy wrote. The first address that is not a trusted proxy
// is the client. Entries further left may be forged by the client.
IpAddress Proxies::client(const IpAddress& peer, std::string_view forwarded_for) const {
  IpAddress client = peer;
  while (is_trusted(client)) {
    const auto hop = parse_hop(take_last_member(forwarded_for));
    if (!hop) break;
    client = *hop;
  }
  return client;
}

}  // namespace turnpike::http
