#include "net/address_watch.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace turnpike::net {

AddressWatch::AddressWatch()
    : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  // RTMGRP_LINK is necessary: an interface that goes down loses its IPv4 addresses without a message about
  // them.
  address.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (!socket_ || bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "rtnetlink");
  }
}

// A queue that has overflowed reports ENOBUFS once. That loses nothing, since drain() ignores the contents.
void AddressWatch::drain() {
  std::uint8_t rest_is_dropped = 0;
  while (recv(socket_.get(), &rest_is_dropped, sizeof rest_is_dropped, 0) >= 0 || errno == ENOBUFS ||
         errno == EINTR) {
  }
}

}  // namespace turnpike::net
