#include "http/message.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/url/authority_view.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/grammar/hexdig_chars.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/pchars.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "http/string_view.hpp"

namespace turnpike::http {
namespace {

namespace urls = boost::urls;

boost::core::string_view url_text(std::string_view text) { return {text.data(), text.size()}; }

// The characters that may stand in a path and a query without encoding. `#` is among them so that the parser
// refuses a target with a fragment.
constexpr auto kTargetChars = urls::pchars + '/' + '?' + '#';

bool begins_with_octet(std::string_view text) {
  return text.size() >= 3 && urls::grammar::hexdig_chars(text[1]) && urls::grammar::hexdig_chars(text[2]);
}

// Encodes characters that browsers leave unencoded although RFC 3986 does not allow them, such as | and [ in
// a query. In a query it also encodes a % that is not followed by an octet, as in ?discount=100%.
std::string with_encoding(std::string_view target) {
  const std::size_t query = std::min(target.find('?'), target.size());
  std::string encoded;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char& c = target[i];
    const bool stays = c == '%' ? i < query || begins_with_octet(target.substr(i)) : kTargetChars(c);
    if (stays) {
      encoded += c;
    } else {
      encoded += urls::encode(boost::core::string_view(&c, 1), kTargetChars);
    }
  }
  return encoded;
}

bool is_http(std::string_view scheme) {
  return boost::beast::iequals(scheme, "http") || boost::beast::iequals(scheme, "https");
}

// Reads the Host header (RFC 9112 §3.2). An HTTP/1.1 request has exactly one, and no request may have two or
// a malformed one. It is empty for a target without an authority.
std::optional<std::string_view> take_host(HttpVersion version, Request& request) {
  std::size_t count = 0;
  for (const auto& [name, value] : request.headers) {
    if (!boost::beast::iequals(name, "host")) continue;
    ++count;
    request.authority = value;
  }
  if (count == 0 && version != HttpVersion::http_1_0) return "a Host is missing";
  if (count > 1) return "there is more than one Host";
  if (!request.authority.empty() && !parse_host_and_port(request.authority)) return "the Host is malformed";
  return std::nullopt;
}

// Returns a parameter of the query in `target`. Boost 1.81's parse_query reads beyond its view, so the whole
// target is parsed.
std::optional<std::string> param_of(std::string_view target, std::string_view name) {
  const auto url = urls::parse_origin_form(url_text(target));
  if (!url) return std::nullopt;
  for (const auto& param : url->params()) {
    if (param.key == name) return param.value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  const auto it = std::ranges::find_if(
      headers, [&](const auto& header) { return boost::beast::iequals(header.first, name); });
  return it == headers.end() ? std::string_view() : it->second;
}

std::string Request::header_list(std::string_view name) const {
  std::string list;
  for (const auto& [field, value] : headers) {
    if (!boost::beast::iequals(field, name) || value.empty()) continue;
    list.append(list.empty() ? "" : ", ").append(value);
  }
  return list;
}

bool Response::has(std::string_view name) const {
  return std::ranges::any_of(headers, [&](const auto& header) { return header.first == name; });
}

std::string_view take_last_member(std::string_view& list) {
  constexpr std::string_view kBetween = ", \t";
  const std::size_t end = list.find_last_not_of(kBetween) + 1;  // npos + 1 is 0
  const std::size_t comma = list.substr(0, end).rfind(',');
  std::string_view member = list.substr(0, end).substr(comma + 1);
  member.remove_prefix(std::min(member.find_first_not_of(kBetween), member.size()));
  list = list.substr(0, comma == std::string_view::npos ? 0 : comma);
  return member;
}

Response error_response(unsigned status, std::string_view text) {
  Response response{.status = status, .headers = {}, .body = {}};
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  std::string body = std::to_string(status).append(" ").append(reason.data(), reason.size());
  if (!text.empty()) body.append(": ").append(text);
  response.set("Content-Type", "text/plain; charset=utf-8");
  response.set("Cache-Control", "no-store");
  response.body = body.append("\n");
  return response;
}

Response upgrade_required(std::string_view text) {
  Response response = error_response(426, text);
  response.set("Connection", "Upgrade");
  response.set("Upgrade", "websocket");
  response.set("Sec-WebSocket-Version", "13");  // RFC 6455 §4.4
  return response;
}

Response origin_forbidden() { return error_response(403, "this origin is not allowed here"); }

Response json_response(std::string body) {
  Response response{.status = 200, .headers = {}, .body = std::move(body)};
  response.set("Content-Type", "application/json");
  response.set("Cache-Control", "no-store");
  return response;
}

std::string to_octets(const Response& response) {
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  const std::string_view body = std::visit(
      [](const auto& content) -> std::string_view {
        if constexpr (std::is_same_v<std::decay_t<decltype(content)>, FileBody>) {
          return {};
        } else {
          return content;
        }
      },
      response.body);
  std::string octets = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  octets.append(reason.data(), reason.size()).append("\r\nConnection: close\r\n");
  for (const auto& [name, value] : response.headers)
    octets.append(name).append(": ").append(value).append("\r\n");
  octets.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return octets.append(body);
}

std::optional<std::string> Request::query(std::string_view name) const { return param_of(target, name); }

std::vector<std::string> Request::query_names() const {
  std::vector<std::string> names;
  const auto url = urls::parse_origin_form(url_text(target));
  if (!url) return names;
  for (const auto& param : url->params()) names.push_back(param.key);
  return names;
}

std::optional<std::string> Request::form(std::string_view name) const {
  return param_of(std::string("/?").append(body), name);
}

std::optional<std::string_view> take_target(std::string_view target, HttpVersion version, Request& request) {
  if (const auto fault = take_host(version, request)) return fault;
  if (target == "*" && request.method == "OPTIONS") {
    request.target = request.path = target;
    return std::nullopt;
  }
  constexpr std::string_view kNoPath = "this is no path";
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return kNoPath;
    const std::size_t end = std::min(target.find_first_of("/?#", scheme + 3), target.size());
    const std::string_view authority = target.substr(scheme + 3, end - scheme - 3);
    if (!is_http(target.substr(0, scheme)) || !parse_host_and_port(authority)) return kNoPath;
    request.authority = authority;
    target.remove_prefix(end);
  }
  request.target = with_encoding(target);
  if (!request.target.starts_with('/')) request.target.insert(0, "/");
  const auto url = urls::parse_origin_form(url_text(request.target));
  if (!url) return kNoPath;
  request.path = url->path();
  if (request.path.find('\0') != std::string::npos) return kNoPath;
  return std::nullopt;
}

// Boost 1.81 takes the beginning of 192.0.2.1.nip.io for an IPv4 address, and refuses the rest. With a letter
// in front, it parses every host without brackets as a name.
std::optional<HostAndPort> parse_host_and_port(std::string_view authority) {
  const bool bracketed = authority.starts_with('[');
  const std::string text = std::string(bracketed ? "" : "h").append(authority);
  const auto parsed = urls::parse_authority(url_text(text));
  if (!parsed || parsed->has_userinfo()) return std::nullopt;
  const std::size_t host_size = parsed->encoded_host_address().size() - (bracketed ? 0 : 1);
  const std::string_view host = authority.substr(bracketed ? 1 : 0, host_size);
  const std::string_view port = authority.substr(authority.size() - parsed->port().size());
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!port.empty() && (error != std::errc{} || end != port.data() + port.size())) return std::nullopt;
  if (host.empty() || (bracketed && !IpAddress::parse(host))) return std::nullopt;
  return HostAndPort{host, port};
}

std::string_view host_without_port(std::string_view authority) {
  const auto parsed = parse_host_and_port(authority);
  return parsed ? parsed->host : std::string_view();
}

}  // namespace turnpike::http
