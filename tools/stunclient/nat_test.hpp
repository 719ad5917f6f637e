// Tests the behaviour of the NAT in front of this machine: how it maps ports (RFC 5780 §4.3) and what it
// filters (§4.4), in the terms of RFC 4787. The server needs a second address.
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
  // The result of the first Binding request, which is test I of both tests.
  struct Known {
    Endpoint mapped;
    std::optional<Endpoint> other;  // OTHER-ADDRESS
  };

  // `client` has asked its server already; the mapping test uses its port. The filtering test uses a new
  // port, which has not sent anything to the server's other address. All references must outlive this object.
  NatTest(const Context& context, Client& client, const Known& known);

  // Adds to `notes` which tests were left out, and why.
  NatReport run(std::vector<std::string>& notes);

 private:
  std::optional<Problem> check_other() const;

  Step test_mapping(std::optional<std::string_view>& behavior);
  Result<Endpoint, Problem> mapped_by(const Endpoint& server, microseconds& time);
  Result<Answer, Problem> ask_at(const Endpoint& server);

  Step test_filtering(std::optional<std::string_view>& behavior);
  // Whether an answer from the changed address arrives. A missing answer is a result, not a problem.
  Result<bool, Problem> probe_filtering(Client& client, const stun::ChangeRequest& change,
                                        microseconds& time);

  const Context& context_;
  Client& client_;
  const Endpoint server_;
  const Known known_;
  std::deque<Client> connections_;  // kept open, since the NAT keeps the mapping of an open connection
};

}  // namespace turnpike::stunclient
