#include "net/tcp_socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "net/socket_address.hpp"

namespace turnpike::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel limits it to net.core.somaxconn

// The maximum of unsent octets in the kernel. More of them would only delay media.
constexpr int kUnsent = 128 << 10;

[[noreturn]] void throw_errno(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

void require_option(int fd, int level, int name, int value, const char* what) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0) throw_errno(what);
}

Fd open_socket(Family family) {
  const int domain = family == Family::ipv4 ? AF_INET : AF_INET6;
  Fd fd(socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno("socket");
  if (family == Family::ipv6) require_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  // The old connections of a daemon that has just ended must not keep a new one from starting.
  require_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  return fd;
}

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

bool set_option(const Fd& fd, int level, int name, int value) {
  return setsockopt(fd.get(), level, name, &value, sizeof value) == 0;
}

bool try_bind(const Fd& fd, const Endpoint& at) {
  const SocketAddress address(at);
  return bind(fd.get(), &address.any, address.size()) == 0;
}

// Returns an invalid Fd when the machine has no descriptor left; errno is set.
Fd relay_socket(Family family) {
  const int domain = family == Family::ipv4 ? AF_INET : AF_INET6;
  Fd fd(socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  if (family == Family::ipv6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);  // old connections of an ended relay do not hinder the bind
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

void bind_socket(const Fd& fd, const Endpoint& at) {
  const SocketAddress address(at);
  if (bind(fd.get(), &address.any, address.size()) != 0) throw_errno("bind");
}

}  // namespace

// The accepted connections inherit these options.
Fd open_tcp_listener(const Endpoint& at) {
  Fd fd = open_socket(at.family());
  require_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  require_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
  require_option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsent, "TCP_NOTSENT_LOWAT");
  bind_socket(fd, at);
  if (listen(fd.get(), kBacklog) != 0) throw_errno("listen");
  return fd;
}

void require_free_tcp_address(const Endpoint& at) { bind_socket(open_socket(at.family()), at); }

std::optional<Accepted> accept_tcp(int listener) {
  SocketAddress from;
  socklen_t size = sizeof from;
  Fd fd(accept4(listener, &from.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return std::nullopt;
  return Accepted{std::move(fd), from.endpoint()};
}

// SO_REUSEPORT is set after the bind, so that the bind fails when another process uses the port. The outgoing
// connections of this relay then share the port.
Result<Fd> open_tcp_relay(const Endpoint& at) {
  Fd fd = relay_socket(at.family());
  if (!fd || !try_bind(fd, at)) return last_error();
  if (!set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) || listen(fd.get(), kBacklog) != 0) return last_error();
  return fd;
}

Result<Fd> connect_tcp(const Endpoint& from, const Endpoint& to) {
  Fd fd = relay_socket(from.family());
  if (!fd || !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) || !try_bind(fd, from)) return last_error();
  const SocketAddress address(to);
  if (connect(fd.get(), &address.any, address.size()) != 0 && errno != EINPROGRESS) return last_error();
  return fd;
}

boost::system::error_code connection_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return {error, boost::system::system_category()};
}

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
