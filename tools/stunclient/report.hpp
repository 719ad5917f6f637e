// The results of a run, and two ways to print them.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stunclient/problem.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

// The result of one test step.
struct Step {
  std::chrono::microseconds time{};
  std::optional<Problem> problem;

  bool ok() const { return !problem; }
};

// One way to relay a datagram to ourselves. Steps that were not reached are absent.
struct PathReport {
  std::string_view name;  // "relay to relay"
  Step peer;              // preparation of the peer
  std::optional<Endpoint> peer_address;
  std::optional<Step> permission;
  std::optional<Step> channel;
  std::optional<Step> relay;
  std::optional<std::chrono::microseconds> indication_round_trip;
  std::optional<std::chrono::microseconds> channel_round_trip;

  bool ok() const { return peer.ok() && permission && channel && relay && !first_problem(); }
  const Problem* first_problem() const;
};

struct TurnReport {
  Step allocation;
  std::string realm;
  std::optional<Endpoint> relayed;
  std::optional<std::chrono::seconds> lifetime;
  std::optional<PathReport> path;
  std::optional<Step> release;
};

// The behaviour of a NAT (RFC 5780), in the words of RFC 4787. A result is absent when it is not known.
struct NatReport {
  Step behavior_test;
  std::optional<std::string_view> behavior;
  std::optional<Step> filtering_test;  // absent when the protocol has no filtering test
  std::optional<std::string_view> filtering;
};

struct Report {
  Transport transport = Transport::udp;
  std::optional<Endpoint> server;  // absent when the name has no address
  Step binding;
  std::optional<Endpoint> local;
  std::optional<Endpoint> mapped;
  std::optional<Endpoint> other;  // the server's OTHER-ADDRESS
  std::optional<NatReport> nat;
  std::optional<TurnReport> turn;
  std::vector<std::string> notes;  // failures that did not matter in the end

  bool ok() const;
};

void print_text(std::ostream& out, const Report& report);
// Prints the problems and notes, which are not part of the text.
void print_problems(std::ostream& out, const Report& report);

// Makes {"success", "server", "protocol", "binding": {…}, "nat": {…}, "turn": {…}, "notes": […]}. Times are
// in milliseconds.
boost::json::object to_json(const Report& report);

}  // namespace turnpike::stunclient
