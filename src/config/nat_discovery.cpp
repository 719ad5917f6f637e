#include <algorithm>

#include "config/fields.hpp"
#include "config/prefix.hpp"
#include "config/read.hpp"

namespace turnpike::config {
namespace {

constexpr std::string_view kForm =
    "ADDRESS:PORT, a second address of this machine and a second port, such as 198.51.100.8:3479";

// Returns the name of an element of `listen` for a message.
std::string name_in_list(const Listener& listener, const Config& config) {
  return "listen[" + std::to_string(&listener - config.listen.data()) + "]";
}

template <class Predicate>
const Listener* find_listener(const Config& config, Predicate&& predicate) {
  const auto found = std::ranges::find_if(config.listen, predicate);
  return found == config.listen.end() ? nullptr : &*found;
}

const Listener* find_primary(const Config& config, Transport transport, Family family) {
  const Listener* udp = find_listener(config, [&](const Listener& l) {
    return l.transport == Transport::udp && l.endpoint.family() == family;
  });
  if (transport == Transport::udp || !udp) return udp;
  return find_listener(config, [&](const Listener& l) {
    return l.transport == transport && l.endpoint.address == udp->endpoint.address && !l.auto_detect &&
           l.proxy_protocol.empty();
  });
}

// Returns the endpoints that the daemon opens besides the primary one. A wildcard listener covers both
// addresses already.
std::vector<Endpoint> additional(const Endpoint& primary, const Endpoint& alternate) {
  if (primary.address.is_unspecified()) return {{primary.address, alternate.port}};
  return {{primary.address, alternate.port}, {alternate.address, primary.port}, alternate};
}

void check_against(const Listener& primary, const Value& value, const Endpoint& alternate,
                   const Config& config) {
  const std::string name = name_in_list(primary, config);
  if (alternate.address == primary.endpoint.address)
    return value.expected("another address than that of " + name);
  if (alternate.port == primary.endpoint.port && alternate.port != 0)
    return value.expected("another port than that of " + name);
  for (const Endpoint& at : additional(primary.endpoint, alternate)) {
    const Listener* taken = find_listener(config, [&](const Listener& listener) {
      return &listener != &primary && clash(listener, {primary.transport, at});
    });
    if (!taken) continue;
    return value.problem("needs " + std::string(to_string(primary.transport)) + "://" + at.to_string() +
                         ", which " + name_in_list(*taken, config) + " takes");
  }
}

void check_alternate(const Value& value, const Endpoint& alternate, const Config& config) {
  const Listener* udp = find_primary(config, Transport::udp, alternate.family());
  const bool v4 = alternate.address.is_v4();
  if (!udp) return value.problem(std::string("needs a udp:// listener for IPv") + (v4 ? "4" : "6"));
  check_against(*udp, value, alternate, config);
  if (const Listener* tcp = find_primary(config, Transport::tcp, alternate.family()))
    check_against(*tcp, value, alternate, config);
}

}  // namespace

std::optional<Endpoint> find_alternate(const Listener& listener, const Config& config) {
  for (const Endpoint& alternate : config.nat_discovery.alternates) {
    for (const Transport transport : {Transport::udp, Transport::tcp}) {
      if (&listener == find_primary(config, transport, alternate.family())) return alternate;
    }
  }
  return std::nullopt;
}

void read_alternates(const Value& value, std::vector<Endpoint>& out) {
  for (const Value& item : one_or_more(value)) {
    const std::optional<Endpoint> alternate = item.is_scalar() ? Endpoint::parse(item.text()) : std::nullopt;
    if (!alternate || !is_host_address(alternate->address)) {
      item.expected(kForm);
    } else if (std::ranges::find(out, alternate->family(), &Endpoint::family) != out.end()) {
      item.expected("one alternate for each of IPv4 and IPv6");
    } else {
      out.push_back(*alternate);
    }
  }
}

void check_alternates(const Value& value, const Config& config) {
  const std::vector<Value> items = one_or_more(value);
  for (std::size_t i = 0; i < items.size(); ++i) {
    check_alternate(items[i], config.nat_discovery.alternates[i], config);
  }
}

}  // namespace turnpike::config
