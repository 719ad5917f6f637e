// Sends the messages of a pass to the clients. Those of clients whose connection is with another worker go to
// that worker.
#pragma once

#include <cstdint>

#include "relay/clients.hpp"
#include "relay/roaming.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class ClientSender {
 public:
  // All references must outlive this object.
  ClientSender(Clients& clients, Roaming& roaming, Counter& out_of_memory)
      : clients_(clients), roaming_(roaming), out_of_memory_(out_of_memory) {}

  // Returns how many flows of datagrams these are; see BatchPacer::Pass. A message that needs memory when
  // there is none is lost.
  std::uint64_t send(const turn::Output& output);

 private:
  void send_on_connection(const turn::Output::ToClient& message, Bytes head);

  Clients& clients_;
  Roaming& roaming_;
  Counter& out_of_memory_;
};

}  // namespace turnpike::relay
