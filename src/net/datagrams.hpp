// Datagrams in batches: one system call takes or sends many. The receive pool owns the buffers that
// everything else on the packet path only points into.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cerrno>
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

// Room for what one in_pktinfo or in6_pktinfo takes.
inline constexpr std::size_t kPacketInfoSpace = CMSG_SPACE(sizeof(in6_pktinfo));

struct ReceivedDatagram {
  Endpoint from;
  IpAddress to;  // on wildcard sockets the local address it came to; else unspecified
  Bytes payload;
  MutableBytes slot;  // the payload, and memory behind it that nobody else uses; free to be written to
};

// A fixed number of slots, each large enough for any datagram, or for a run of them that the kernel hands
// over as one (UDP_GRO); a slot costs memory as far as it was ever filled. What was received stays until
// reset().
class ReceivePool {
 public:
  explicit ReceivePool(std::size_t slots);

  std::size_t free_slots() const { return slots_.size() - used_; }
  void reset() { used_ = 0; }

  // Takes up to `most` datagrams or runs, as many as there are slots, in one call that does not wait.
  // Valid until the next call.
  std::span<const ReceivedDatagram> receive(int fd, std::size_t most);

  const RunLengths& runs() const { return runs_; }

 private:
  static constexpr std::size_t kSlotSize = 65536;
  // Were the beginnings of slots a power of two apart, they would all compete for the same few lines of the
  // caches: a pass of more than 16 datagrams would push out what it is about to send.
  static constexpr std::size_t kSlotDistance = kSlotSize + std::size_t{33} * 64;
  struct Slot {
    SocketAddress from;
    iovec data{};
    alignas(cmsghdr) std::array<std::uint8_t, kPacketInfoSpace + CMSG_SPACE(sizeof(int))> control{};
  };

  void take_apart(std::size_t slot);

  std::unique_ptr<std::uint8_t[]> memory_;
  std::vector<Slot> slots_;
  std::vector<mmsghdr> headers_;
  std::vector<ReceivedDatagram> received_;
  std::size_t used_ = 0;
  RunLengths runs_;
};

// Collects datagrams and sends neighbours that leave by one socket together. Neighbours of one length that
// also go to one address make a run, which goes through the kernel's UDP as one (UDP_SEGMENT). A datagram
// that cannot be sent is dropped and counted; the ones behind it go out all the same.
class SendBatch {
 public:
  // The counters outlive this.
  explicit SendBatch(SendCounters& counters);

  // The views stay valid until send(). Without `to` the socket is connected. `from`, where it is
  // specified, is the address to answer from. Sends what was collected before when the batch is full or was
  // for another socket.
  void add(int fd, const Endpoint* to, Bytes head, Bytes payload, std::size_t padding, const IpAddress& from);

  void send();

  const RunLengths& runs() const { return runs_; }

 private:
  static constexpr std::size_t kCapacity = 256;  // datagrams
  static constexpr std::size_t kMostParts = 3;   // of a datagram
  static constexpr std::size_t kControlSpace = kPacketInfoSpace + CMSG_SPACE(sizeof(std::uint16_t));

  struct Datagram {
    bool connected = false;
    Endpoint to;
    IpAddress from;
    std::uint32_t size = 0;
    std::uint32_t first_part = 0;
    std::uint32_t parts = 0;
  };
  // One or a run, as it goes to the kernel.
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
  std::size_t size_ = 0;  // datagrams
  std::vector<Message> messages_;
  std::vector<mmsghdr> headers_;  // of the messages
  std::size_t message_count_ = 0;
  int fd_ = -1;
  std::size_t without_runs_ = 0;  // datagrams to go until runs are tried again
  RunLengths runs_;
  SendCounters& counters_;
};

}  // namespace turnpike::net
