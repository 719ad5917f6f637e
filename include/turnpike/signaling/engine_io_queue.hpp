// The packets that wait for a client of Engine.IO that polls, or whose WebSocket has just taken over. A burst
// may come between two requests of a client that polls as fast as it can, so more may be queued than one
// answer takes; the excess of all queues is bounded, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "turnpike/signaling/engine_io_packet.hpp"

namespace turnpike::signaling {

class EngineIoQueue {
 public:
  // At most this many times max_waiting and max_packets may be queued for a client.
  static constexpr std::size_t kMaxBursts = 8;
  // In all queues together, at most this many bytes may be queued beyond their max_waiting and max_packets.
  static constexpr std::size_t kMaxExcess = 64 << 20;

  // The queues of all sessions have these in common.
  struct Common {
    std::uint32_t max_waiting = 0;  // bytes and packets that may be queued in any case
    std::uint32_t max_packets = 0;
    std::size_t excess = 0;  // of all queues, in bytes; only they change it
  };

  // `common` must outlive this object.
  explicit EngineIoQueue(Common& common) : common_(common) {}
  ~EngineIoQueue() { common_.excess -= excess_; }
  EngineIoQueue(const EngineIoQueue&) = delete;
  EngineIoQueue& operator=(const EngineIoQueue&) = delete;

  void push(EngineIoPacket packet);
  bool is_empty() const { return packets_.empty(); }
  // Whether more waits than may in any case.
  bool has_excess() const { return excess_ > 0; }
  // Whether the session has to end at once: more waits than kMaxBursts allows, or there is some excess while
  // all queues have more than kMaxExcess.
  bool is_too_long() const;

  // Takes what has waited longest: one packet, or several with max_waiting bytes at most. Returns it as the
  // payload of an answer.
  std::string take_payload();
  // Takes what has waited longest: one packet, or several that fit into a WebSocket, which may hold
  // max_waiting and max_packets. The type and base64 count there too: at most twice the data and two octets
  // of a packet.
  std::vector<EngineIoPacket> take_part();
  void clear();

 private:
  // Removes the first `count` packets; their data have `bytes`.
  void remove(std::size_t count, std::size_t bytes);
  void note_excess();

  Common& common_;
  std::vector<EngineIoPacket> packets_;
  std::size_t bytes_ = 0;   // of their data
  std::size_t excess_ = 0;  // in bytes, as it was counted in common_
};

}  // namespace turnpike::signaling
