// Sends the datagrams of a pass that are for relayed addresses of other workers. Those for one worker go as
// one mail.
#pragma once

#include <deque>
#include <vector>

#include "relay/mailbox.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class RelayedMail {
 public:
  // The mailboxes of all workers must outlive this object.
  explicit RelayedMail(std::deque<Mailbox>& mailboxes)
      : mailboxes_(mailboxes), to_workers_(mailboxes.size()) {}

  // A long mail is sent before the others.
  void send(const std::vector<turn::Output::ToRelay>& messages);

 private:
  std::deque<Mailbox>& mailboxes_;
  std::vector<FromRelays> to_workers_;  // by worker
};

}  // namespace turnpike::relay
