#include <optional>

#include "config/fields.hpp"
#include "config/prefix.hpp"

namespace turnpike::config {
namespace {

constexpr std::string_view kUrlForm =
    "udp://, tcp://, tls:// or dtls:// and the address and port of another server, such as "
    "udp://198.51.100.8:3478";

std::optional<turn::AlternateServer> read_url(const Value& url) {
  const std::optional<Listener> parsed = url.is_scalar() ? parse_listener(url.text()) : std::nullopt;
  if (!parsed || parsed->endpoint.port == 0 || !is_host_address(parsed->endpoint.address)) {
    url.expected(kUrlForm);
    return std::nullopt;
  }
  return turn::AlternateServer{parsed->transport, parsed->endpoint, {}};
}

std::optional<turn::AlternateServer> read_map(const Value& map) {
  std::optional<turn::AlternateServer> server;
  std::string domain;
  bool has_url = false;
  for (const auto& [name, value] : map.entries()) {
    if (name == "url") {
      has_url = true;
      server = read_url(value);
    } else if (name == "domain") {
      read_host(value, domain);
    } else {
      report_unknown(map, name, value, {"url", "domain"});
    }
  }
  if (!has_url) map.expected("a url");
  if (server) server->domain = domain;
  return server;
}

}  // namespace

void read_alternate_servers(const Value& value, turn::AlternateParams& out) {
  out.from_cluster = value.is_scalar() && value.text() == "cluster";
  if (out.from_cluster) return;
  if (!value.is_list()) return value.expected("a list of URLs, or cluster for its other nodes");
  out.servers.clear();
  for (const Value& item : value.items()) {
    const auto server = item.is_map() ? read_map(item) : read_url(item);
    if (server) out.servers.push_back(*server);
  }
}

void check_alternate_servers(const Value& value, const Config& config) {
  if (config.relay.alternates.from_cluster && !config.cluster.is_enabled()) {
    value.problem("expected the keys of cluster as well");
  }
}

void read_redirect(const Value& value, turn::Redirect& out) {
  if (value.is_scalar() && value.text() == "full") {
    out = turn::Redirect::full;
  } else if (value.is_scalar() && value.text() == "always") {
    out = turn::Redirect::always;
  } else {
    value.expected("full or always");
  }
}

}  // namespace turnpike::config
