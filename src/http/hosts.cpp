#include "http/hosts.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace turnpike::http {
namespace {

using boost::beast::iequals;

constexpr std::string_view kLocalhost = "localhost";

bool is_below(std::string_view host, std::string_view domain) {  // `domain` begins with a dot
  return host.size() > domain.size() && iequals(host.substr(host.size() - domain.size()), domain);
}

bool matches(std::string_view host, std::string_view pattern) {
  return pattern.starts_with("*.") ? is_below(host, pattern.substr(1)) : iequals(host, pattern);
}

}  // namespace

bool Hosts::allows(std::string_view host) const {
  if (host.ends_with('.')) host.remove_suffix(1);  // an absolute name (RFC 1034 §3.1)
  if (host.empty() || IpAddress::parse(host)) return true;
  if (iequals(host, kLocalhost) || is_below(host, ".localhost")) return true;  // RFC 6761 §6.3
  if (std::ranges::any_of(allowed_, [&](const std::string& pattern) { return matches(host, pattern); }))
    return true;
  return is_certified_ && is_certified_(std::string(host));
}

}  // namespace turnpike::http
