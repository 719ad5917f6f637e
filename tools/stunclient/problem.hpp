// What went wrong and what the user can do about it, in words.
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
  network,         // the kernel says no, or an ICMP error came
  no_tls,          // the server and we do not agree on it
  no_answer,       // the time is up
  error_response,  // the server says no
  bad_answer,      // an answer that lacks what it must have
  no_discovery,    // the server has no second address to test a NAT with
  not_relayed,     // a datagram that the server took did not come out
};
std::string_view to_string(ProblemKind kind);

struct Problem {
  ProblemKind kind{};
  std::uint16_t code = 0;  // of an error response
  std::string summary;     // "403 Forbidden"
  std::string advice;      // what that means; may be empty

  std::string message() const { return advice.empty() ? summary : summary + ": " + advice; }
};

// What a 401 is about depends on what was given.
struct Facts {
  bool has_credentials = false;
  std::string realm;  // of the last challenge
};

Problem error_response(const client::Failure& failure, const Facts& facts);
// `ignored` is what came instead of an answer, if anything did.
Problem no_answer(const Endpoint& server, std::chrono::milliseconds timeout,
                  std::optional<client::Ignored> ignored, Transport transport);
Problem network_error(const std::system_error& error, const Endpoint& server, Transport transport);
Problem no_tls(const std::string& why);
Problem connection_closed(const Endpoint& server);
Problem bad_answer(std::string_view what_is_missing);
// A 403 for a peer.
Problem peer_denied(Problem problem, const Endpoint& peer);

std::string_view name_of(stun::Method method);
// Text from the network, fit for a terminal and for JSON: no control characters, valid UTF-8.
std::string printable(std::string_view text);

}  // namespace turnpike::stunclient
