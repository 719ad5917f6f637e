#include "turnbench/batches.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "turnpike/stun/channel_data.hpp"

namespace turnpike::bench {
namespace {

constexpr std::size_t kMaxDatagram = 2048;
constexpr std::size_t kMaxCoalesced = 65536;

}  // namespace

SendBatch::SendBatch(std::size_t payload_size, bool coalesce)
    : payload_size_(payload_size),
      coalesce_(coalesce),
      filler_(stun::padded(payload_size) - kStampSize, 0xA5) {}

// Indications are padded (RFC 8489 §14); ChannelData in datagrams is not (RFC 8656 §12.5).
std::size_t SendBatch::tail_size(Bytes header) const {
  const bool pad = header.size() > stun::kChannelDataHeaderSize;
  return (pad ? stun::padded(payload_size_) : payload_size_) - kStampSize;
}

std::size_t SendBatch::send(int fd, Bytes header, Stamp stamp, std::size_t count) {
  const std::size_t tail = tail_size(header);
  for (std::size_t i = 0; i < count; ++i) {
    std::ranges::copy(header, heads_[i].begin());
    std::memcpy(&heads_[i][header.size()], &stamp, kStampSize);
    parts_[i] = {{heads_[i].data(), header.size() + kStampSize}, {filler_.data(), tail}};
    ++stamp.number;
  }
  return coalesce_ && count > 1 ? send_coalesced(fd, count) : send_one_by_one(fd, count);
}

Bytes SendBatch::for_stream(Bytes header, Stamp stamp, std::size_t count) {
  stream_.clear();
  for (; count > 0; --count, ++stamp.number) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&stamp);
    stream_.insert(stream_.end(), header.begin(), header.end());
    stream_.insert(stream_.end(), bytes, bytes + kStampSize);
    stream_.insert(stream_.end(), filler_.begin(), filler_.end());
  }
  return stream_;
}

std::size_t SendBatch::send_one_by_one(int fd, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    messages_[i].msg_hdr = {};
    messages_[i].msg_hdr.msg_iov = &parts_[i].head;
    messages_[i].msg_hdr.msg_iovlen = 2;
  }
  const int taken = sendmmsg(fd, messages_.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
  return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

std::size_t SendBatch::send_coalesced(int fd, std::size_t count) {
  const auto segment = static_cast<std::uint16_t>(parts_[0].head.iov_len + parts_[0].tail.iov_len);
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof segment)> control{};
  msghdr message{};
  message.msg_iov = &parts_[0].head;
  message.msg_iovlen = 2 * count;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* option = CMSG_FIRSTHDR(&message);
  option->cmsg_level = SOL_UDP;
  option->cmsg_type = UDP_SEGMENT;
  option->cmsg_len = CMSG_LEN(sizeof segment);
  std::memcpy(CMSG_DATA(option), &segment, sizeof segment);
  return sendmsg(fd, &message, MSG_DONTWAIT) > 0 ? count : 0;
}

ReceiveBatch::ReceiveBatch(bool coalesce)
    : buffers_(kBatch, std::vector<std::uint8_t>(coalesce ? kMaxCoalesced : kMaxDatagram)) {
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts_[i] = {buffers_[i].data(), buffers_[i].size()};
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    if (coalesce) messages_[i].msg_hdr.msg_control = controls_[i].data();
  }
}

std::size_t ReceiveBatch::receive_batch(int fd) {
  for (mmsghdr& message : messages_)
    if (message.msg_hdr.msg_control) message.msg_hdr.msg_controllen = sizeof(Control);
  const int count = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

// Returns the size of one segment, or a size beyond every datagram when nothing was coalesced.
std::size_t ReceiveBatch::segment_size(std::size_t i) const {
  const msghdr& message = messages_[i].msg_hdr;
  const cmsghdr* option = message.msg_controllen > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (!option || option->cmsg_level != SOL_UDP || option->cmsg_type != UDP_GRO) return kMaxCoalesced;
  int size = 0;
  std::memcpy(&size, CMSG_DATA(option), sizeof size);
  return static_cast<std::size_t>(size);
}

void enable_coalescing(int fd) {
  constexpr int kOn = 1;
  if (setsockopt(fd, SOL_UDP, UDP_GRO, &kOn, sizeof kOn) != 0)
    throw std::system_error(errno, std::generic_category(), "UDP_GRO");
}

}  // namespace turnpike::bench
