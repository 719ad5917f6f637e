#include "turnbench/allocations.hpp"

#include <sys/socket.h>

#include <array>
#include <memory>
#include <system_error>
#include <vector>

#include "net/system_random.hpp"
#include "turnbench/epoll.hpp"
#include "turnbench/lane.hpp"

namespace turnpike::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A request that is not answered within this time is not sent again: loopback loses nothing unless the server
// is overloaded.
constexpr milliseconds kPatience{1000};
constexpr milliseconds kTick{50};
// Local ports are used in order, below the ports that servers relay from. A server may remember a 5-tuple for
// a while, and a port chosen by the kernel could be one of those.
constexpr std::uint16_t kFirstPort = 10000;
constexpr std::uint16_t kLastPort = 49000;
// The peer of idle allocations, to whom nothing is sent.
constexpr std::uint16_t kDiscardPort = 9;

// Clients that allocate and delete, independently and at the same time.
class Cycles {
 public:
  explicit Cycles(const Options& options) : options_(options), slots_(options.concurrency) {}

  void run_until(Clock::time_point end);
  CyclesResult take_result() { return result_; }

 private:
  struct Slot {
    std::unique_ptr<Client> client;
    bool deleting = false;
    Clock::time_point deadline;
  };

  void start(std::uint32_t number);
  void send(Slot& slot, const client::Request& request);
  void receive(std::uint32_t number);
  void succeed(std::uint32_t number);
  void fail(std::uint32_t number, const std::string& why);
  std::unique_ptr<Client> make_client();
  void restart_late(Clock::time_point now);

  const Options& options_;
  crypto::Digester digester_;
  net::SystemRandom random_;
  Epoll epoll_;
  std::vector<Slot> slots_;
  std::uint16_t next_port_ = kFirstPort;
  CyclesResult result_;
};

void Cycles::run_until(Clock::time_point end) {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) start(i);
  Clock::time_point next_check = Clock::now() + kTick;
  for (Clock::time_point now = Clock::now(); now < end; now = Clock::now()) {
    epoll_.wait(kTick, [this](std::uint32_t number) { receive(number); });
    if (now < next_check) continue;
    next_check = now + kTick;
    restart_late(now);
  }
}

void Cycles::start(std::uint32_t number) {
  Slot& slot = slots_[number];
  slot.client = make_client();
  slot.deleting = false;
  epoll_.add(slot.client->fd(), number);
  send(slot, slot.client->turn.allocate());
}

std::unique_ptr<Client> Cycles::make_client() {
  for (;;) {
    const std::uint16_t port = next_port_;
    next_port_ = port == kLastPort ? kFirstPort : static_cast<std::uint16_t>(port + 1);
    try {
      return std::make_unique<Client>(digester_, random_, options_, port);
    } catch (const std::system_error& e) {
      if (e.code() != std::errc::address_in_use) throw;
    }
  }
}

void Cycles::send(Slot& slot, const client::Request& request) {
  slot.deadline = Clock::now() + kPatience;
  slot.client->send(request.bytes);
}

void Cycles::receive(std::uint32_t number) {
  Slot& slot = slots_[number];
  std::array<std::uint8_t, 2048> buffer;
  const ssize_t size = recv(slot.client->fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0) return;
  const client::Event event = slot.client->turn.receive(Bytes(buffer).first(static_cast<std::size_t>(size)));
  if (const auto* retry = std::get_if<client::Retry>(&event)) return send(slot, retry->request);
  if (std::holds_alternative<client::Success>(event)) return succeed(number);
  if (std::holds_alternative<client::Failure>(event)) return fail(number, outcome(event));
}

void Cycles::succeed(std::uint32_t number) {
  Slot& slot = slots_[number];
  if (!slot.deleting) {
    slot.deleting = true;
    return send(slot, slot.client->turn.refresh(std::chrono::seconds(0)));
  }
  ++result_.cycles;
  start(number);
}

void Cycles::fail(std::uint32_t number, const std::string& why) {
  if (result_.failures++ == 0) result_.first_failure = why;
  start(number);
}

void Cycles::restart_late(Clock::time_point now) {
  for (std::uint32_t i = 0; i < slots_.size(); ++i) {
    if (now >= slots_[i].deadline) fail(i, "no answer");
  }
}

}  // namespace

IdleResult run_idle(const Options& options, const UsageMeter& meter) {
  crypto::Digester digester;
  net::SystemRandom random;
  std::vector<std::unique_ptr<Client>> clients;
  const auto add_clients = [&](std::uint32_t count) {
    for (; count > 0; --count) {
      clients.push_back(allocate(digester, random, options).client);
      if (options.with_channels)
        admit_peer(*clients.back(), {options.peer_address, kDiscardPort}, options.mode);
    }
  };
  add_clients(options.baseline);

  const Usage before = meter.read();
  const Clock::time_point started = Clock::now();
  add_clients(options.count);
  const IdleResult result{options.count, Clock::now() - started, meter.read().since(before)};
  for (const auto& client : clients) give_up(*client);
  return result;
}

CyclesResult run_cycles(const Options& options, const UsageMeter& meter) {
  Cycles cycles(options);
  const Usage before = meter.read();
  const Clock::time_point started = Clock::now();
  cycles.run_until(started + options.duration);
  CyclesResult result = cycles.take_result();
  result.time = Clock::now() - started;
  result.usage = meter.read().since(before);
  return result;
}

}  // namespace turnpike::bench
