// The interface of the client transports of one worker, for what is the same with datagrams, streams and
// DTLS. Clients knows each transport and receives from it; it calls everything else through this interface,
// for all transports, once in each pass.
#pragma once

#include <cstdint>
#include <span>

#include "relay/counters.hpp"
#include "relay/settings.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

// Belongs to one worker and its thread.
class ClientTransport {
 public:
  ClientTransport() = default;
  virtual ~ClientTransport() = default;
  ClientTransport(const ClientTransport&) = delete;
  ClientTransport& operator=(const ClientTransport&) = delete;

  // --- What clients get
  // The views must stay valid until send(). A message to a client that has ended is dropped. When this throws
  // std::bad_alloc, the message is lost.
  virtual void add(const turn::Output::ToClient& message, Bytes head) = 0;
  virtual void send() = 0;

  // --- How long clients stay
  // Says whether the client has an allocation, of this worker or of another one. The connection or flow of a
  // client with an allocation stays as long as the allocation.
  virtual void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) = 0;
  // The clients whose connections have ended. They send nothing more; answers to earlier messages are still
  // sent.
  virtual std::span<const FiveTuple> ended() const { return {}; }
  virtual void remove_ended() {}
  // The caller needs the octets of received messages no longer.
  virtual void release_received() {}

  virtual void on_timeout(TimePoint now) = 0;
  // The earliest time at which on_timeout() has work; SteadyTime::max() when there is none.
  virtual SteadyTime next_deadline() const = 0;

  // Changes the settings. Running deadlines do not change. Connections of clients that may no longer come
  // end. `settings` must live until the next call of this function.
  virtual void use(const Settings& settings) = 0;

  // Adds what has been counted so far. Any thread may call it.
  virtual void add_counters_to(Totals& totals) const = 0;
  // How often an action was given up because there was no memory.
  virtual std::uint64_t out_of_memory() const = 0;
};

}  // namespace turnpike::relay
