// What the NAT in front of this machine does with the ports that it maps (RFC 5780 §4.3) and whom it lets in
// there (§4.4), in the terms of RFC 4787. The server has to have a second address.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "stunclient/client.hpp"
#include "stunclient/report.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::stunclient {

class NatTest {
 public:
  // What the first Binding, test I of both, told.
  struct Known {
    Endpoint mapped;
    std::optional<Endpoint> other;  // OTHER-ADDRESS
  };

  // `client` has asked its server, and is asked on for the mapping; filtering has a port of its own, that has
  // sent nothing to the server's other address. The references outlive this.
  NatTest(const Context& context, Client& client, const Known& known);

  // Adds to `notes` what is not tested, and why.
  NatReport run(std::vector<std::string>& notes);

 private:
  std::optional<Problem> check_other() const;

  Step test_mapping(std::optional<std::string_view>& behavior);
  Result<Endpoint, Problem> mapped_by(const Endpoint& server, microseconds& time);
  Result<Answer, Problem> ask_at(const Endpoint& server);

  Step test_filtering(std::optional<std::string_view>& behavior);
  // Whether an answer comes from there. Only its absence is no problem.
  Result<bool, Problem> lets_in(Client& client, const stun::ChangeRequest& change, microseconds& time);

  const Context& context_;
  Client& client_;
  const Endpoint server_;
  const Known known_;
  std::deque<Client> connections_;  // streams keep their mapping while they last
};

}  // namespace turnpike::stunclient
