// Knows the connections with peers that are in the Farewells of any worker (RFC 6062). A client that has
// closed its data connection may connect to the same peer again, from the same relayed address. The kernel
// allows this only after the former connection, with the same two addresses, has ended.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "net/tcp_socket.hpp"

namespace turnpike::relay {

// Thread-safe.
class LeavingPeers {
 public:
  // The entry of one connection, from the constructor to the destructor. It must not outlive the descriptor,
  // or another thread could reset a connection that has got the same number.
  class Place {
   public:
    Place(LeavingPeers& all, int fd);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    LeavingPeers& all_;
    const int fd_;
    const std::optional<net::ConnectionEnds> ends_;
  };

  // Returns true when no connection here has these addresses. With `may_reset`, it resets the one that has
  // them if the peer has acknowledged everything, so that the client's last words are not lost.
  bool make_room(const net::ConnectionEnds& ends, bool may_reset);

 private:
  std::mutex mutex_;
  std::map<net::ConnectionEnds, int> descriptors_;
};

}  // namespace turnpike::relay
