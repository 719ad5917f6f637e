#include "stunclient/server_uri.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace turnpike::stunclient {
namespace {

enum class Scheme : std::uint8_t { none, stun, stuns, turn, turns };

[[noreturn]] void refuse(std::string_view text, const char* why) {
  throw std::invalid_argument(std::string(text) + ": " + why);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

// Removes the scheme from the front. A host could be named "stun", but `stun:3478` is always a URI (RFC
// 7064).
Scheme take_scheme(std::string_view& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Scheme::none;
  const std::string word = lower_case(text.substr(0, colon));
  Scheme scheme = Scheme::none;
  if (word == "stun") scheme = Scheme::stun;
  if (word == "stuns") scheme = Scheme::stuns;
  if (word == "turn") scheme = Scheme::turn;
  if (word == "turns") scheme = Scheme::turns;
  if (scheme != Scheme::none) text.remove_prefix(colon + 1);
  return scheme;
}

// Removes `?transport=udp|tcp`, which only TURN URIs may have (RFC 7065 §3.1).
std::optional<Transport> take_transport(std::string_view whole, std::string_view& text, Scheme scheme) {
  const bool secure = scheme == Scheme::stuns || scheme == Scheme::turns;
  const std::size_t mark = text.find('?');
  if (mark == std::string_view::npos) return secure ? std::optional(Transport::tls) : std::nullopt;
  if (scheme != Scheme::turn && scheme != Scheme::turns)
    refuse(whole, "only turn: and turns: URIs have a ?transport=");
  const std::string query = lower_case(text.substr(mark + 1));
  text = text.substr(0, mark);
  if (query == "transport=udp") return secure ? Transport::dtls : Transport::udp;
  if (query == "transport=tcp") return secure ? Transport::tls : Transport::tcp;
  refuse(whole, "only ?transport=udp and ?transport=tcp are known");
}

// Removes `:port` from the end. In an IPv6 address without brackets, every colon belongs to the address.
std::optional<std::uint16_t> take_port(std::string_view whole, std::string_view& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) return std::nullopt;
  const bool bracketed = text.starts_with('[');
  if (!bracketed && text.find(':') != colon) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) refuse(whole, "the text after the colon is not a port");
  text = text.substr(0, colon);
  return port;
}

}  // namespace

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

ServerName parse_server(std::string_view text) {
  const std::string_view whole = text;
  // This check comes first, since all other error messages repeat the text.
  if (text.find('@') != std::string_view::npos)
    refuse("HOST", "it cannot have credentials; use --user and --password");
  const Scheme scheme = take_scheme(text);
  if (scheme != Scheme::none && text.starts_with("//")) refuse(whole, "STUN and TURN URIs have no slashes");
  ServerName uri;
  if (scheme == Scheme::turn || scheme == Scheme::turns) uri.service = Service::turn;
  uri.transport = take_transport(whole, text, scheme);
  uri.port = take_port(whole, text);
  if (text.starts_with('[') != text.ends_with(']')) refuse(whole, "a bracket is missing");
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  if (text.empty()) refuse(whole, "no host");
  uri.host = text;
  return uri;
}

}  // namespace turnpike::stunclient
