#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "config/fields.hpp"
#include "config/prefix.hpp"
#include "config/read.hpp"
#include "config/text.hpp"
#include "http/origins.hpp"

namespace turnpike::config {
namespace {

constexpr std::string_view kSiteUrlForm = "http://ADDRESS:PORT or https://ADDRESS:PORT";
constexpr std::size_t kMinTokenSecret = 16;  // characters; an HS256 key should have 32 (RFC 7518 §3.2)

// Returns whether the text is a name, or a wildcard such as "*.loca.lt".
bool is_host_pattern(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  return is_host(text) && !IpAddress::parse(text) && !text.starts_with('.') && !text.ends_with('.');
}

}  // namespace

bool clash(const Endpoint& a, const Endpoint& b) {
  return a.port != 0 && a.port == b.port && a.family() == b.family() &&
         (a.address == b.address || a.address.is_unspecified() || b.address.is_unspecified());
}

std::optional<http::Listener> parse_site_listener(const Value& value) {
  constexpr std::array kSchemes{std::pair<std::string_view, bool>{"http://", false},
                                std::pair<std::string_view, bool>{"https://", true}};
  for (const auto& [scheme, secure] : kSchemes) {
    if (!value.is_scalar() || !value.text().starts_with(scheme)) continue;
    const std::optional<Endpoint> endpoint = Endpoint::parse(value.text().substr(scheme.size()));
    if (!endpoint) return std::nullopt;
    const IpAddress& address = endpoint->address;
    if (!address.is_unspecified() && !is_host_address(address)) return std::nullopt;
    return http::Listener{secure, *endpoint};
  }
  return std::nullopt;
}

void read_site_listeners(const Value& value, std::vector<http::Listener>& out) {
  out.clear();
  for (const Value& element : one_or_more(value)) {
    const std::optional<http::Listener> listener = parse_site_listener(element);
    const auto taken = [&](const http::Listener& other) { return clash(other.endpoint, listener->endpoint); };
    if (!listener) {
      element.expected(kSiteUrlForm);
    } else if (std::ranges::any_of(out, taken)) {
      element.expected("an address and port that no other entry takes");
    } else {
      out.push_back(*listener);
    }
  }
}

void read_token_secrets(const Value& value, std::vector<std::string>& out) {
  read_list(value, "a list of secrets", [&](const Value& item) {
    if (item.is_scalar() && count_characters(item.text()).value_or(0) >= kMinTokenSecret) {
      out.push_back(item.text());
    } else {
      expected_secret(item, "a secret of at least 16 characters, without control characters");
    }
  });
}

void read_host(const Value& value, std::string& out) {
  if (!value.is_scalar() || !is_host(value.text())) {
    return value.expected("a host name or an address, such as turn.example.org");
  }
  out = value.text();
}

void read_folder(const Value& value, std::string& out) {
  std::error_code error;
  if (!value.is_scalar() || !std::filesystem::is_directory(value.text(), error)) {
    return value.expected("an existing folder");
  }
  if (faccessat(AT_FDCWD, value.text().c_str(), X_OK, AT_EACCESS) != 0) {
    return value.problem("folder " + shown(value.text()) +
                         " cannot be entered: " + std::generic_category().message(errno));
  }
  out = value.text();
}

void read_origins(const Value& value, std::vector<std::string>& out) {
  read_list(value, "a list of origins", [&](const Value& item) {
    // Without quotes, null is a word of YAML. Here it means the opaque origin of pages without one (RFC 6454
    // §6.1).
    const std::string text = item.is_null() ? "null" : item.is_scalar() ? item.text() : "";
    if (const std::optional<std::string> origin = http::normalized_origin(text)) {
      out.push_back(*origin);
    } else {
      item.expected("an origin as browsers write it, such as https://admin.example.org: without a path");
    }
  });
}

void read_hosts(const Value& value, std::vector<std::string>& out) {
  read_list(value, "a list of host names", [&](const Value& item) {
    if (item.is_scalar() && is_host_pattern(item.text())) {
      out.push_back(item.text());
    } else {
      item.expected("a host name such as turn.example.org, or *.loca.lt for all names below one");
    }
  });
}

void read_proxies(const Value& value, std::vector<Prefix>& out) {
  read_list(value, "a list of prefixes", [&](const Value& item) {
    const std::optional<Prefix> prefix = item.is_scalar() ? parse_prefix(item.text()) : std::nullopt;
    if (prefix && is_v4_mapped(prefix->address)) {
      item.expected("an IPv4 prefix in its own form, such as 10.20.0.0/16");
    } else if (prefix && without_host_bits(*prefix) == *prefix) {
      out.push_back(*prefix);
    } else {
      item.expected("a prefix such as 10.20.0.0/16 or 2001:db8::/32, or one address");
    }
  });
}

void read_bytes(const Value& value, std::uint32_t smallest, std::uint32_t largest, std::uint32_t& out) {
  const std::optional<std::uint32_t> number = value.is_plain() ? parse_number(value.text()) : std::nullopt;
  if (!number || *number < smallest || *number > largest) {
    return value.expected("a number of bytes from " + std::to_string(smallest) + " to " +
                          std::to_string(largest));
  }
  out = *number;
}

void check_site_listeners(const Value& section, const Config& config) {
  const SignalingParams& signaling = config.signaling;
  if (!signaling.enabled) return;
  const Value listen = value_or_section(section, "listen");
  for (const auto& [name, value] : section.entries()) {
    if (name == "listen" && signaling.listen.empty() && signaling.also_at.empty()) {
      value.expected(std::string(kSiteUrlForm) + ", or an auto:// listener where it is empty");
    }
  }
  for (std::size_t i = 0; i < config.listen.size(); ++i) {
    const Listener& relay = config.listen[i];
    const auto same = [&](const http::Listener& site) { return clash(site.endpoint, relay.endpoint); };
    if (is_stream(relay.transport) && std::ranges::any_of(signaling.listen, same)) {
      listen.problem("listens where listen[" + std::to_string(i) +
                     "] does: expected another address or port" +
                     (relay.auto_detect ? ", or listen: [] since auto:// serves the page as well" : ""));
    }
  }
}

void check_secure_sites(const Value& section, const Config& config) {
  const bool secure = std::ranges::any_of(config.signaling.listen, &http::Listener::secure);
  if (config.signaling.enabled && secure && !config.tls.complete()) {
    value_or_section(section, "listen").problem("https:// needs tls.certificate and tls.private_key");
  }
}

void check_access(const Value& section, Config& config) {
  const SignalingParams& signaling = config.signaling;
  if (!signaling.enabled) return;
  if (signaling.access == signaling::Access::open && !signaling.is_private()) {
    config.warnings.push_back(
        value_or_section(section, "access").where() +
        ": signaling.access is open: everybody who can reach the page may use the relay");
  }
  if (signaling.effective_access() == signaling::Access::token && signaling.token_secrets.empty()) {
    section.problem("expected token_secrets, since access is token" +
                    std::string(signaling.access ? ""
                                                 : " by default where others can reach it, by an address, a "
                                                   "proxy or a public host; or access: open, for everybody"));
  }
}

}  // namespace turnpike::config
