// The floor that a relay is measured against: the best simple loop that moves datagrams between a listener
// and relay sockets. It has one thread, one map look-up per datagram, only ChannelData, and only IPv4 on
// loopback. A client has one channel. It trusts everybody and answers requests without integrity, so it is
// only for benchmarks.
//
//     bare_relay HOST:PORT       stays in the foreground until it is killed
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace {

using namespace turnpike;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxDatagram = 2048;
constexpr int kListenerBuffer = 1 << 21;
constexpr std::chrono::seconds kLifetime{600};

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::memcpy(&address.sin_addr, endpoint.address.bytes().data(), 4);
  return address;
}

Endpoint to_endpoint(const sockaddr_in& address) {
  return {IpAddress::v4(ntohl(address.sin_addr.s_addr)), ntohs(address.sin_port)};
}

// Returns an address and port in one word. It is the key of the clients' map and, with the relay's
// descriptor, of the peers' map.
std::uint64_t key_of(const sockaddr_in& address) {
  return std::uint64_t{address.sin_addr.s_addr} << 16 | address.sin_port;
}

// Its destructor closes the descriptor.
class Socket {
 public:
  explicit Socket(const sockaddr_in& local)
      : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0 || bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0)
      throw std::system_error(errno, std::generic_category(), "socket");
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  sockaddr_in local() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return address;
  }

 private:
  int fd_;
};

struct Allocation {
  explicit Allocation(const sockaddr_in& from, const sockaddr_in& relay_local)
      : client(from), relay(relay_local) {}

  sockaddr_in client;
  Socket relay;
  sockaddr_in peer{};
  std::uint16_t channel = 0;
};

// Buffers for recvmmsg or sendmmsg, with addresses. A message starts with room for a ChannelData header.
struct Batch {
  static constexpr std::size_t kHeadroom = stun::kChannelDataHeaderSize;

  Batch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_name = &addresses[i];
    }
  }

  std::array<std::array<std::uint8_t, kHeadroom + kMaxDatagram>, kBatch> buffers;
  std::array<iovec, kBatch> parts;
  std::array<sockaddr_in, kBatch> addresses;
  std::array<mmsghdr, kBatch> messages{};
};

class BareRelay {
 public:
  explicit BareRelay(const sockaddr_in& listen);
  [[noreturn]] void run();

 private:
  struct PeerKey {
    int relay = -1;
    std::uint64_t peer = 0;
    friend bool operator==(const PeerKey&, const PeerKey&) = default;
    friend std::size_t hash_value(const PeerKey& key) {
      return boost::hash<std::uint64_t>()(key.peer << 16 ^ static_cast<std::uint64_t>(key.relay));
    }
  };

  void watch(int fd);
  void receive_from_clients();
  void receive_from_peer(int relay);
  void send_to_clients();
  void forward(const sockaddr_in& from, Bytes datagram);

  void answer(const sockaddr_in& from, Bytes datagram);
  void allocate(const sockaddr_in& from, stun::MessageBuilder& response);
  bool bind_channel(const sockaddr_in& from, const stun::MessageView& request);
  void release(const sockaddr_in& from);

  Socket listener_;
  int epoll_;
  Batch from_clients_;
  Batch to_clients_;
  std::size_t to_send_ = 0;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Allocation>> by_client_;
  boost::unordered_flat_map<PeerKey, Allocation*> by_peer_;
};

BareRelay::BareRelay(const sockaddr_in& listen) : listener_(listen), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  setsockopt(listener_.fd(), SOL_SOCKET, SO_RCVBUF, &kListenerBuffer, sizeof kListenerBuffer);
  watch(listener_.fd());
}

void BareRelay::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void BareRelay::run() {
  std::array<epoll_event, kBatch> events;
  for (;;) {
    const int ready = epoll_wait(epoll_, events.data(), kBatch, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener_.fd()) {
        receive_from_clients();
      } else {
        receive_from_peer(fd);
      }
    }
    send_to_clients();
  }
}

void BareRelay::receive_from_clients() {
  Batch& batch = from_clients_;
  for (std::size_t i = 0; i < kBatch; ++i) {
    batch.parts[i] = {batch.buffers[i].data(), batch.buffers[i].size()};
    batch.messages[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
  }
  const int received = recvmmsg(listener_.fd(), batch.messages.data(), kBatch, 0, nullptr);
  for (std::size_t i = 0; static_cast<int>(i) < received; ++i) {
    const Bytes datagram = Bytes(batch.buffers[i]).first(batch.messages[i].msg_len);
    if (stun::looks_like_channel_data(datagram)) {
      forward(batch.addresses[i], datagram);
    } else {
      answer(batch.addresses[i], datagram);
    }
  }
}

void BareRelay::forward(const sockaddr_in& from, Bytes datagram) {
  const auto data = stun::ChannelData::parse(datagram);
  const auto found = by_client_.find(key_of(from));
  if (!data || found == by_client_.end() || found->second->channel != data->channel.value()) return;
  const Allocation& allocation = *found->second;
  sendto(allocation.relay.fd(), data->payload.data(), data->payload.size(), 0,
         reinterpret_cast<const sockaddr*>(&allocation.peer), sizeof allocation.peer);
}

void BareRelay::receive_from_peer(int relay) {
  auto& buffer = to_clients_.buffers[to_send_];
  sockaddr_in peer{};
  socklen_t peer_size = sizeof peer;
  const ssize_t size = recvfrom(relay, &buffer[Batch::kHeadroom], kMaxDatagram, 0,
                                reinterpret_cast<sockaddr*>(&peer), &peer_size);
  if (size < 0) return;
  const auto found = by_peer_.find(PeerKey{relay, key_of(peer)});
  if (found == by_peer_.end()) return;
  const Allocation& allocation = *found->second;
  store_u16(buffer.data(), allocation.channel);
  store_u16(&buffer[2], static_cast<std::uint16_t>(size));
  to_clients_.parts[to_send_] = {buffer.data(), Batch::kHeadroom + static_cast<std::size_t>(size)};
  to_clients_.addresses[to_send_] = allocation.client;
  to_clients_.messages[to_send_].msg_hdr.msg_namelen = sizeof(sockaddr_in);
  if (++to_send_ == kBatch) send_to_clients();
}

void BareRelay::send_to_clients() {
  std::size_t sent = 0;
  while (sent < to_send_) {
    const int taken =
        sendmmsg(listener_.fd(), &to_clients_.messages[sent], static_cast<unsigned>(to_send_ - sent), 0);
    // The first of the remaining messages has failed, and is skipped.
    sent += taken > 0 ? static_cast<std::size_t>(taken) : 1;
  }
  to_send_ = 0;
}

void BareRelay::answer(const sockaddr_in& from, Bytes datagram) {
  const auto request = stun::MessageView::parse(datagram);
  if (!request || request->message_class() != stun::Class::request) return;
  std::array<std::uint8_t, 256> buffer;
  stun::MessageBuilder response(buffer, {request->method(), stun::Class::success}, request->transaction_id());
  switch (request->method()) {
    case stun::Method::allocate: allocate(from, response); break;
    case stun::Method::channel_bind:
      if (!bind_channel(from, *request)) return;
      break;
    case stun::Method::refresh: {
      const auto lifetime = request->find(stun::AttributeType::lifetime);
      if (lifetime && stun::decode_lifetime(*lifetime) == std::chrono::seconds(0)) release(from);
      break;
    }
    default: break;
  }
  sendto(listener_.fd(), response.bytes().data(), response.bytes().size(), 0,
         reinterpret_cast<const sockaddr*>(&from), sizeof from);
}

void BareRelay::allocate(const sockaddr_in& from, stun::MessageBuilder& response) {
  std::unique_ptr<Allocation>& allocation = by_client_[key_of(from)];
  if (!allocation) {
    sockaddr_in local = listener_.local();
    local.sin_port = 0;
    allocation = std::make_unique<Allocation>(from, local);
    watch(allocation->relay.fd());
  }
  response.add_xor_address(stun::AttributeType::xor_relayed_address, to_endpoint(allocation->relay.local()))
      .add_xor_address(stun::AttributeType::xor_mapped_address, to_endpoint(from))
      .add_lifetime(kLifetime);
}

bool BareRelay::bind_channel(const sockaddr_in& from, const stun::MessageView& request) {
  const auto found = by_client_.find(key_of(from));
  const auto number = request.find(stun::AttributeType::channel_number);
  const auto peer = request.find(stun::AttributeType::xor_peer_address);
  if (found == by_client_.end() || !number || !peer) return false;
  const auto channel = stun::decode_channel_number(*number);
  const auto endpoint = stun::decode_xor_address(*peer, request.transaction_id());
  if (!channel || !endpoint) return false;

  Allocation& allocation = *found->second;
  by_peer_.erase(PeerKey{allocation.relay.fd(), key_of(allocation.peer)});
  allocation.channel = channel->value();
  allocation.peer = to_sockaddr(*endpoint);
  by_peer_.emplace(PeerKey{allocation.relay.fd(), key_of(allocation.peer)}, &allocation);
  return true;
}

void BareRelay::release(const sockaddr_in& from) {
  const auto found = by_client_.find(key_of(from));
  if (found == by_client_.end()) return;
  const Allocation& allocation = *found->second;
  by_peer_.erase(PeerKey{allocation.relay.fd(), key_of(allocation.peer)});
  by_client_.erase(found);
}

void raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  const auto listen = argc == 2 ? Endpoint::parse(argv[1]) : std::nullopt;
  if (!listen || !listen->address.is_v4()) {
    std::fputs("usage: bare_relay IPV4-ADDRESS:PORT\n", stderr);
    return 2;
  }
  try {
    raise_open_files_limit();
    const auto relay = std::make_unique<BareRelay>(to_sockaddr(*listen));
    std::fputs("ready\n", stderr);
    relay->run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bare_relay: %s\n", e.what());
    return 1;
  }
}
