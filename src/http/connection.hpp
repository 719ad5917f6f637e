// One HTTP connection from its first octet to its last: TLS, requests one after another, and possibly a
// WebSocket at the end.
#pragma once

#include "http/server.hpp"

namespace turnpike::http {

class Server::Connection {
 public:
  // Runs until the connection has ended.
  static Awaitable<void> serve(Server& server, Socket socket, net::AcceptedConnection arrival);

  virtual ~Connection() = default;
  // Ends the connection. A WebSocket sends a Close frame first, and a request is answered first.
  virtual void stop() = 0;
  // Closes the connection at once.
  virtual void abort() = 0;

 private:
  class Served;
};

}  // namespace turnpike::http
