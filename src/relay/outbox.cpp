#include "relay/outbox.hpp"

#include "relay/attempt.hpp"

namespace turnpike::relay {

std::uint64_t Outbox::send(turn::Output& output, TimePoint now) {
  std::uint64_t flows = 0;
  attempt(out_of_memory_, [&] { flows += to_peers_.send(output.to_peers(), now); });
  attempt(out_of_memory_, [&] { to_workers_.send(output.to_relays()); });
  // Relays are closed after the last datagram has been sent through them, because their numbers are
  // descriptors and may soon belong to another relay. They are closed before a client learns that its
  // allocation has ended, because this client may ask any worker for the port.
  output.clear_to_peers();
  output.close_relays();
  attempt(out_of_memory_, [&] { flows += to_clients_.send(output); });
  return flows;
}

}  // namespace turnpike::relay
