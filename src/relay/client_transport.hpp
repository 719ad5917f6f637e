// How clients come to a worker, as far as it is the same for datagrams, streams and DTLS. What clients send
// comes in by Clients, which knows each transport; everything else is asked of all of them alike, once in a
// pass.
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
  // The views must stay valid until send(). A message to a client that has gone is dropped. Throws
  // std::bad_alloc; the message is lost then.
  virtual void add(const turn::Output::ToClient& message, Bytes head) = 0;
  virtual void send() = 0;

  // --- How long clients stay
  // What belongs to a client with an allocation, here or at another worker, stays as long as that does.
  virtual void set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) = 0;
  // Clients that have gone. Nothing more comes from them; answers to what came before still go out.
  virtual std::span<const FiveTuple> ended() const { return {}; }
  virtual void remove_ended() {}
  // What received messages view is needed no more.
  virtual void release_received() {}

  virtual void on_timeout(TimePoint now) = 0;
  // SteadyTime::max() when nothing is waited for.
  virtual SteadyTime next_deadline() const = 0;

  // From now on these hold; deadlines that run already stay as they are. Connections of clients that may not
  // come any more end. The settings outlive their use.
  virtual void use(const Settings& settings) = 0;

  // Adds what has been counted so far. Any thread may call it.
  virtual void add_counters_to(Totals& totals) const = 0;
  // How often something was given up since there was no memory for it.
  virtual std::uint64_t out_of_memory() const = 0;
};

}  // namespace turnpike::relay
