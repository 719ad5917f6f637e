// The system calls of the load: it sends several datagrams of one flow together, and receives many datagrams
// together.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "turnbench/stamp.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::bench {

// Payloads of one size. Each has its own header and stamp; all share the filler after these.
class SendBatch {
 public:
  static constexpr std::size_t kMaxHeader = 64;

  SendBatch(std::size_t payload_size, bool coalesce);

  // Sends `count` datagrams with stamps that count up from `stamp`. Returns how many the kernel accepted.
  std::size_t send(int fd, Bytes header, Stamp stamp, std::size_t count);

  // Calls visit(Bytes) with each datagram as one piece.
  template <class Visit>
  void for_each(Bytes header, Stamp stamp, std::size_t count, Visit&& visit) {
    const std::size_t size = header.size() + kStampSize + tail_size(header);
    for (std::size_t i = 0; i < count; ++i, ++stamp.number) visit(for_stream(header, stamp, 1).first(size));
  }

  // The datagrams for a stream, each with its padding, as one piece. It is valid until the next call.
  Bytes for_stream(Bytes header, Stamp stamp, std::size_t count);

 private:
  // The size of the filler and padding after the stamp.
  std::size_t tail_size(Bytes header) const;

  struct Parts {
    iovec head;
    iovec tail;
  };

  std::size_t send_one_by_one(int fd, std::size_t count);
  std::size_t send_coalesced(int fd, std::size_t count);

  std::size_t payload_size_;
  bool coalesce_;
  std::vector<std::uint8_t> filler_;
  std::vector<std::uint8_t> stream_;
  std::array<std::array<std::uint8_t, kMaxHeader + kStampSize>, kMaxBurst> heads_{};
  std::array<Parts, kMaxBurst> parts_{};
  std::array<mmsghdr, kMaxBurst> messages_{};
};

class ReceiveBatch {
 public:
  // Coalesced datagrams also need UDP_GRO on the sockets: see enable_coalescing().
  explicit ReceiveBatch(bool coalesce);

  // Calls visit(Bytes) for each datagram that `fd` has, up to one batch. The views are valid until the next
  // call.
  template <class Visit>
  void receive(int fd, Visit&& visit) {
    const std::size_t count = receive_batch(fd);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t segment = segment_size(i);
      for (Bytes rest = Bytes(buffers_[i]).first(messages_[i].msg_len); !rest.empty();) {
        const std::size_t size = std::min(segment, rest.size());
        visit(rest.first(size));
        rest = rest.subspan(size);
      }
    }
  }

 private:
  static constexpr std::size_t kBatch = 16;
  using Control = std::array<std::uint8_t, CMSG_SPACE(sizeof(int))>;

  std::size_t receive_batch(int fd);
  std::size_t segment_size(std::size_t i) const;

  std::vector<std::vector<std::uint8_t>> buffers_;
  std::array<iovec, kBatch> parts_{};
  alignas(cmsghdr) std::array<Control, kBatch> controls_{};
  std::array<mmsghdr, kBatch> messages_{};
};

// Enables UDP_GRO. Throws std::system_error.
void enable_coalescing(int fd);

}  // namespace turnpike::bench
