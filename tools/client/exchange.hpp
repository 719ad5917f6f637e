// A request and its answer over any kind of datagrams: the retransmissions of RFC 8489 §6.2.1, and the retry
// after a challenge.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

#include "client/turn_client.hpp"
#include "client/udp.hpp"

namespace turnpike::client {

inline constexpr std::size_t kMaxDatagram = 65536;  // octets

// The time that is left, as poll() takes it: rounded up, and 0 after the deadline.
inline std::chrono::milliseconds time_until(std::chrono::steady_clock::time_point deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(left));
}

// The transmissions of one request.
class Transmissions {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Transmissions(const Retransmission& timers) : timers_(timers), wait_(timers.rto) {}

  bool exhausted() const { return sent_ == timers_.count; }
  Clock::time_point latest() const { return latest_; }

  // Call this at each transmission. Returns the time of the next transmission, or of the end.
  Clock::time_point next(Clock::time_point now) {
    latest_ = now;
    if (++sent_ == timers_.count) return now + timers_.rto * timers_.last_wait;
    return now + std::exchange(wait_, wait_ * 2);
  }

 private:
  Retransmission timers_;
  std::chrono::milliseconds wait_;
  int sent_ = 0;
  Clock::time_point latest_{};
};

inline bool answers(const Event& event, const stun::TransactionId& id) {
  if (const auto* success = std::get_if<Success>(&event)) return success->message.transaction_id() == id;
  if (const auto* failure = std::get_if<Failure>(&event)) return failure->message.transaction_id() == id;
  return false;
}

// send(Bytes) sends to the server. receive(milliseconds) returns the next datagram from the server, or
// nothing after that time.
template <class Send, class Receive>
std::optional<Answer> exchange_datagrams(Send&& send, Receive&& receive, TurnClient& client, Request request,
                                         const Retransmission& timers,
                                         const std::function<void(const Event&)>& on_other) {
  using Clock = Transmissions::Clock;
  Transmissions transmissions(timers);
  while (!transmissions.exhausted()) {
    const Clock::time_point deadline = transmissions.next(Clock::now());
    send(Bytes(request.bytes));
    while (auto datagram = receive(time_until(deadline))) {
      Event event = client.receive(datagram->bytes);
      if (answers(event, request.id)) {
        const auto took = Clock::now() - transmissions.latest();
        return Answer{std::move(*datagram), std::move(event),
                      std::chrono::duration_cast<std::chrono::microseconds>(took)};
      }
      if (auto* retry = std::get_if<Retry>(&event); retry && retry->replaces == request.id) {
        request = std::move(retry->request);
        transmissions = Transmissions(timers);
        break;
      }
      if (on_other) on_other(event);
    }
  }
  client.abandon(request.id);
  return std::nullopt;
}

}  // namespace turnpike::client
