#include <array>
#include <optional>

#include "config/fields.hpp"
#include "config/prefix.hpp"
#include "config/read.hpp"

namespace turnpike::config {
namespace {

std::optional<turn::AlternateServer> read_server_url(const Value& url) {
  const std::optional<Listener> parsed = url.is_scalar() ? parse_listener(url.text()) : std::nullopt;
  if (!parsed || parsed->endpoint.port == 0 || !is_host_address(parsed->endpoint.address)) {
    url.expected(
        "udp://, tcp://, tls:// or dtls:// and the address and port of another server, such as "
        "udp://198.51.100.8:3478");
    return std::nullopt;
  }
  return turn::AlternateServer{parsed->transport, parsed->endpoint, {}};
}

std::optional<turn::AlternateServer> read_server_map(const Value& map) {
  std::optional<turn::AlternateServer> server;
  std::string domain;
  bool has_url = false;
  read_map(map, {{"url",
                  [&](const Value& value) {
                    has_url = true;
                    server = read_server_url(value);
                  }},
                 {"domain", [&](const Value& value) { read_host(value, domain); }}});
  if (!has_url) map.expected("a url");
  if (server) server->domain = domain;
  return server;
}

}  // namespace

void read_alternate_servers(const Value& value, turn::AlternateParams& out) {
  out.from_cluster = value.is_scalar() && value.text() == "cluster";
  if (out.from_cluster) return;
  if (value.is_list()) out.servers.clear();
  read_list(value, "a list of URLs, or cluster for its other nodes", [&](const Value& item) {
    const auto server = item.is_map() ? read_server_map(item) : read_server_url(item);
    if (server) out.servers.push_back(*server);
  });
}

void check_alternate_servers(const Value& value, const Config& config) {
  if (!config.relay.alternates.from_cluster) return;
  if (!config.cluster.is_enabled()) value.problem("expected the keys of cluster as well");
  if (config.relay.alternates.when == turn::Redirect::always) {
    value.problem(
        "expected another server, since with redirect: always all nodes would send all clients to each "
        "other");
  }
}

void read_redirect(const Value& value, turn::Redirect& out) {
  constexpr std::array<std::pair<std::string_view, turn::Redirect>, 2> kRedirects{
      {{"full", turn::Redirect::full}, {"always", turn::Redirect::always}}};
  read_choice(value, kRedirects, out);
}

}  // namespace turnpike::config
