#include "client/udp.hpp"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "client/exchange.hpp"
#include "net/socket_calls.hpp"
#include "net/udp_socket.hpp"

namespace turnpike::client {
namespace {

using Clock = std::chrono::steady_clock;
using net::SocketAddress;
using net::throw_errno;
using std::chrono::milliseconds;

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, std::uint16_t port, std::optional<Family> family) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const std::string name = bracketed ? host.substr(1, host.size() - 2) : host;
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_family = !family ? AF_UNSPEC : *family == Family::ipv4 ? AF_INET : AF_INET6;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(name.c_str(), nullptr, &hints, &list))
    throw std::runtime_error("cannot resolve " + host + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);

  std::vector<Endpoint> endpoints;
  for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
    SocketAddress address;
    std::memcpy(&address.any, entry->ai_addr, entry->ai_addrlen);
    Endpoint endpoint = address.endpoint();
    endpoint.port = port;
    endpoints.push_back(endpoint);
  }
  if (endpoints.empty()) throw std::runtime_error("cannot resolve " + host + ": no address");
  return endpoints;
}

UdpSocket::UdpSocket(const Endpoint& local)
    : fd_(socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  if (!fd_) throw_errno("socket");
  const SocketAddress address(local);
  if (bind(fd(), &address.any, address.size()) != 0) {
    throw std::system_error(errno, std::generic_category(), "bind to " + local.to_string());
  }
}

Endpoint UdpSocket::local() const { return net::local_endpoint(fd()); }

void UdpSocket::connect(const Endpoint& peer) {
  const SocketAddress address(peer);
  if (::connect(fd(), &address.any, address.size()) != 0) throw_errno("connect");
}

void UdpSocket::send_to(Bytes bytes, const Endpoint& peer) {
  const SocketAddress address(peer);
  // The kernel may report the refusal of an earlier datagram here. Try twice, so that this one is not lost.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (sendto(fd(), bytes.data(), bytes.size(), 0, &address.any, address.size()) >= 0) return;
  }
}

std::optional<Datagram> UdpSocket::receive(milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  Datagram datagram;
  datagram.bytes.resize(kMaxDatagram);
  for (;;) {
    pollfd ready{fd(), POLLIN, 0};
    const int count = poll(&ready, 1, static_cast<int>(time_until(deadline).count()));
    if (count == 0) return std::nullopt;
    if (count < 0) {
      if (errno == EINTR) continue;
      throw_errno("poll");
    }
    SocketAddress from;
    socklen_t from_size = sizeof from;
    const ssize_t size =
        recvfrom(fd(), datagram.bytes.data(), datagram.bytes.size(), MSG_DONTWAIT, &from.any, &from_size);
    if (size < 0) continue;
    datagram.bytes.resize(static_cast<std::size_t>(size));
    datagram.from = from.endpoint();
    return datagram;
  }
}

std::optional<Answer> exchange(UdpSocket& socket, const Endpoint& server, TurnClient& client, Request request,
                               const Retransmission& timers,
                               const std::function<void(const Event&)>& on_other) {
  const auto receive = [&](milliseconds wait) {
    const Clock::time_point deadline = Clock::now() + wait;
    for (;;) {
      auto datagram = socket.receive(time_until(deadline));
      if (!datagram || (datagram->from.port == server.port && datagram->from.address == server.address))
        return datagram;
    }
  };
  return exchange_datagrams([&](Bytes bytes) { socket.send_to(bytes, server); }, receive, client,
                            std::move(request), timers, on_other);
}

}  // namespace turnpike::client
