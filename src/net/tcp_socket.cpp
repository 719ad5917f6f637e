#include "net/tcp_socket.hpp"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "net/descriptor_reserve.hpp"
#include "net/socket_calls.hpp"

namespace turnpike::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel limits it to net.core.somaxconn

// The kernel holds at most this many unsent octets. More of them would only delay media.
constexpr int kUnsent = 128 << 10;

void require_option(int fd, int level, int name, int value, const char* what) {
  if (!set_option(fd, level, name, value)) throw_errno(what);
}

// With SO_REUSEADDR, the remaining connections of a daemon or a relay that has just ended do not prevent a
// bind.
Fd open_rebindable_socket(Family family) {
  Fd fd = open_socket(family, SOCK_STREAM);
  if (fd) set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  return fd;
}

Fd open_listener_socket(Family family) {
  Fd fd = open_rebindable_socket(family);
  if (!fd) throw_errno("socket");
  return fd;
}

Fd open_relay_socket(Family family) {
  Fd fd = unless_reserved(open_rebindable_socket(family));
  if (fd) set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

void require_bind(const Fd& fd, const Endpoint& at) {
  if (!bind_socket(fd.get(), at)) throw_errno("bind");
}

}  // namespace

// The accepted connections inherit these options.
Fd open_tcp_listener(const Endpoint& at) {
  Fd fd = open_listener_socket(at.family());
  require_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  require_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
  require_option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsent, "TCP_NOTSENT_LOWAT");
  require_bind(fd, at);
  if (listen(fd.get(), kBacklog) != 0) throw_errno("listen");
  return fd;
}

void require_free_tcp_address(const Endpoint& at) { require_bind(open_listener_socket(at.family()), at); }

std::optional<Accepted> accept_tcp(int listener) {
  SocketAddress from;
  socklen_t size = sizeof from;
  Fd fd = unless_reserved(Fd(accept4(listener, &from.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)));
  if (!fd) return std::nullopt;
  return Accepted{std::move(fd), from.endpoint()};
}

// SO_REUSEPORT is set after the bind, so that the bind fails when another process uses the port. The outgoing
// connections of this relay then share the port.
Result<Fd> open_tcp_relay(const Endpoint& at) {
  Fd fd = open_relay_socket(at.family());
  if (!fd || !bind_socket(fd.get(), at)) return last_error();
  if (!set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1) || listen(fd.get(), kBacklog) != 0)
    return last_error();
  return fd;
}

Result<Fd> connect_tcp(const Endpoint& from, const Endpoint& to) {
  Fd fd = open_relay_socket(from.family());
  if (!fd || !set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1) || !bind_socket(fd.get(), from))
    return last_error();
  const SocketAddress address(to);
  if (connect(fd.get(), &address.any, address.size()) != 0 && errno != EINPROGRESS) return last_error();
  return fd;
}

boost::system::error_code connection_error(int fd) { return take_stored_error(fd); }

std::optional<ConnectionEnds> connection_ends(int fd) {
  SocketAddress remote;
  socklen_t size = sizeof remote;
  if (getpeername(fd, &remote.any, &size) != 0) return std::nullopt;
  const std::optional<Endpoint> local = connection_endpoint(fd);
  if (!local) return std::nullopt;
  return ConnectionEnds{*local, remote.endpoint()};
}

bool is_acknowledged(int fd) {
  int waiting = 0;  // octets; the end counts as one
  return ioctl(fd, SIOCOUTQ, &waiting) == 0 && waiting == 0;
}

void reset_connection(int fd) {
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  (void)connect(fd, &nowhere, sizeof nowhere);
}

bool is_still_there(int error) { return error == EADDRNOTAVAIL; }

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::optional<Endpoint> connection_endpoint(int fd) {
  SocketAddress address;
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) != 0) return std::nullopt;
  return address.endpoint();
}

}  // namespace turnpike::net
