#include "net/tcp_socket.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "net/socket_address.hpp"

namespace turnpike::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel takes what net.core.somaxconn allows of it

// What the kernel may hold that has not been sent yet: more would only make media late.
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
  // The connections of a daemon that has just ended must not keep the next one from starting.
  require_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  return fd;
}

void bind_socket(const Fd& fd, const Endpoint& at) {
  const SocketAddress address(at);
  if (bind(fd.get(), &address.any, address.size()) != 0) throw_errno("bind");
}

}  // namespace

// What is set here, the connections inherit.
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

std::optional<Endpoint> connection_endpoint(int fd) {
  SocketAddress address;
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) != 0) return std::nullopt;
  return address.endpoint();
}

}  // namespace turnpike::net
