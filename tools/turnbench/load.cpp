#include "turnbench/load.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <optional>

#include "net/system_random.hpp"
#include "turnbench/batches.hpp"
#include "turnbench/call.hpp"
#include "turnbench/epoll.hpp"
#include "turnbench/stamp.hpp"

namespace turnpike::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// When nothing has arrived from a flow for this time, its datagrams under way count as lost.
constexpr std::chrono::milliseconds kStall{100};
constexpr std::chrono::milliseconds kSettle{300};
// Permissions last 300 s (RFC 8656 §9), so one round of refreshes may get lost.
constexpr std::chrono::seconds kRefreshEvery{120};
// The maximum delay, in datagrams, that the load makes up for. Beyond it, datagrams of the schedule are
// skipped.
constexpr std::int64_t kMaxBacklog = 256;
// This is the maximum delay for calls, in time: after it, the next audio datagram of the flow is due.
constexpr nanoseconds kMaxLateness = kAudioInterval;

std::int64_t to_ns(Clock::time_point time) {
  return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

class Load {
 public:
  Load(std::vector<Lane>& lanes, const Options& options, const UsageMeter& meter);
  LoadResult run();

 private:
  using Lanes = std::vector<Lane>;
  enum class Phase : std::uint8_t { warm_up, measured, settling };

  // A flow is a number. It is also the tag in epoll of the socket at which the flow arrives.
  Lane& lane_of(std::uint32_t flow) { return lanes_[flow / 2]; }
  static bool is_down(std::uint32_t flow) { return flow % 2 == 1; }
  // These are the ends where datagrams of the flow leave and arrive.
  End& sender(std::uint32_t flow) { return is_down(flow) ? lane_of(flow).far : lane_of(flow).near; }
  End& receiver(std::uint32_t flow) { return is_down(flow) ? lane_of(flow).near : lane_of(flow).far; }
  Flow& flow_state(std::uint32_t flow) { return is_down(flow) ? lane_of(flow).down : lane_of(flow).up; }

  void run_until(Clock::time_point end);
  nanoseconds send_due(Clock::time_point now);
  nanoseconds send_window(Clock::time_point now);
  nanoseconds send_scheduled(Clock::time_point now);
  nanoseconds send_call(Clock::time_point now);
  void send_next(Clock::time_point now);
  void send_burst(std::uint32_t flow, std::size_t kind, std::size_t size, Clock::time_point now);
  void skip(std::uint64_t datagrams);
  void receive(std::uint32_t flow);
  void receive_at_client(std::uint32_t flow, Bytes datagram, std::int64_t now_ns);
  void count(std::uint32_t flow, Bytes payload, std::int64_t now_ns);
  void give_up_stalled(Clock::time_point now);
  void refresh(Clock::time_point now);

  Lanes& lanes_;
  const Options& options_;
  const UsageMeter& meter_;
  Epoll epoll_;
  const std::vector<std::uint32_t> sizes_;  // of payloads, by their kind
  std::vector<SendBatch> sending_;          // one for each kind
  ReceiveBatch receiving_;
  std::vector<std::uint32_t> order_;  // flows in the order of their turns
  std::optional<CallSchedule> call_;
  std::size_t turn_ = 0;
  std::uint32_t run_id_ = 0;

  Phase phase_ = Phase::warm_up;
  Clock::time_point started_;
  Clock::time_point measured_from_;
  Clock::time_point measured_to_ = Clock::time_point::max();
  Clock::time_point next_stall_check_;
  Clock::time_point next_refresh_;
  std::int64_t scheduled_ = 0;  // datagrams due by the rate since started_
  std::uint64_t under_way_ = 0;
  LoadResult result_;
};

Load::Load(Lanes& lanes, const Options& options, const UsageMeter& meter)
    : lanes_(lanes),
      options_(options),
      meter_(meter),
      sizes_(payload_sizes(options)),
      receiving_(options.coalesce) {
  // The sleeps of the rate mode are short; the default timer slack of 50 us is as long as they are.
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  for (const std::uint32_t size : sizes_) sending_.emplace_back(size, options.coalesce);
  net::SystemRandom random;
  random.fill({reinterpret_cast<std::uint8_t*>(&run_id_), sizeof run_id_});
  for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
    for (const std::uint32_t flow : {2 * i, 2 * i + 1}) {
      epoll_.add(receiver(flow).fd(), flow);
      if (options.coalesce) enable_coalescing(receiver(flow).fd());
    }
    if (options.direction != Direction::down) order_.push_back(2 * i);
    if (options.direction != Direction::up) order_.push_back(2 * i + 1);
  }
  if (options.call) call_.emplace(order_);
}

LoadResult Load::run() {
  started_ = Clock::now();
  next_stall_check_ = started_ + kStall;
  next_refresh_ = started_ + kRefreshEvery;
  run_until(started_ + options_.warm_up);

  const Usage before = meter_.read();
  measured_from_ = Clock::now();
  phase_ = Phase::measured;
  run_until(measured_from_ + options_.duration);

  measured_to_ = Clock::now();
  phase_ = Phase::settling;
  result_.usage = meter_.read().since(before);
  result_.time = measured_to_ - measured_from_;
  run_until(measured_to_ + kSettle);
  return result_;
}

void Load::run_until(Clock::time_point end) {
  for (Clock::time_point now = Clock::now(); now < end; now = Clock::now()) {
    const nanoseconds pause = phase_ == Phase::settling ? nanoseconds(kStall) : send_due(now);
    epoll_.wait(std::min(pause, nanoseconds(end - now)), [this](std::uint32_t flow) { receive(flow); });
    if (now >= next_stall_check_) give_up_stalled(now);
    if (now >= next_refresh_) refresh(now);
  }
}

// Returns the time until there is something to send.
nanoseconds Load::send_due(Clock::time_point now) {
  if (call_) return send_call(now);
  return options_.rate ? send_scheduled(now) : send_window(now);
}

// A closed loop: it sends a datagram for each one that has arrived or is lost. It never sleeps, because the
// server would have to wake it for every datagram.
nanoseconds Load::send_window(Clock::time_point now) {
  while (under_way_ + options_.burst <= options_.window) {
    const std::uint64_t before = under_way_;
    send_next(now);
    if (under_way_ == before) break;
  }
  return nanoseconds(0);
}

// This is an open loop: it sends datagrams at equal intervals, whatever arrives.
nanoseconds Load::send_scheduled(Clock::time_point now) {
  const double per_ns = *options_.rate / 1e9;
  const auto due = static_cast<std::int64_t>(static_cast<double>((now - started_).count()) * per_ns);
  if (const std::int64_t late = due - kMaxBacklog - scheduled_; late > 0) {
    skip(static_cast<std::uint64_t>(late));
    scheduled_ += late;
  }
  for (; scheduled_ + options_.burst <= due; scheduled_ += options_.burst) send_next(now);
  const auto next = static_cast<std::int64_t>(static_cast<double>(scheduled_ + options_.burst) / per_ns);
  return std::max(nanoseconds(0), nanoseconds(next) - (Clock::now() - started_));
}

// This is an open loop too, but its bursts have their own times and sizes.
nanoseconds Load::send_call(Clock::time_point now) {
  for (; call_->next().due <= now - started_; call_->advance()) {
    const CallSchedule::Burst burst = call_->next();
    if (now - started_ - burst.due > kMaxLateness) {
      skip(burst.size);
    } else {
      send_burst(burst.flow, static_cast<std::size_t>(burst.media), burst.size, now);
    }
  }
  return std::max(nanoseconds(0), call_->next().due - (Clock::now() - started_));
}

void Load::skip(std::uint64_t datagrams) {
  if (phase_ == Phase::measured) result_.skipped += datagrams;
}

// Sends one burst of the flow whose turn it is.
void Load::send_next(Clock::time_point now) {
  const std::uint32_t flow = order_[turn_];
  turn_ = turn_ + 1 == order_.size() ? 0 : turn_ + 1;
  send_burst(flow, 0, options_.burst, now);
}

void Load::send_burst(std::uint32_t number, std::size_t kind, std::size_t size, Clock::time_point now) {
  End& from = sender(number);
  Flow& flow = flow_state(number);
  SendBatch& batch = sending_[kind];
  const Bytes header = from.header(kind);
  const Stamp stamp{run_id_, number, flow.next, to_ns(now)};
  std::size_t sent = size;
  if (from.client && from.client->stream) {
    from.client->stream->send(batch.for_stream(header, stamp, size));
  } else if (from.client && from.client->dtls) {
    batch.for_each(header, stamp, size, [&](Bytes message) { from.client->dtls->send(message); });
  } else {
    sent = batch.send(from.fd(), header, stamp, size);
  }
  flow.next += sent;
  flow.under_way += sent;
  under_way_ += sent;
  if (phase_ == Phase::measured) result_.sent += sent;
}

void Load::receive(std::uint32_t flow) {
  const End& end = receiver(flow);
  const bool at_client = end.client && !options_.direct;
  const std::int64_t now_ns = to_ns(Clock::now());
  if (at_client && end.client->stream) {
    return end.client->stream->receive_all([&](Bytes message) { receive_at_client(flow, message, now_ns); });
  }
  if (at_client && end.client->dtls) {
    return end.client->dtls->receive_next([&](Bytes message) { receive_at_client(flow, message, now_ns); });
  }
  receiving_.receive(end.fd(), [&](Bytes datagram) {
    if (at_client) {
      receive_at_client(flow, datagram, now_ns);
    } else {
      count(flow, datagram, now_ns);
    }
  });
}

void Load::receive_at_client(std::uint32_t flow, Bytes datagram, std::int64_t now_ns) {
  Client& client = *receiver(flow).client;
  const client::Event event = client.turn.receive(datagram);
  if (const auto* data = std::get_if<client::PeerData>(&event)) {
    count(flow, data->payload, now_ns);
  } else if (const auto* retry = std::get_if<client::Retry>(&event)) {
    client.send(retry->request.bytes);
  }
}

void Load::count(std::uint32_t flow, Bytes payload, std::int64_t now_ns) {
  const bool has_size = std::ranges::find(sizes_, payload.size()) != sizes_.end();
  const Stamp stamp = has_size ? Stamp::read(payload) : Stamp{};
  if (stamp.run != run_id_ || stamp.flow != flow) {
    ++result_.strays;
    return;
  }
  Flow& state = flow_state(flow);
  state.moved = true;
  if (stamp.number >= state.expected) {
    // Earlier datagrams of the flow that have not arrived are lost. Those that were only overtaken no longer
    // count as under way either.
    const std::uint64_t done = std::min(stamp.number + 1 - state.expected, state.under_way);
    state.expected = stamp.number + 1;
    state.under_way -= done;
    under_way_ -= done;
  }
  if (phase_ == Phase::measured) ++result_.arrived;
  if (phase_ == Phase::warm_up || stamp.sent_ns < to_ns(measured_from_) ||
      stamp.sent_ns >= to_ns(measured_to_))
    return;
  ++result_.delivered;
  result_.latency.add(now_ns - stamp.sent_ns);
}

void Load::give_up_stalled(Clock::time_point now) {
  next_stall_check_ = now + kStall;
  for (const std::uint32_t number : order_) {
    Flow& flow = flow_state(number);
    if (!flow.moved) {
      under_way_ -= flow.under_way;
      flow.under_way = 0;
      flow.expected = flow.next;
    }
    flow.moved = false;
  }
}

// The requests are not sent again when they get lost: the next round comes before anything expires.
void Load::refresh(Clock::time_point now) {
  next_refresh_ = now + kRefreshEvery;
  if (options_.direct) return;
  for (Lane& lane : lanes_) {
    for (End* end : {&lane.near, &lane.far}) {
      if (!end->client) continue;
      for (const client::Request& request : refreshes(*end, options_.mode)) end->client->send(request.bytes);
    }
  }
}

}  // namespace

LoadResult run_load(std::vector<Lane>& lanes, const Options& options, const UsageMeter& meter) {
  return Load(lanes, options, meter).run();
}

}  // namespace turnpike::bench
