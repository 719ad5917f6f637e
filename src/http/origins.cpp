#include "http/origins.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "http/string_view.hpp"

namespace turnpike::http {
namespace {

constexpr std::string_view kNull = "null";
// Pages from files send this in browsers that do not send null.
constexpr std::string_view kFile = "file://";
// No page has a URL with these schemes; a page that connects by wss has an origin of https.
constexpr std::array<std::string_view, 3> kNeverOrigins{"ws", "wss", "ftp"};

// Returns the origin of a page in place of a WebSocket's URL. Native programs have no origin, but some send
// the URL of the WebSocket, such as Starscream, and with it Socket.IO's client for Swift.
std::string as_page(std::string_view origin) {
  constexpr std::string_view kWs = "ws:";
  constexpr std::string_view kWss = "wss:";
  if (origin.starts_with(kWs)) return std::string("http:").append(origin.substr(kWs.size()));
  if (origin.starts_with(kWss)) return std::string("https:").append(origin.substr(kWss.size()));
  return std::string(origin);
}

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

// Returns the port of an origin: 0 when there is none, or when it is the default of the scheme, and nothing
// when the given port is 0.
std::optional<unsigned> port_of(std::string_view digits, std::string_view scheme) {
  if (digits.empty()) return 0;
  unsigned port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (port == 0) return std::nullopt;
  const bool own = (scheme == "http" && port == 80) || (scheme == "https" && port == 443);
  return own ? 0 : port;
}

bool is_scheme(std::string_view text) {
  const std::string uri = std::string(text).append(":");
  const auto parsed = boost::urls::parse_uri(uri);
  return parsed && view(parsed->scheme()) == text;
}

// Returns whether browsers accept this host. DNS does not allow underscores (RFC 1035 §2.3.1), but they are
// in use.
bool is_written_as_host(std::string_view host) {
  if (IpAddress::parse(host)) return true;
  // A host that ends in a number is an IPv4 address, and browsers write it in full: 127.0.0.1, not 127.1 or
  // 0x7f000001.
  const std::string_view last = host.substr(host.rfind('.') + 1);  // npos + 1 is 0
  const bool is_number = !last.empty() && last.front() >= '0' && last.front() <= '9' &&
                         (last.starts_with("0x") || last.find_first_not_of("0123456789") == last.npos);
  return !is_number && (!host.empty() && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  }));
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

}  // namespace

std::optional<std::string> normalized_origin(std::string_view text) {
  if (text == kNull ||
      (text.starts_with(kFile) && text.substr(kFile.size()).find_first_not_of('/') == text.npos))
    return std::string(kNull);
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) return std::nullopt;
  const std::string scheme = in_small_letters(text.substr(0, colon));
  if (std::ranges::find(kNeverOrigins, scheme) != kNeverOrigins.end()) return std::nullopt;
  std::string_view authority = text.substr(colon + 3);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  const std::optional<HostAndPort> written = parse_host_and_port(authority);
  if (!written || !is_written_as_host(written->host)) return std::nullopt;
  const std::optional<IpAddress> address = IpAddress::parse(written->host);
  const std::optional<unsigned> port = port_of(written->port, scheme);
  if (!port) return std::nullopt;
  std::string origin =
      scheme + "://" + in_brackets(address ? address->to_string() : in_small_letters(written->host));
  if (*port != 0) origin.append(":").append(std::to_string(*port));
  return origin;
}

bool Origins::is_listed(std::string_view origin) const {
  return std::ranges::find(allowed_, origin) != allowed_.end();
}

// Returns whether the origin is this server. The scheme is not compared, since a proxy in front of us may end
// TLS. A host without a port means the default port of the origin's scheme.
bool Origins::is_own(const Request& request, std::string_view origin) const {
  const std::string scheme(origin.substr(0, std::min(origin.find("://"), origin.size())));
  const auto is_at = [&](std::string_view authority) {
    return !authority.empty() && normalized_origin(scheme + "://" + std::string(authority)) == origin;
  };
  if (is_at(request.authority)) return true;
  // The nearest proxy has written the last member of the list.
  const std::string forwarded = request.header_list("x-forwarded-host");
  std::string_view left = forwarded;
  if (request.proxied && is_at(take_last_member(left))) return true;
  return is_at(in_brackets(public_host_));
}

bool Origins::allows(const Request& request) const {
  const std::string_view named = request.header("origin");
  if (named.empty()) return true;
  const std::optional<std::string> origin = normalized_origin(as_page(named));
  return origin && (is_listed(*origin) || (*origin != kNull && is_own(request, *origin)));
}

void Origins::add_headers(const Request& request, Response& response) const {
  response.set("Vary", "Origin");
  const std::string_view named = request.header("origin");
  const std::optional<std::string> origin = normalized_origin(named);
  if (!origin || !is_listed(*origin)) return;
  response.set("Access-Control-Allow-Origin", std::string(named));
  response.set("Access-Control-Allow-Credentials", "true");
}

// A page on the list may send any headers, for example those of its tunnel, or Socket.IO's `extraHeaders`.
std::string Origins::allowed_headers(const Request& request) const {
  const std::optional<std::string> origin = normalized_origin(request.header("origin"));
  std::string asked = request.header_list("access-control-request-headers");
  if (!origin || !is_listed(*origin) || asked.empty() ||
      !boost::beast::http::validate_list(boost::beast::http::opt_token_list{asked}))
    return "Authorization, Content-Type";
  return asked;
}

Response Origins::preflight(const Request& request) const {
  if (!allows(request)) return origin_forbidden();
  Response response{.status = 204, .headers = {}, .body = {}};
  add_headers(request, response);
  response.set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.set("Access-Control-Allow-Headers", allowed_headers(request));
  response.set("Vary", "Access-Control-Request-Headers");
  response.set("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace turnpike::http
