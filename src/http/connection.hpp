// One connection from its first byte to its last: TLS, requests one after another, perhaps a WebSocket at the
// end. What is heavy to compile is in connection.cpp alone.
#pragma once

#include "http/server.hpp"

namespace turnpike::http {

class Server::Connection {
 public:
  // Runs until the connection has ended.
  static Awaitable<void> serve(Server& server, Socket socket, net::AcceptedConnection arrival);

  virtual ~Connection() = default;
  // A WebSocket says goodbye, anything else just ends.
  virtual void stop() = 0;
  // Ends it without a word.
  virtual void abort() = 0;

 private:
  class Served;
};

}  // namespace turnpike::http
