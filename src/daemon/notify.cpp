#include "daemon/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "net/fd.hpp"

namespace turnpike::daemon {
namespace {

// The socket is opened only once. If each message needed a new descriptor, systemd's watchdog would hear
// nothing when descriptors run out, and would end all calls.
int notify_channel() {
  static const net::Fd channel(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return channel.get();
}

}  // namespace

void notify_service_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (!path || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract socket

  sendto(notify_channel(), state.data(), state.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace turnpike::daemon
