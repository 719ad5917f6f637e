#include "stunclient/problem.hpp"

#include <array>
#include <cstdio>

#include "turnpike/base/printable.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::stunclient {

using client::Failure;
using stun::AttributeType;
using stun::ErrorCode;
using stun::Method;

namespace {

std::string_view recommended_reason(std::uint16_t code) { return stun::reason_phrase(ErrorCode{code}); }

std::string quoted_realm(const Failure& failure, const Facts& facts) {
  const auto realm = failure.message.find(AttributeType::realm);
  const std::string text = printable(realm ? as_text(*realm) : std::string_view(facts.realm));
  return text.empty() ? "" : " for realm \"" + text + "\"";
}

std::string explain_unauthenticated(const Failure& failure, const Facts& facts) {
  const std::string realm = quoted_realm(failure, facts);
  if (!facts.has_credentials)
    return "the server wants credentials" + realm + "; give --user and --password, or --secret";
  return "wrong user name, password or secret" + realm +
         " (with --secret also: the server's clock is a day ahead)";
}

std::string explain_mismatch(Method method) {
  if (method == Method::allocate)
    return "the server still has, or remembers, an allocation of this address and port; try another "
           "--localport, or wait for it to expire";
  return "the server knows no allocation of this address and port: it was restarted, or a NAT on the way "
         "changed the mapping";
}

std::string explain_alternate(const Failure& failure) {
  const auto value = failure.message.find(AttributeType::alternate_server);
  const auto server = value ? stun::decode_address(*value) : std::nullopt;
  return "the server wants clients to go elsewhere" + (server ? ": " + server->to_string() : "");
}

// Describes UNKNOWN-ATTRIBUTES, a list of 16-bit types (RFC 8489 §14.9).
std::string explain_unknown(const Failure& failure) {
  std::string text = "the server does not understand an attribute of the request";
  const auto value = failure.message.find(AttributeType::unknown_attributes);
  if (!value) return text;
  ByteReader reader(*value);
  while (reader.rest().size() >= 2) {
    std::array<char, 8> hex{};
    std::snprintf(hex.data(), hex.size(), " 0x%04X", static_cast<unsigned>(reader.u16()));
    text += hex.data();
  }
  return text;
}

std::string explain_forbidden(Method method) {
  if (method == Method::allocate) return "the server's policy refuses an allocation to this user";
  return "the server's policy refuses this request";
}

std::string explain(const Failure& failure, const Facts& facts) {
  switch (ErrorCode{failure.code}) {
    case ErrorCode::try_alternate: return explain_alternate(failure);
    case ErrorCode::bad_request: return "the server takes the request for malformed";
    case ErrorCode::unauthenticated: return explain_unauthenticated(failure, facts);
    case ErrorCode::forbidden: return explain_forbidden(failure.method());
    case ErrorCode::unknown_attribute: return explain_unknown(failure);
    case ErrorCode::allocation_mismatch: return explain_mismatch(failure.method());
    case ErrorCode::stale_nonce: return "the server refuses every nonce, even those that it has just sent";
    case ErrorCode::address_family_not_supported:
      return "the server has no relayed addresses of this family, IPv4 or IPv6";
    case ErrorCode::wrong_credentials: return "the allocation of this address and port is another user's";
    case ErrorCode::unsupported_transport_protocol: return "the server does not relay UDP";
    case ErrorCode::peer_address_family_mismatch:
      return "the relayed address and the peer's are not of one family, IPv4 or IPv6";
    case ErrorCode::connection_already_exists: return "there is a connection to this peer already";
    case ErrorCode::connection_timeout_or_failure: return "the server cannot connect to this peer";
    case ErrorCode::allocation_quota_reached:
      return "this user has as many allocations as the server permits";
    case ErrorCode::server_error: return "the server has a fault of its own; its log may say more";
    case ErrorCode::insufficient_capacity:
      return "the server has no relayed address or port left, or has reached its limit";
  }
  return "";
}

std::string_view explain(client::Ignored ignored, Transport transport) {
  switch (ignored) {
    case client::Ignored::bad_integrity:
      return "answers arrived whose integrity check failed: the password is wrong, or somebody on the way "
             "changed them";
    case client::Ignored::bid_down:
      return "answers arrived from which somebody on the way has removed the password algorithms";
    case client::Ignored::malformed: return "answers arrived without mandatory attributes";
    case client::Ignored::not_a_message: return "the answers are not STUN messages";
    case client::Ignored::unknown_transaction: break;
  }
  if (is_stream(transport))
    return "the program at this address and port is not a STUN server, or something on the way drops its "
           "answers";
  return "no server at this address and port, or a firewall drops UDP on the way";
}

std::string seconds(std::chrono::milliseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g s", std::chrono::duration<double>(time).count());
  return text.data();
}

bool is_private(const IpAddress& address) {
  const Bytes b = address.bytes();
  if (!address.is_v4()) return (b[0] & 0xFE) == 0xFC;  // RFC 4193
  return b[0] == 10 || (b[0] == 172 && (b[1] & 0xF0) == 16) || (b[0] == 192 && b[1] == 168) ||
         (b[0] == 100 && (b[1] & 0xC0) == 64);
}

std::string_view kind_of(const IpAddress& address) {
  if (address.is_loopback()) return "a loopback address";
  if (address.is_link_local()) return "a link-local address";
  if (is_private(address)) return "an address of a private network";
  return "an address that its policy excludes";
}

}  // namespace

std::string_view to_string(ProblemKind kind) {
  switch (kind) {
    case ProblemKind::unresolved: return "unresolved";
    case ProblemKind::network: return "network";
    case ProblemKind::no_tls: return "no_tls";
    case ProblemKind::no_answer: return "no_answer";
    case ProblemKind::error_response: return "error_response";
    case ProblemKind::bad_answer: return "bad_answer";
    case ProblemKind::no_discovery: return "no_discovery";
    case ProblemKind::not_relayed: return "not_relayed";
  }
  return "";
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::binding: return "Binding";
    case Method::allocate: return "Allocate";
    case Method::refresh: return "Refresh";
    case Method::send: return "Send";
    case Method::data: return "Data";
    case Method::create_permission: return "CreatePermission";
    case Method::channel_bind: return "ChannelBind";
    case Method::connect: return "Connect";
    case Method::connection_bind: return "ConnectionBind";
    case Method::connection_attempt: return "ConnectionAttempt";
  }
  return "unknown method";
}

Problem error_response(const Failure& failure, const Facts& facts) {
  const std::string reason =
      failure.reason.empty() ? std::string(recommended_reason(failure.code)) : printable(failure.reason);
  std::string summary = std::to_string(failure.code);
  if (!reason.empty()) summary += " " + reason;
  return {ProblemKind::error_response, failure.code, std::move(summary), explain(failure, facts)};
}

Problem no_answer(const Endpoint& server, std::chrono::milliseconds timeout,
                  std::optional<client::Ignored> ignored, Transport transport) {
  return {ProblemKind::no_answer, 0, "no answer from " + server.to_string() + " within " + seconds(timeout),
          std::string(explain(ignored.value_or(client::Ignored::unknown_transaction), transport))};
}

Problem no_tls(const std::string& why) {
  return {ProblemKind::no_tls, 0, why,
          "the program at this address and port does not use TLS, or supports no common version"};
}

Problem connection_closed(const Endpoint& server) {
  return {ProblemKind::network, 0, server.to_string() + " closed the connection",
          "the program at this address and port is not a STUN server, or it has reached its limit of "
          "connections from this address"};
}

Problem network_error(const std::system_error& error, const Endpoint& server, Transport transport) {
  if (is_stream(transport) && error.code() == std::errc::connection_refused)
    return {ProblemKind::network, 0, server.to_string() + " refused",
            "nothing listens on this TCP port, or a firewall rejects it"};
  if (transport == Transport::dtls && error.code() == std::errc::timed_out)
    return {ProblemKind::no_answer, 0, "no DTLS with " + server.to_string() + ": " + error.what(),
            "no DTLS server at this address and port, or a firewall drops UDP on the way"};
  if (error.code() == std::errc::timed_out)
    return {ProblemKind::no_answer, 0, "no connection to " + server.to_string() + ": " + error.what(),
            "no server at this address and port, or a firewall drops TCP on the way"};
  if (error.code() == std::errc::connection_refused)
    return {ProblemKind::network, 0, server.to_string() + " refused (ICMP port unreachable)",
            "nothing listens on this UDP port, or a firewall rejects it"};
  if (error.code() == std::errc::network_unreachable)
    return {ProblemKind::network, 0, server.to_string() + ": network is unreachable",
            "this machine has no route there, perhaps no IPv" +
                std::string(server.address.is_v4() ? "4" : "6") + " at all"};
  return {ProblemKind::network, 0, error.what() + (" (server " + server.to_string() + ")"), ""};
}

Problem bad_answer(std::string_view what_is_missing) {
  return {ProblemKind::bad_answer, 0, "the answer has no " + std::string(what_is_missing), ""};
}

Problem peer_denied(Problem problem, const Endpoint& peer) {
  problem.advice = "the server does not relay to " + peer.address.to_string() + ", " +
                   std::string(kind_of(peer.address)) +
                   ". Servers refuse peers that are not public, so that clients cannot reach the network of "
                   "the server; the operator can permit this peer (turnpike: peers.allow; coturn: "
                   "allowed-peer-ip, allow-loopback-peers)";
  return problem;
}

}  // namespace turnpike::stunclient
