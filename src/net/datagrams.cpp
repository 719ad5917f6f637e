#include "net/datagrams.hpp"

#include <linux/udp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/system_call.hpp"

namespace turnpike::net {
namespace {

template <class Value>
Value read_control(const cmsghdr* header) {
  Value value;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}

// The control data of a received datagram or run.
struct Received {
  // Unspecified when the kernel does not report it.
  IpAddress to;
  // For a run: the length of its datagrams; only the last one may be shorter. Otherwise 0.
  std::size_t stride = 0;
};

Received read_controls(msghdr& message) {
  Received received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO) {
      received.stride = static_cast<std::size_t>(std::max(read_control<int>(header), 0));
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      received.to = from_in_addr(read_control<in_pktinfo>(header).ipi_spec_dst);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      received.to = from_in6_addr(read_control<in6_pktinfo>(header).ipi6_addr);
    }
  }
  return received;
}

// Adds a control message. msg_control must point to enough memory.
template <class Value>
void write_control(msghdr& message, int level, int type, const Value& value) {
  auto* header =
      reinterpret_cast<cmsghdr*>(static_cast<std::uint8_t*>(message.msg_control) + message.msg_controllen);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  message.msg_controllen += CMSG_SPACE(sizeof value);
}

// Adds a control message that sets the source address.
void write_packet_info(msghdr& message, const IpAddress& from, std::uint32_t scope) {
  if (from.is_v4()) {
    write_control(message, IPPROTO_IP, IP_PKTINFO, in_pktinfo{0, to_in_addr(from), {}});
  } else {
    write_control(message, IPPROTO_IPV6, IPV6_PKTINFO,
                  in6_pktinfo{to_in6_addr(from), from.is_link_local() ? scope : 0});
  }
}

// Limits of runs. A segment fits into a packet on every path that carries IPv6. The kernel takes at most 64
// segments, with at most as many octets in all as one datagram may have. A run of two gains nothing.
constexpr std::size_t kMaxSegment = 1280 - 40 - 8;
constexpr std::size_t kMaxSegments = 64;
constexpr std::size_t kMaxRun = 65'000;
constexpr std::uint32_t kMinRun = 3;
constexpr std::size_t kWithoutRuns = 4096;  // number of datagrams without runs after a run could not be sent

constexpr std::array<std::uint8_t, 4> kZeros{};

iovec part(Bytes bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

}  // namespace

ReceivePool::ReceivePool(std::size_t slots)
    : memory_(std::make_unique_for_overwrite<std::uint8_t[]>(slots * kSlotDistance)),
      slots_(slots),
      headers_(slots) {
  received_.reserve(slots);
  for (std::size_t i = 0; i < slots; ++i) {
    std::uint8_t* slot = memory_.get() + i * kSlotDistance;
    slots_[i].data = {slot, kSlotSize};
    headers_[i].msg_hdr.msg_name = &slots_[i].from;
    headers_[i].msg_hdr.msg_iov = &slots_[i].data;
    headers_[i].msg_hdr.msg_iovlen = 1;
    headers_[i].msg_hdr.msg_control = slots_[i].control.data();
  }
}

std::span<const ReceivedDatagram> ReceivePool::receive(int fd, std::size_t most) {
  const std::size_t first = used_;
  const std::size_t count = std::min(most, free_slots());
  for (std::size_t i = first; i < first + count; ++i) {
    msghdr& header = headers_[i].msg_hdr;
    header.msg_namelen = sizeof(SocketAddress);
    header.msg_controllen = slots_[i].control.size();
  }
  const long got = system_call(SYS_recvmmsg, fd, &headers_[first], count, MSG_DONTWAIT, nullptr);
  received_.clear();
  if (got <= 0) return {};
  used_ += static_cast<std::size_t>(got);
  for (std::size_t slot = first; slot < used_; ++slot) split_run(slot);
  return received_;
}

// Splits a run into its datagrams without a copy: they are consecutive in the slot.
void ReceivePool::split_run(std::size_t slot) {
  const MutableBytes memory(static_cast<std::uint8_t*>(slots_[slot].data.iov_base), kSlotSize);
  const std::size_t size = headers_[slot].msg_len;
  const Received said = read_controls(headers_[slot].msg_hdr);
  const std::size_t stride = said.stride == 0 ? std::max<std::size_t>(size, 1) : said.stride;
  const Endpoint from = slots_[slot].from.endpoint();
  std::size_t at = 0;
  std::size_t count = 0;
  do {
    const std::size_t end = std::min(at + stride, size);
    const bool is_last = end == size;
    received_.push_back({.from = from,
                         .to = said.to,
                         .payload = memory.subspan(at, end - at),
                         .slot = is_last ? memory.subspan(at) : memory.subspan(at, end - at)});
    at = end;
    ++count;
  } while (at < size);
  if (count > 1) runs_.count(count);
}

SendBatch::SendBatch(SendCounters& counters)
    : parts_(kCapacity * kMaxParts),
      datagrams_(kCapacity),
      messages_(kCapacity),
      headers_(kCapacity),
      counters_(counters) {}

void SendBatch::add(int fd, const Endpoint* to, Bytes head, Bytes payload, std::size_t padding,
                    const IpAddress& from) {
  if (fd != fd_ || size_ == kCapacity) send();
  fd_ = fd;
  Datagram& datagram = datagrams_[size_++];
  datagram.connected = to == nullptr;
  if (to) datagram.to = *to;
  datagram.from = from;
  datagram.size = static_cast<std::uint32_t>(head.size() + payload.size() + padding);
  datagram.first_part = static_cast<std::uint32_t>(part_count_);
  if (!head.empty()) parts_[part_count_++] = part(head);
  if (!payload.empty()) parts_[part_count_++] = part(payload);
  if (padding != 0) parts_[part_count_++] = part(Bytes(kZeros).first(padding));
  datagram.parts = static_cast<std::uint32_t>(part_count_) - datagram.first_part;
}

// The number of datagrams from `first` that can form a run: same destination and source, same length, the
// last one possibly shorter.
std::uint32_t SendBatch::run_length(std::size_t first) const {
  const Datagram& one = datagrams_[first];
  if (one.size == 0 || one.size > kMaxSegment) return 1;
  const std::size_t most = std::min({size_ - first, kMaxSegments, kMaxRun / one.size});
  std::uint32_t length = 1;
  for (; length < most; ++length) {
    const Datagram& next = datagrams_[first + length];
    const bool same_way =
        next.connected == one.connected && (one.connected || next.to == one.to) && next.from == one.from;
    if (!same_way || next.size == 0 || next.size > one.size) return length;
    if (next.size < one.size) return length + 1;
  }
  return length;
}

void SendBatch::prepare_messages() {
  message_count_ = 0;
  const bool runs = without_runs_ == 0;
  without_runs_ -= std::min(without_runs_, size_);
  for (std::uint32_t i = 0; i < size_;) {
    const std::uint32_t length = runs ? run_length(i) : 1;
    const std::uint32_t together = length >= kMinRun ? length : 1;
    for (const std::uint32_t end = i + length; i < end; i += together) prepare(i, together);
  }
}

void SendBatch::prepare(std::uint32_t first, std::uint32_t count) {
  Message& message = messages_[message_count_];
  msghdr& header = headers_[message_count_].msg_hdr;
  ++message_count_;
  message.first = first;
  message.count = count;
  const Datagram& one = datagrams_[first];
  const Datagram& last = datagrams_[first + count - 1];
  if (!one.connected) message.to = one.to;
  header.msg_name = one.connected ? nullptr : &message.to;
  header.msg_namelen = one.connected ? 0 : message.to.size();
  header.msg_iov = &parts_[one.first_part];
  header.msg_iovlen = last.first_part + last.parts - one.first_part;
  header.msg_control = message.control.data();
  header.msg_controllen = 0;
  if (!one.from.is_unspecified()) write_packet_info(header, one.from, one.connected ? 0 : one.to.scope);
  if (count == 1) return;
  write_control(header, IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(one.size));
  runs_.count(count);
}

void SendBatch::send() {
  prepare_messages();
  std::size_t done = 0;
  bool retried = false;
  while (done < message_count_) {
    const long sent = send_from(done);
    const Message& first = messages_[done];
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
      const std::size_t next = done < message_count_ ? messages_[done].first : size_;
      counters_.sent += next - first.first;
      retried = false;
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      counters_.dropped_full += size_ - first.first;
      break;
    } else if (!std::exchange(retried, !retried)) {
      // The error may belong to an earlier datagram, since the socket stores it until the next call. Try once
      // more.
    } else if (first.count > 1) {
      send_singly(first);
      ++done;
    } else {
      ++counters_.dropped_failed;
      ++done;
    }
  }
  size_ = part_count_ = 0;
}

// Returns the number of sent messages, or -1 with the errno of the message at `first`.
long SendBatch::send_from(std::size_t first) {
  if (first + 1 < message_count_) {
    return system_call(SYS_sendmmsg, fd_, &headers_[first], message_count_ - first, MSG_DONTWAIT);
  }
  const msghdr& header = headers_[first].msg_hdr;
  const long sent =
      header.msg_iovlen == 1 && header.msg_controllen == 0
          // The usual case towards peers. The kernel has less to copy and check than for a msghdr.
          ? system_call(SYS_sendto, fd_, header.msg_iov->iov_base, header.msg_iov->iov_len, MSG_DONTWAIT,
                        header.msg_name, header.msg_namelen)
          : system_call(SYS_sendmsg, fd_, &header, MSG_DONTWAIT);
  return sent < 0 ? -1 : 1;
}

// Sends the datagrams of a run that the kernel has refused. When one of them can be sent, the path supports
// no runs. When none can, their destination is the reason, which must not take the runs from all others.
void SendBatch::send_singly(const Message& message) {
  bool any_sent = false;
  for (const Datagram& datagram : std::span(datagrams_).subspan(message.first, message.count)) {
    msghdr header = headers_[static_cast<std::size_t>(&message - messages_.data())].msg_hdr;
    header.msg_iov = &parts_[datagram.first_part];
    header.msg_iovlen = datagram.parts;
    header.msg_controllen -= CMSG_SPACE(sizeof(std::uint16_t));  // UDP_SEGMENT is the last control message
    const auto send = [&] { return system_call(SYS_sendmsg, fd_, &header, MSG_DONTWAIT) < 0 ? errno : 0; };
    int error = send();
    if (error != 0 && error != EAGAIN && error != ENOBUFS) error = send();
    counters_.count(error);
    any_sent |= error == 0;
  }
  if (any_sent) without_runs_ = kWithoutRuns;
}

}  // namespace turnpike::net
