#include <algorithm>
#include <optional>

#include "config/build.hpp"
#include "config/fields.hpp"
#include "config/prefix.hpp"

namespace turnpike::config {
namespace {

struct Scheme {
  std::string_view name;
  Transport transport;
};

constexpr Scheme kSchemes[] = {{"udp", Transport::udp}, {"tcp", Transport::tcp}, {"tls", Transport::tls}};
constexpr std::string_view kSchemeEnd = "://";
constexpr std::string_view kUrlForm =
    "udp://, tcp:// or tls:// and ADDRESS:PORT, such as udp://0.0.0.0:3478 or udp://[::]:3478";

// The URL of an element of `listen`: the element itself, or the `url` of a map.
std::optional<Value> find_url(const Value& element) {
  if (!element.is_map()) return element;
  std::optional<Value> url;
  for (const auto& [key, value] : element.entries()) {
    if (key == "url") {
      url = value;
    } else {
      report_unknown(element, key, value, {"url"});
    }
  }
  if (!url) element.expected("a url");
  return url;
}

std::optional<Transport> read_scheme(const Value& url, std::string_view scheme) {
  for (const Scheme& known : kSchemes) {
    if (known.name == scheme) return known.transport;
  }
  if (std::ranges::find(kAbsentSchemes, scheme) != std::ranges::end(kAbsentSchemes)) {
    url.problem(url.with_got(std::string(scheme).append(kSchemeEnd) + " is not in this build"));
  } else {
    url.expected(kUrlForm);
  }
  return std::nullopt;
}

bool can_be_bound(const IpAddress& address) { return address.is_unspecified() || is_host_address(address); }

std::optional<Listener> read_url(const Value& url) {
  const std::size_t scheme_length = url.text().find(kSchemeEnd);
  if (!url.is_scalar() || scheme_length == std::string::npos) {
    url.expected(kUrlForm);
    return std::nullopt;
  }
  const std::optional<Transport> transport = read_scheme(url, url.text().substr(0, scheme_length));
  if (!transport) return std::nullopt;

  const std::optional<Endpoint> endpoint =
      Endpoint::parse(url.text().substr(scheme_length + kSchemeEnd.size()));
  if (!endpoint || !can_be_bound(endpoint->address)) {
    url.expected(kUrlForm);
    return std::nullopt;
  }
  return Listener{*transport, *endpoint};
}

// Whether both would receive the same client's packets. [::] is IPv6 only and leaves 0.0.0.0 alone; port 0 is
// another port each time.
bool clash(const Listener& a, const Listener& b) {
  const IpAddress& first = a.endpoint.address;
  const IpAddress& second = b.endpoint.address;
  const bool same_address = first == second || first.is_unspecified() || second.is_unspecified();
  return is_stream(a.transport) == is_stream(b.transport) && a.endpoint.port == b.endpoint.port &&
         a.endpoint.port != 0 && first.family() == second.family() && same_address;
}

struct Placed {
  Listener listener;
  std::string path;
};

}  // namespace

std::vector<Listener> default_listeners() {
  constexpr std::uint16_t kStunPort = 3478;  // RFC 8489 §8.1
  return {{Transport::udp, {IpAddress::v4(0), kStunPort}}, {Transport::udp, {IpAddress::v6({}), kStunPort}}};
}

void read_listeners(const Value& value, std::vector<Listener>& out) {
  if (!value.is_list() || value.items().empty()) return value.expected("a list of at least one URL");
  std::vector<Placed> placed;
  for (const Value& element : value.items()) {
    const std::optional<Value> url = find_url(element);
    const std::optional<Listener> listener = url ? read_url(*url) : std::nullopt;
    if (!listener) continue;
    const auto taken =
        std::ranges::find_if(placed, [&](const Placed& p) { return clash(p.listener, *listener); });
    if (taken == placed.end()) {
      placed.push_back({*listener, element.path()});
    } else {
      url->expected("an address and port that " + taken->path + " does not take");
    }
  }
  out.clear();
  for (const Placed& p : placed) {
    out.push_back(p.listener);
  }
}

void check_listeners(const Value& value, const Config& config) {
  const bool secure =
      std::ranges::any_of(config.listen, [](const Listener& l) { return l.transport == Transport::tls; });
  if (!secure) return;
  if (config.tls.certificate.empty()) value.problem("tls:// needs tls.certificate");
  if (config.tls.private_key.empty()) value.problem("tls:// needs tls.private_key");
}

}  // namespace turnpike::config
