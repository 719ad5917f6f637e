#include <algorithm>
#include <optional>

#include "config/fields.hpp"
#include "config/prefix.hpp"
#include "config/read.hpp"

namespace turnpike::config {
namespace {

struct Scheme {
  std::string_view name;
  Transport transport;
};

constexpr Scheme kSchemes[] = {
    {"udp", Transport::udp}, {"tcp", Transport::tcp}, {"tls", Transport::tls}, {"dtls", Transport::dtls}};
constexpr std::string_view kSchemeEnd = "://";
constexpr std::string_view kListenerUrlForm =
    "udp://, tcp://, tls://, dtls:// or auto:// and ADDRESS:PORT, such as udp://0.0.0.0:3478 or "
    "udp://[::]:3478";

constexpr std::string_view kAuto = "auto";

// An element of `listen`: a URL, or a map that contains the URL.
struct Element {
  std::optional<Value> url;
  std::optional<Value> proxy_protocol;
  std::optional<Value> proxy_header;
  std::optional<Value> web;
  std::optional<Value> web_proxy_protocol;
};

Element split_element(const Value& element) {
  Element found;
  if (!element.is_map()) {
    found.url = element;
    return found;
  }
  const auto keep_in = [](std::optional<Value>& part) {
    return [&part](const Value& value) { part = value; };
  };
  read_map(element, {{"url", keep_in(found.url)},
                     {"proxy_protocol", keep_in(found.proxy_protocol)},
                     {"proxy_header", keep_in(found.proxy_header)},
                     {"web", keep_in(found.web)},
                     {"web_proxy_protocol", keep_in(found.web_proxy_protocol)}});
  if (!found.url) element.expected("a url");
  return found;
}

std::optional<Transport> read_scheme(const Value& url, std::string_view scheme) {
  if (scheme == kAuto) return Transport::tcp;
  for (const Scheme& known : kSchemes) {
    if (known.name == scheme) return known.transport;
  }
  url.expected(kListenerUrlForm);
  return std::nullopt;
}

bool can_be_bound(const IpAddress& address) { return address.is_unspecified() || is_host_address(address); }

std::optional<Listener> read_listener_url(const Value& url) {
  const std::size_t scheme_length = url.text().find(kSchemeEnd);
  if (!url.is_scalar() || scheme_length == std::string::npos) {
    url.expected(kListenerUrlForm);
    return std::nullopt;
  }
  const std::string scheme = url.text().substr(0, scheme_length);
  const std::optional<Transport> transport = read_scheme(url, scheme);
  if (!transport) return std::nullopt;

  const std::optional<Endpoint> endpoint =
      Endpoint::parse(url.text().substr(scheme_length + kSchemeEnd.size()));
  if (!endpoint || !can_be_bound(endpoint->address)) {
    url.expected(kListenerUrlForm);
    return std::nullopt;
  }
  return Listener{*transport, *endpoint, scheme == kAuto};
}

void read_balancers(const Value& value, Listener& listener) {
  if (value.is_list() && value.items().empty()) return value.expected("at least one prefix");
  read_proxies(value, listener.proxy_protocol);
}

// Reads which datagrams of a client have the header of the PROXY protocol.
void read_proxy_header(const Value& value, bool has_balancers, Listener& listener) {
  if (is_stream(listener.transport)) return value.problem("is for udp:// and dtls:// only");
  if (!has_balancers) return value.problem("needs proxy_protocol");
  if (!value.is_scalar() || (value.text() != "each" && value.text() != "first"))
    return value.expected("each or first");
  listener.proxy_header_on_first_only = value.text() == "first";
}

void read_web(const Value& value, Listener& listener) {
  if (!listener.auto_detect) return value.problem("is for auto:// only");
  const std::optional<Endpoint> at = value.is_scalar() ? Endpoint::parse(value.text()) : std::nullopt;
  if (!at || at->port == 0 || !is_host_address(at->address)) {
    return value.expected("ADDRESS:PORT of a web server, such as 127.0.0.1:8443 or \"[::1]:8443\"");
  }
  listener.web = relay::WebServer{.at = *at};
}

void read_web_proxy_protocol(const Element& element, Listener& listener) {
  const Value& value = *element.web_proxy_protocol;
  if (!element.web) return value.problem("is for listeners that have web");
  bool wanted = false;
  read_flag(value, wanted);
  if (listener.web) listener.web->wants_proxy_header = wanted;
}

std::optional<Listener> read_listener(const Element& element) {
  std::optional<Listener> listener = element.url ? read_listener_url(*element.url) : std::nullopt;
  if (!listener) return std::nullopt;
  if (element.proxy_protocol) read_balancers(*element.proxy_protocol, *listener);
  if (element.proxy_header)
    read_proxy_header(*element.proxy_header, element.proxy_protocol.has_value(), *listener);
  if (element.web) read_web(*element.web, *listener);
  if (element.web_proxy_protocol) read_web_proxy_protocol(element, *listener);
  return listener;
}

// Returns whether a connection to `to` reaches `own`, as far as the file alone shows.
bool leads_to(const Endpoint& to, const Endpoint& own) {
  const bool is_here =
      to.address == own.address || (own.address.is_unspecified() && to.address.is_loopback());
  return to.port == own.port && to.family() == own.family() && is_here;
}

// Returns the name of our own listener that `to` leads to, or an empty text when there is none.
std::string find_own(const Endpoint& to, const Config& config) {
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const Listener& own = config.listen[i];
    if (is_stream(own.transport) && leads_to(to, own.endpoint)) return "listen[" + std::to_string(i) + ']';
  }
  const auto is_there = [&](const http::Listener& own) { return leads_to(to, own.endpoint); };
  if (config.signaling.enabled && std::ranges::any_of(config.signaling.listen, is_there)) {
    return "signaling.listen";
  }
  return std::ranges::any_of(config.admin.listeners, is_there) ? "admin.listen" : "";
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

// [::] is IPv6 only and does not clash with 0.0.0.0. Port 0 is a different port each time.
bool clash(const Listener& a, const Listener& b) {
  const IpAddress& first = a.endpoint.address;
  const IpAddress& second = b.endpoint.address;
  const bool same_address = first == second || first.is_unspecified() || second.is_unspecified();
  return is_stream(a.transport) == is_stream(b.transport) && a.endpoint.port == b.endpoint.port &&
         a.endpoint.port != 0 && first.family() == second.family() && same_address;
}

std::string_view scheme_of(const Listener& listener) {
  return listener.auto_detect ? kAuto : to_string(listener.transport);
}

void read_listeners(const Value& value, std::vector<Listener>& out) {
  if (!value.is_list() || value.items().empty()) return value.expected("a list of at least one URL");
  std::vector<Placed> placed;
  for (const Value& element : value.items()) {
    const Element parts = split_element(element);
    const std::optional<Listener> listener = read_listener(parts);
    if (!listener) continue;
    const auto taken =
        std::ranges::find_if(placed, [&](const Placed& p) { return clash(p.listener, *listener); });
    if (taken == placed.end()) {
      placed.push_back({*listener, element.path()});
    } else {
      parts.url->expected("an address and port that " + taken->path + " does not take");
    }
  }
  out.clear();
  for (const Placed& p : placed) {
    out.push_back(p.listener);
  }
}

std::optional<Listener> parse_listener(std::string_view url) {
  const std::size_t scheme_size = std::min(url.find(kSchemeEnd), url.size());
  const auto* scheme = std::ranges::find(kSchemes, url.substr(0, scheme_size), &Scheme::name);
  if (scheme == std::ranges::end(kSchemes) || scheme_size == url.size()) return std::nullopt;
  const std::optional<Endpoint> endpoint = Endpoint::parse(url.substr(scheme_size + kSchemeEnd.size()));
  return endpoint ? std::optional(Listener{scheme->transport, *endpoint}) : std::nullopt;
}

// A connection to ourselves would loop for ever, and the listeners of this machine's operator would be open
// to everybody.
void check_web_servers(const Value& value, const Config& config) {
  const std::vector<Value> elements = value.items();
  for (std::size_t i = 0; i < std::min(elements.size(), config.listen.size()); ++i) {
    if (!config.listen[i].web) continue;
    const std::string own = find_own(config.listen[i].web->at, config);
    if (own.empty()) continue;
    split_element(elements[i]).web->expected("a web server elsewhere than at " + own);
  }
}

void check_secure_listeners(const Value& value, const Config& config) {
  if (config.tls.complete()) return;
  for (const Transport secure : {Transport::tls, Transport::dtls}) {
    const auto first = std::ranges::find(config.listen, secure, &Listener::transport);
    if (first == config.listen.end()) continue;
    const Value listener = value.items()[static_cast<std::size_t>(first - config.listen.begin())];
    const std::string needs = std::string(to_string(secure)).append(kSchemeEnd) + " needs ";
    if (config.tls.certificate.empty()) listener.problem(needs + "tls.certificate");
    if (config.tls.private_key.empty()) listener.problem(needs + "tls.private_key");
  }
}

}  // namespace turnpike::config
