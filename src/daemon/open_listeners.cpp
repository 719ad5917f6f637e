#include "daemon/open_listeners.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>

namespace turnpike::daemon {
namespace {

// Returns whether the operator serves the page without TLS to clients that connect to this address.
bool plain_http_reaches(const config::SignalingParams& signaling, const IpAddress& address) {
  return std::ranges::any_of(signaling.listen, [&](const http::Listener& one) {
    return !one.secure && (!one.endpoint.address.is_loopback() || address.is_loopback());
  });
}

// Where a browser that speaks HTTP without TLS to this address is sent.
net::ToHttps find_https(const config::Config& config, const IpAddress& address) {
  if (plain_http_reaches(config.signaling, address)) return net::ToHttps::no;
  const auto is_at_443 = [&](const Endpoint& at) {
    return at.port == 443 &&
           (at.address.is_unspecified() || at.address == address || address.is_unspecified());
  };
  const bool has_443 =
      std::ranges::any_of(
          config.listen,
          [&](const config::Listener& one) { return one.auto_detect && is_at_443(one.endpoint); }) ||
      std::ranges::any_of(config.signaling.listen,
                          [&](const http::Listener& one) { return one.secure && is_at_443(one.endpoint); });
  return has_443 ? net::ToHttps::port_443 : net::ToHttps::same_port;
}

}  // namespace

std::string url_of(const config::Listener& listener, const Endpoint& at) {
  return std::string(config::scheme_of(listener)) + "://" + at.to_string();
}

void OpenListeners::open_all(const config::Config& config) {
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const config::Listener& listener = config.listen[i];
    try {
      open(listener, config);
    } catch (const std::system_error& error) {
      throw std::runtime_error(fmt::format("listen[{}]: cannot listen on {}: {}", i,
                                           url_of(listener, listener.endpoint), error.code().message()));
    }
  }
}

void OpenListeners::open(const config::Listener& listener, const config::Config& config) {
  const std::optional<Endpoint> alternate = config::find_alternate(listener, config);
  const Endpoint at =
      alternate
          ? open_discovery(listener, *alternate, config)
          : add(listener, open_shared_listener(listener.transport, listener.endpoint, workers_), config);
  // A client behind a load balancer cannot use our own address, but it can use signaling.public_host.
  if (listener.proxy_protocol.empty() || !config.signaling.public_host.empty()) announce(listener, at);
  spdlog::info(fmt::format("listening on {}", url_of(listener, at)));
  urls_.push_back(url_of(listener, at));
}

void OpenListeners::announce(const config::Listener& listener, const Endpoint& at) {
  announced_.push_back({listener.transport, at});
  if (listener.auto_detect && has_certificate_) announced_.push_back({Transport::tls, at});
}

Endpoint OpenListeners::add(const config::Listener& listener, SharedListener opened,
                            const config::Config& config) {
  const Endpoint at = opened.at;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (!is_stream(listener.transport)) {
      sockets_[i].datagrams.push_back({std::move(opened.sockets[i]),
                                       at,
                                       listener.transport,
                                       {listener.proxy_protocol, listener.proxy_header_on_first_only}});
      continue;
    }
    sockets_[i].streams.push_back({
        .socket = std::move(opened.sockets[i]),
        .endpoint = at,
        .transport = listener.auto_detect ? std::nullopt : std::optional(listener.transport),
        .balancers = listener.proxy_protocol,
        .to_https = has_certificate_ ? find_https(config, at.address) : net::ToHttps::no,
        .web = listener.web,
    });
  }
  (is_stream(listener.transport) ? tcp_ : udp_).push_back(at);
  return at;
}

Endpoint OpenListeners::open_discovery(const config::Listener& listener, const Endpoint& alternate,
                                       const config::Config& config) {
  DiscoveryListeners opened =
      open_discovery_listeners(listener.transport, listener.endpoint, alternate, workers_, own_addresses_);
  const auto before = static_cast<std::uint32_t>(sockets_.front().datagrams.size());
  for (auto& at_address : opened.discovery.listeners) {
    for (std::uint32_t& number : at_address) number += before;
  }
  const Endpoint first = opened.listeners.front().at;
  std::string others;
  for (SharedListener& one : opened.listeners) {
    const Endpoint at = add(listener, std::move(one), config);
    if (at != first) others += " " + url_of(listener, at);
  }
  spdlog::info(fmt::format("NAT discovery also answers at{}", others));
  nat_discoveries_.emplace_back(opened.discovery);
  return first;
}

void OpenListeners::add_others(const std::vector<Endpoint>& tcp) {
  tcp_.insert(tcp_.end(), tcp.begin(), tcp.end());
}

void OpenListeners::refuse_own_address(const relay::WebServer& web) const {
  const bool is_local = web.at.address.is_loopback() ||
                        std::ranges::find(own_addresses_, web.at.address) != own_addresses_.end();
  const auto leads_to = [&](const Endpoint& own) {
    return own.port == web.at.port && own.family() == web.at.family() &&
           (own.address == web.at.address || (own.address.is_unspecified() && is_local));
  };
  if (std::ranges::none_of(tcp_, leads_to)) return;
  throw std::runtime_error("listen: web: " + web.at.to_string() + " is where turnpike itself listens");
}

}  // namespace turnpike::daemon
