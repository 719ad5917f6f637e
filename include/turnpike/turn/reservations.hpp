// Reserved relayed addresses that were not claimed yet (RFC 8656 §7.2, EVEN-PORT with R). RelayPorts holds
// the ports, and any worker may claim them. Each worker ends its own reservations after their lifetime.
#pragma once

#include <deque>

#include "turnpike/base/time.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

inline constexpr std::chrono::seconds kReservationLifetime{30};  // RFC 8656 §7.2

// Belongs to one worker and its thread.
class Reservations {
 public:
  // `ports` must outlive this object.
  explicit Reservations(RelayPorts& ports) : ports_(ports) {}

  // Adds the token of a port that is about to be reserved; expire() releases the port later. Add the token
  // before the port is reserved, so that a failure for want of memory leaves no port behind. To release a
  // token without a port does nothing.
  void add(const stun::ReservationToken& token, SteadyTime now) {
    waiting_.push_back({now + kReservationLifetime, token});
  }
  // Removes the last token again, because its port was not reserved.
  void withdraw_last() { waiting_.pop_back(); }

  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const { return waiting_.empty() ? SteadyTime::max() : waiting_.front().at; }
  // Releases at most `most` reservations that were not claimed in time. Returns their number.
  std::size_t expire(SteadyTime now, std::size_t most) {
    std::size_t expired = 0;
    for (; expired < most && next_deadline() <= now; ++expired) {
      ports_.release(waiting_.front().token);
      waiting_.pop_front();
    }
    return expired;
  }

 private:
  struct Deadline {
    SteadyTime at;
    stun::ReservationToken token{};
  };

  RelayPorts& ports_;
  std::deque<Deadline> waiting_;  // in the order of their deadlines, since all wait equally long
};

}  // namespace turnpike::turn
