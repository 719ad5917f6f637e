// Keeps the data connections of clients (RFC 6062) within the limits on octets per second. A stream that may
// not pass on more is not read for a while, and the sender slows down. Nothing of it is lost.
#pragma once

#include <boost/container/static_vector.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// A limit that holds for a stream, and the budget that counts for it.
struct StreamLimit {
  LimitKey key{};
  ByteBudget* budget = nullptr;
  std::uint32_t per_second = 0;
};
using StreamLimits = boost::container::static_vector<StreamLimit, 3>;

// Returns the limits for a data connection in this direction; none when the operator has set none.
StreamLimits find_stream_limits(const Limits& limits, const SharedBudgets& budgets, ByteBudgets& server,
                                Direction direction);

// One direction of one data connection. Streams that wait for one budget take turns without knowing each
// other: after a stream has passed on a piece, it delays its next turn by the time in which every waiting
// stream can pass on one piece. A stream that misses its turn tries again soon. The times are slightly
// random, so that no stream misses its turn every time.
class StreamShaper {
 public:
  // The octets to read in one go. A piece takes a hundredth of a second at the lowest of the limits, so that
  // others need not wait long behind it.
  static std::size_t most_at_once(const StreamLimits& limits);

  struct Pause {
    SteadyTime until;
    LimitKey limit{};
  };
  // Returns nothing when the stream may be read. Otherwise the stream waits, and is counted among those who
  // do, until resume().
  std::optional<Pause> pause(const StreamLimits& limits, SteadyTime now, crypto::Random& random);
  void resume() { waiting_.reset(); }

  // Charges the octets that were read: `taken` from the socket, of which `relayed` octets could be relayed.
  // These two differ with TLS. A record is paid for while it comes in, and is relayed as soon as it is whole.
  void spend(const StreamLimits& limits, std::size_t taken, std::size_t relayed, SteadyTime now);

 private:
  ByteBudget::Waiting waiting_;
  std::chrono::nanoseconds turn_{};  // the steady time from which on it may compete with others who wait
  std::size_t paid_ahead_ = 0;       // octets that are paid for and not relayed yet
};

}  // namespace turnpike::turn
