// Functions that open and configure UDP and TCP sockets.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/system/error_code.hpp>
#include <cerrno>
#include <system_error>

#include "net/fd.hpp"
#include "net/socket_address.hpp"

namespace turnpike::net {

// Throws std::system_error with the reason in errno; `call` says what failed.
[[noreturn]] inline void throw_errno(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

inline boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

// Takes the error that the socket stores for the next call, if there is one.
inline boost::system::error_code take_stored_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return {error, boost::system::system_category()};
}

// The functions below return false, or an Fd that is invalid, when the call fails; errno says why.

inline bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

inline bool bind_socket(int fd, const Endpoint& at) {
  const SocketAddress address(at);
  return bind(fd, &address.any, address.size()) == 0;
}

// `type` is SOCK_DGRAM or SOCK_STREAM. The socket does not block. One for IPv6 leaves IPv4 to another socket.
inline Fd open_socket(Family family, int type) {
  const int domain = family == Family::ipv4 ? AF_INET : AF_INET6;
  Fd fd(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd && family == Family::ipv6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return fd;
}

}  // namespace turnpike::net
