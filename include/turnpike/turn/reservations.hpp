// Reserved relayed addresses that nobody has claimed yet (RFC 8656 §7.2, EVEN-PORT with R). The ports are
// kept by RelayPorts, and any worker may claim them; each worker lets its own reservations go in time.
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
  // `ports` outlives this.
  explicit Reservations(RelayPorts& ports) : ports_(ports) {}

  // The port that is about to be reserved under this token is let go after the lifetime. It is added before
  // the port is reserved, so that want of memory leaves no port behind; release() of a token that nobody has
  // reserved does nothing.
  void add(const stun::ReservationToken& token, SteadyTime now) {
    waiting_.push_back({now + kReservationLifetime, token});
  }
  // The last one was not reserved after all.
  void withdraw_last() { waiting_.pop_back(); }

  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const { return waiting_.empty() ? SteadyTime::max() : waiting_.front().at; }
  // Lets go at most so many that were not claimed in time. How many there were.
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
