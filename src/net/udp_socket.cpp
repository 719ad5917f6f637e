#include "net/udp_socket.hpp"

#include <linux/errqueue.h>
#include <linux/udp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <cerrno>

#include "net/descriptor_reserve.hpp"
#include "net/socket_calls.hpp"

namespace turnpike::net {
namespace {

// Datagrams of any size are sent, in fragments if the path needs it (RFC 8656 §14: DF is 0 unless the client
// asks for it). With IP_PMTUDISC_DONT, which sends the same, the kernel would not report a router's ICMP
// error for an earlier datagram that had DF set.
void allow_fragments(int fd, Family family) {
  if (family == Family::ipv4) {
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  } else {
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  }
}

// SO_RCVBUFFORCE exceeds the system's limit, if the process has CAP_NET_ADMIN.
void set_receive_buffer(int fd, std::uint32_t bytes) {
  const int size = static_cast<int>(bytes);
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, size)) set_option(fd, SOL_SOCKET, SO_RCVBUF, size);
}

// Clients decide how many relays there are.
Fd open_relay_datagram_socket(Family family) { return unless_reserved(open_socket(family, SOCK_DGRAM)); }

std::uint32_t receive_buffer_of(int fd) {
  int granted = 0;
  socklen_t size = sizeof granted;
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size);
  return static_cast<std::uint32_t>(granted) / 2;  // the kernel reports twice the usable size
}

std::optional<stun::Icmp> to_icmp(const sock_extended_err& error, Family family) {
  if (error.ee_origin == SO_EE_ORIGIN_LOCAL) {
    // The datagram was larger than the path MTU and DF was set. This is reported like the ICMP error of a
    // router.
    if (error.ee_errno != EMSGSIZE) return std::nullopt;
    if (family == Family::ipv4) return stun::Icmp{ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, error.ee_info};
    return stun::Icmp{ICMP6_PACKET_TOO_BIG, 0, error.ee_info};
  }
  const bool v4 = error.ee_origin == SO_EE_ORIGIN_ICMP &&
                  (error.ee_type == ICMP_DEST_UNREACH || error.ee_type == ICMP_TIME_EXCEEDED);
  const bool v6 = error.ee_origin == SO_EE_ORIGIN_ICMP6 &&
                  (error.ee_type == ICMP6_DST_UNREACH || error.ee_type == ICMP6_PACKET_TOO_BIG ||
                   error.ee_type == ICMP6_TIME_EXCEEDED);
  if (!v4 && !v6) return std::nullopt;
  const bool too_big = v4 ? error.ee_type == ICMP_DEST_UNREACH && error.ee_code == ICMP_FRAG_NEEDED
                          : error.ee_type == ICMP6_PACKET_TOO_BIG;
  return stun::Icmp{error.ee_type, error.ee_code, too_big ? error.ee_info : 0};
}

}  // namespace

// Where the kernel chooses the port, it takes one that another socket with SO_REUSEPORT has, if both belong
// to the same user, and half of the datagrams would go there. So the option is set only after such a bind.
Fd open_udp_listener(const Endpoint& at) {
  Fd fd = open_socket(at.family(), SOCK_DGRAM);
  if (!fd) throw_errno("socket");
  const auto share_port = [&] {
    if (!set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) throw_errno("SO_REUSEPORT");
  };
  if (at.port != 0) share_port();
  // The data of peers may be fragmented on their way to the client, too. An IPv6 socket itself fragments what
  // exceeds the known path MTU.
  if (at.address.is_v4()) allow_fragments(fd.get(), Family::ipv4);
  if (at.address.is_unspecified()) {
    const bool set = at.address.is_v4() ? set_option(fd.get(), IPPROTO_IP, IP_PKTINFO, 1)
                                        : set_option(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (!set) throw_errno("IP_PKTINFO");
  }
  if (!bind_socket(fd.get(), at)) throw_errno("bind");
  if (at.port == 0) share_port();
  return fd;
}

void require_free_udp_address(const Endpoint& at) {
  const Fd fd = open_socket(at.family(), SOCK_DGRAM);
  if (!fd) throw_errno("socket");
  if (!bind_socket(fd.get(), at)) throw_errno("bind");
}

Result<Fd> open_udp_relay(const Endpoint& at) {
  Fd fd = open_relay_datagram_socket(at.family());
  if (!fd || !bind_socket(fd.get(), at)) return last_error();
  return fd;
}

void prepare_udp_relay(int fd, Family family, std::uint32_t receive_buffer) {
  if (receive_buffer != 0) set_receive_buffer(fd, receive_buffer);
  allow_fragments(fd, family);
  if (family == Family::ipv4) {
    set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
  } else {
    set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
  }
  allow_received_runs(fd);
}

// The option is set only during the second bind, so that at all other times no other socket can bind the
// port.
Result<Fd> open_second_udp_relay(int first, const Endpoint& at, std::uint32_t receive_buffer) {
  Fd fd = open_relay_datagram_socket(at.family());
  if (!fd) return last_error();
  prepare_udp_relay(fd.get(), at.family(), receive_buffer);
  set_option(first, SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  const bool bound = bind_socket(fd.get(), at);
  const auto error = last_error();
  set_option(first, SOL_SOCKET, SO_REUSEADDR, 0);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 0);
  if (!bound) return error;
  return fd;
}

bool connect_udp(int fd, const Endpoint& peer) {
  const SocketAddress address(peer);
  return connect(fd, &address.any, address.size()) == 0;
}

void allow_received_runs(int fd) { set_option(fd, IPPROTO_UDP, UDP_GRO, 1); }

Endpoint local_endpoint(int fd) {
  SocketAddress address;
  socklen_t size = sizeof address;
  if (getsockname(fd, &address.any, &size) != 0) throw_errno("getsockname");
  return address.endpoint();
}

int set_buffer_sizes(int fd, int bytes) {
  set_receive_buffer(fd, static_cast<std::uint32_t>(bytes));
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes)) set_option(fd, SOL_SOCKET, SO_SNDBUF, bytes);
  return static_cast<int>(receive_buffer_of(fd));
}

std::uint32_t granted_receive_buffer(std::uint32_t bytes) {
  const Fd fd = open_socket(Family::ipv4, SOCK_DGRAM);
  if (!fd) return bytes;
  set_receive_buffer(fd.get(), bytes);
  return receive_buffer_of(fd.get());
}

int send_dont_fragment(int fd, const Endpoint& to, Bytes payload) {
  SocketAddress address(to);
  iovec data{const_cast<std::uint8_t*>(payload.data()), payload.size()};
  alignas(cmsghdr) std::uint8_t control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{&address, address.size(), &data, 1, nullptr, 0, 0};
  const bool v4 = to.address.is_v4();
  if (v4) {
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  } else {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_DONTFRAG;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int on = 1;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&on), sizeof on, CMSG_DATA(header));
  }
  const int error = sendmsg(fd, &message, 0) < 0 ? errno : 0;
  if (v4) set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  return error;
}

std::optional<SocketError> take_error(int fd) {
  SocketAddress peer;
  alignas(cmsghdr) std::uint8_t control[512];
  msghdr message{&peer, sizeof peer, nullptr, 0, control, sizeof control, 0};
  if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0) return std::nullopt;
  SocketError found;
  if (message.msg_namelen != 0) found.peer = peer.endpoint();
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    const bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
    const bool v6 = header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
    if (!v4 && !v6) continue;
    sock_extended_err error;
    std::copy_n(CMSG_DATA(header), sizeof error, reinterpret_cast<std::uint8_t*>(&error));
    if (message.msg_namelen != 0) found.icmp = to_icmp(error, found.peer.family());
    found.is_local = error.ee_origin == SO_EE_ORIGIN_LOCAL;
  }
  return found;
}

}  // namespace turnpike::net
