#include "net/datagrams.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace turnpike::net {
namespace {

// Reads where a datagram came to from its control message.
void read_packet_info(msghdr& message, ReceivedDatagram& datagram) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      datagram.to = from_in_addr(info.ipi_spec_dst);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      datagram.to = from_in6_addr(info.ipi6_addr);
    }
  }
}

// Writes the control message that picks the source address; returns its size.
std::size_t write_packet_info(msghdr& message, const IpAddress& from, std::uint32_t scope) {
  const auto write = [&](int level, int type, const auto& info) {
    message.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
    return message.msg_controllen;
  };
  if (from.is_v4()) return write(IPPROTO_IP, IP_PKTINFO, in_pktinfo{0, to_in_addr(from), {}});
  return write(IPPROTO_IPV6, IPV6_PKTINFO, in6_pktinfo{to_in6_addr(from), from.is_link_local() ? scope : 0});
}

constexpr std::array<std::uint8_t, 4> kZeros{};

// The C library's wrappers are cancellation points, which in a process with threads costs two atomic
// operations a call.
template <class... Arguments>
long system_call(long number, Arguments... arguments) {
  return syscall(number, arguments...);
}

iovec part(Bytes bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

}  // namespace

ReceivePool::ReceivePool(std::size_t slots)
    : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(slots * kSlotSize)),
      slots_(slots),
      headers_(slots),
      received_(slots) {
  for (std::size_t i = 0; i < slots; ++i) {
    slots_[i].data = {memory_.get() + i * kSlotSize, kSlotSize};
    headers_[i].msg_hdr.msg_name = &slots_[i].from;
    headers_[i].msg_hdr.msg_iov = &slots_[i].data;
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

std::span<const ReceivedDatagram> ReceivePool::receive(int fd, std::size_t most, bool with_packet_info) {
  const std::size_t first = used_;
  const std::size_t count = std::min(most, free_slots());
  for (std::size_t i = first; i < first + count; ++i) {
    msghdr& header = headers_[i].msg_hdr;
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_control = with_packet_info ? slots_[i].control.data() : nullptr;
    header.msg_controllen = with_packet_info ? slots_[i].control.size() : 0;
  }
  const long got = system_call(SYS_recvmmsg, fd, &headers_[first], count, MSG_DONTWAIT, nullptr);
  if (got <= 0) return {};

  for (std::size_t i = first; i < first + static_cast<std::size_t>(got); ++i) {
    ReceivedDatagram& datagram = received_[i];
    datagram.from = slots_[i].from.endpoint();
    datagram.payload = Bytes(static_cast<const std::uint8_t*>(slots_[i].data.iov_base), headers_[i].msg_len);
    if (with_packet_info) read_packet_info(headers_[i].msg_hdr, datagram);
  }
  used_ += static_cast<std::size_t>(got);
  return std::span(received_).subspan(first, static_cast<std::size_t>(got));
}

SendBatch::SendBatch(SendCounters& counters)
    : messages_(kCapacity), headers_(kCapacity), counters_(counters) {
  for (std::size_t i = 0; i < kCapacity; ++i) {
    headers_[i].msg_hdr.msg_iov = messages_[i].parts.data();
  }
}

void SendBatch::add(int fd, const Endpoint* to, Bytes head, Bytes payload, std::size_t padding,
                    const IpAddress& from) {
  if (fd != fd_ || size_ == kCapacity) send();
  fd_ = fd;
  Message& message = messages_[size_];
  msghdr& header = headers_[size_].msg_hdr;
  ++size_;
  if (to) message.to = *to;
  header.msg_name = to ? &message.to : nullptr;
  header.msg_namelen = to ? message.to.size() : 0;
  std::size_t parts = 0;
  if (!head.empty()) message.parts[parts++] = part(head);
  if (!payload.empty()) message.parts[parts++] = part(payload);
  if (padding != 0) message.parts[parts++] = part(Bytes(kZeros).first(padding));
  header.msg_iovlen = parts;
  header.msg_control = nullptr;
  header.msg_controllen = 0;
  if (!from.is_unspecified()) {
    header.msg_control = message.control.data();
    header.msg_controllen = write_packet_info(header, from, to ? to->scope : 0);
  }
}

void SendBatch::send() {
  std::size_t done = 0;
  bool retried = false;
  while (done < size_) {
    const long sent = send_from(done);
    if (sent > 0) {
      counters_.sent += static_cast<std::uint64_t>(sent);
      done += static_cast<std::size_t>(sent);
      retried = false;
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      counters_.dropped_full += size_ - done;
      break;
    } else if (!std::exchange(retried, !retried)) {
      // The first error may be an earlier datagram's, which the socket had kept for us: the same again.
    } else {
      ++counters_.dropped_failed;
      ++done;
    }
  }
  size_ = 0;
}

// How many went out, or -1 with errno for the one at `first`.
long SendBatch::send_from(std::size_t first) {
  if (first + 1 < size_) return system_call(SYS_sendmmsg, fd_, &headers_[first], size_ - first, MSG_DONTWAIT);
  const msghdr& header = headers_[first].msg_hdr;
  const long sent =
      header.msg_iovlen == 1 && header.msg_controllen == 0
          // The usual case towards peers, and the kernel has less to copy and check than for a msghdr.
          ? system_call(SYS_sendto, fd_, header.msg_iov->iov_base, header.msg_iov->iov_len, MSG_DONTWAIT,
                        header.msg_name, header.msg_namelen)
          : system_call(SYS_sendmsg, fd_, &header, MSG_DONTWAIT);
  return sent < 0 ? -1 : 1;
}

}  // namespace turnpike::net
