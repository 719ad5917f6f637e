// Gives Socket.IO's events the meaning that the test suite of the protocol expects: they are sent back.
#pragma once

#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::signaling {

class SocketIoEcho final : public SocketIo::Application {
 public:
  // `socket_io` outlives this.
  explicit SocketIoEcho(SocketIo& socket_io) : socket_io_(socket_io) {}

  bool has_namespace(std::string_view nsp) const override { return nsp == "/" || nsp == "/custom"; }
  void on_connect(SocketIo::Socket& socket, std::string_view auth, EngineIo::Output& out) override;
  void on_event(SocketIo::Call& call) override;
  // Its sockets are in no room.
  void on_hub_event(SocketIo::Socket&, const Event&, EngineIo::Output&) override {}

 private:
  SocketIo& socket_io_;
};

}  // namespace turnpike::signaling
