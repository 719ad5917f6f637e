#include "turnpike/signaling/socket_io_echo.hpp"

#include "turnpike/signaling/json_slice.hpp"

namespace turnpike::signaling {

void SocketIoEcho::on_connect(SocketIo::Socket& socket, std::string_view auth, EngineIo::Output& out) {
  socket_io_.emit(socket, "auth", auth.empty() ? "{}" : auth, {}, out);
}

void SocketIoEcho::on_event(SocketIo::Call& call) {
  const std::string arguments = json_list(call.arguments);
  if (call.name == "message")
    socket_io_.emit(call.socket, "message-back", arguments, call.attachments, call.out);
  if (call.name == "message-with-ack") socket_io_.acknowledge(call, '[' + arguments + ']', call.attachments);
}

}  // namespace turnpike::signaling
