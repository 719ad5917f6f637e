#include <algorithm>

#include "config/fields.hpp"
#include "config/read.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxUnixPath = 107;  // unix(7): the size of sun_path without the final zero

bool is_socket_path(std::string_view path) {
  return path.size() > 1 && path.size() <= kMaxUnixPath && path.front() == '/' && path.back() != '/' &&
         path.find('\0') == std::string_view::npos;
}

}  // namespace

void read_admin_listeners(const Value& value, admin::Params& out) {
  for (const Value& element : one_or_more(value)) {
    const std::string_view text = element.is_scalar() ? std::string_view(element.text()) : std::string_view();
    if (text.starts_with(kUnix) && is_socket_path(text.substr(kUnix.size()))) {
      std::string path(text.substr(kUnix.size()));
      if (std::ranges::find(out.unix_sockets, path) != out.unix_sockets.end()) {
        element.expected("a path that no other entry has");
      } else {
        out.unix_sockets.push_back(std::move(path));
      }
      continue;
    }
    const std::optional<http::Listener> listener = parse_site_listener(element);
    if (listener && !listener->secure) {
      out.listeners.push_back(*listener);
    } else {
      element.expected("unix:/PATH or http://ADDRESS:PORT");
    }
  }
}

void check_admin_secrets(const Value& section, const Config& config) {
  const auto is_signaling_secret = [&](const std::string& secret) {
    return std::ranges::find(config.signaling.token_secrets, secret) != config.signaling.token_secrets.end();
  };
  if (std::ranges::any_of(config.admin.token_secrets, is_signaling_secret)) {
    value_or_section(section, "token_secrets")
        .problem(
            "one of these secrets is in signaling.token_secrets too: those who make tokens for calls could "
            "control this server");
  }
}

void check_admin_listeners(const Value& section, const Config& config) {
  const Value listen = value_or_section(section, "listen");
  for (const http::Listener& listener : config.admin.listeners) {
    const auto taken_by = [&](const Endpoint& other) { return clash(other, listener.endpoint); };
    const bool taken = (config.signaling.enabled &&
                        std::ranges::any_of(config.signaling.listen, taken_by, &http::Listener::endpoint)) ||
                       std::ranges::any_of(config.listen,
                                           [&](const Listener& relay) {
                                             return is_stream(relay.transport) && taken_by(relay.endpoint);
                                           }) ||
                       std::ranges::count_if(config.admin.listeners, taken_by, &http::Listener::endpoint) > 1;
    if (taken) listen.problem("listens where another listener does: expected another address or port");
  }
}

}  // namespace turnpike::config
