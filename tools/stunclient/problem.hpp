// Problems in words, with advice for the user.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "client/turn_client.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

enum class ProblemKind : std::uint8_t {
  unresolved,      // the name has no address
  network,         // an error of the kernel, or an ICMP error
  no_tls,          // the TLS handshake has failed
  no_answer,       // no answer within the timeout
  error_response,  // the server has answered with an error
  bad_answer,      // an answer without a required attribute
  no_discovery,    // the server has no second address for NAT tests
  not_relayed,     // a relayed datagram did not arrive
};
std::string_view to_string(ProblemKind kind);

struct Problem {
  ProblemKind kind{};
  std::uint16_t code = 0;  // of an error response; otherwise 0
  std::string summary;     // "403 Forbidden"
  std::string advice;      // the meaning of the problem; may be empty

  std::string message() const { return advice.empty() ? summary : summary + ": " + advice; }
};

// The meaning of a 401 depends on these.
struct Facts {
  bool has_credentials = false;
  std::string realm;  // of the last challenge
};

Problem error_response(const client::Failure& failure, const Facts& facts);
// `ignored` is the last message that was ignored while waiting, if there was one.
Problem no_answer(const Endpoint& server, std::chrono::milliseconds timeout,
                  std::optional<client::Ignored> ignored, Transport transport);
Problem network_error(const std::system_error& error, const Endpoint& server, Transport transport);
Problem no_tls(const std::string& why);
Problem connection_closed(const Endpoint& server);
Problem bad_answer(std::string_view what_is_missing);
// A 403 for a peer address.
Problem peer_denied(Problem problem, const Endpoint& peer);

std::string_view name_of(stun::Method method);

}  // namespace turnpike::stunclient
