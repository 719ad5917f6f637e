// Batches of datagrams: one system call receives or sends many. The receive pool owns the buffers; the rest
// of the packet path only views them.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "net/counters.hpp"
#include "net/socket_address.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// The space that a control message with an in_pktinfo or in6_pktinfo needs.
inline constexpr std::size_t kPacketInfoSpace = CMSG_SPACE(sizeof(in6_pktinfo));

struct ReceivedDatagram {
  Endpoint from;
  IpAddress to;  // the local address on wildcard sockets; otherwise unspecified
  Bytes payload;
  MutableBytes slot;  // the payload and unused memory behind it; may be written to
};

// A fixed number of slots. Each slot is large enough for any datagram, or for a run of datagrams that the
// kernel delivers as one (UDP_GRO). A slot uses only as much memory as was ever filled. Received datagrams
// stay valid until reset().
class ReceivePool {
 public:
  explicit ReceivePool(std::size_t slots);

  std::size_t free_slots() const { return slots_.size() - used_; }
  void reset() { used_ = 0; }

  // Receives up to `most` datagrams or runs, limited by the free slots, in one call that does not wait. The
  // returned span is valid until the next call.
  std::span<const ReceivedDatagram> receive(int fd, std::size_t most);

  const RunLengths& runs() const { return runs_; }

 private:
  static constexpr std::size_t kSlotSize = 65536;
  // A slot is not a power of two away from the next one. Otherwise the beginnings of all slots would use the
  // same few cache lines, and a pass of more than 16 datagrams would evict data that it is about to send.
  static constexpr std::size_t kSlotDistance = kSlotSize + std::size_t{33} * 64;
  struct Slot {
    SocketAddress from;
    iovec data{};
    alignas(cmsghdr) std::array<std::uint8_t, kPacketInfoSpace + CMSG_SPACE(sizeof(int))> control{};
  };

  void split_run(std::size_t slot);

  std::unique_ptr<std::uint8_t[]> memory_;
  std::vector<Slot> slots_;
  std::vector<mmsghdr> headers_;
  std::vector<ReceivedDatagram> received_;
  std::size_t used_ = 0;
  RunLengths runs_;
};

// Collects datagrams and sends consecutive ones of the same socket together. Consecutive datagrams with one
// length and one destination form a run, which passes through the kernel as one (UDP_SEGMENT). A datagram
// that cannot be sent is dropped and counted; the following ones are still sent.
class SendBatch {
 public:
  // The counters must outlive this object.
  explicit SendBatch(SendCounters& counters);

  // The views must stay valid until send(). A null `to` means that the socket is connected. `from` is the
  // source address of the datagram, unless it is unspecified. When the batch is full or belongs to another
  // socket, this sends the batch first.
  void add(int fd, const Endpoint* to, Bytes head, Bytes payload, std::size_t padding, const IpAddress& from);

  void send();

  const RunLengths& runs() const { return runs_; }

 private:
  static constexpr std::size_t kCapacity = 256;  // datagrams
  static constexpr std::size_t kMaxParts = 3;    // parts of one datagram: head, payload, padding
  static constexpr std::size_t kControlSpace = kPacketInfoSpace + CMSG_SPACE(sizeof(std::uint16_t));

  struct Datagram {
    bool connected = false;
    Endpoint to;
    IpAddress from;
    std::uint32_t size = 0;
    std::uint32_t first_part = 0;
    std::uint32_t parts = 0;
  };
  // One datagram or one run, as the kernel gets it.
  struct Message {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    SocketAddress to;
    alignas(cmsghdr) std::array<std::uint8_t, kControlSpace> control{};
  };

  std::uint32_t run_length(std::size_t first) const;
  void prepare_messages();
  void prepare(std::uint32_t first, std::uint32_t count);
  long send_from(std::size_t first);
  void send_singly(const Message& message);

  std::vector<iovec> parts_;
  std::size_t part_count_ = 0;
  std::vector<Datagram> datagrams_;
  std::size_t size_ = 0;  // number of datagrams
  std::vector<Message> messages_;
  std::vector<mmsghdr> headers_;  // for the messages
  std::size_t message_count_ = 0;
  int fd_ = -1;
  std::size_t without_runs_ = 0;  // number of datagrams until runs are tried again
  RunLengths runs_;
  SendCounters& counters_;
};

}  // namespace turnpike::net
