// Answers the requests of clients: finds out who sent a request and for which allocation, and gives it to the
// part that carries it out. Allocator, Permissions and Binding do nothing else, so they belong to this class.
#pragma once

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/allocator.hpp"
#include "turnpike/turn/binding.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/lifetimes.hpp"
#include "turnpike/turn/moves.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/permissions.hpp"
#include "turnpike/turn/reservations.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/server_params.hpp"
#include "turnpike/turn/settings.hpp"
#include "turnpike/turn/tcp_connections.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Requests {
 public:
  // The parts of the server that it uses. All references outlive this.
  struct Parts {
    const Settings& settings;
    const PeerAccess& access;
    Responder& responder;
    Allocations& allocations;
    Moves& moves;
    TcpConnections& tcp_connections;
    Lifetimes& lifetimes;
    Reservations& reservations;
    Counters& counters;
    Breakdown& breakdown;
  };

  Requests(const ServerParams& params, const Parts& parts);

  // A message of class request, with any method.
  void on_request(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now, Output& out);
  // A Binding request of RFC 3489.
  void on_rfc3489(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now, Output& out);

 private:
  void on_turn_request(Request& request, Output& out);
  void on_authenticated(Request& request, Output& out);
  void on_request_with_allocation(Request& request, Output& out);

  Responder& responder_;
  Moves& moves_;
  TcpConnections& tcp_connections_;
  Lifetimes& lifetimes_;
  Counters& counters_;
  Allocator allocator_;
  Permissions permissions_;
  Binding binding_;
};

}  // namespace turnpike::turn
