// Tests TCP relayed addresses (RFC 6062) with real sockets and a manual clock, but without a server.
#include "relay/tcp_relays.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/system_random.hpp"
#include "net/tcp_socket.hpp"
#include "support/failing_new.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;
using test::FailingNew;
using turn::ConnectionId;
using turn::Direction;

const Endpoint kAnyPort{IpAddress::v4(0x7F000001), 0};
const std::string kConnectionBind("\0\x0B\0\0\x21\x12\xA4\x42twelve octet", 20);

// A worker with a relayed address for TCP. The worker also has its allocation.
struct RelayTown : private RelaySockets::Host {
  // The kernel stores about `send_buffer` octets for a client that does not read; 0 is its default.
  explicit RelayTown(int send_buffer = 0)
      : streams(epoll, listeners(send_buffer), {.tls = nullptr, .idle = idle, .handshakes = limiter}, {}) {
    mailboxes.emplace_back();
    turn::RelayRequest request;
    request.transport = turn::RelayedTransport::tcp;
    request.client_side = kAnyPort.address;
    auto opened = sockets.open(request);
    relayed.emplace(std::move(*opened));
  }

  bool watch_relay(int fd, turn::RelayId relay) override {
    return epoll.add(fd, RelayEvent{relay, fd}.tag().pack(), EPOLLIN);
  }

  static turn::RelayParams on_loopback() {
    turn::RelayParams params;
    params.addresses = {kAnyPort.address};
    return params;
  }
  std::vector<StreamListener> listeners(int send_buffer) {
    std::vector<StreamListener> all;
    all.push_back({.socket = net::open_tcp_listener(kAnyPort), .endpoint = kAnyPort});
    if (send_buffer != 0) {
      setsockopt(all.back().socket.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    }
    all.back().endpoint = at = net::connection_endpoint(all.back().socket.get()).value();
    return all;
  }

  // Runs one pass over what is ready, as a worker does. Returns the number of events.
  std::size_t pass(int timeout_ms = 0) {
    std::array<epoll_event, 64> events;
    const std::span<const epoll_event> ready = epoll.wait(events, timeout_ms);
    for (const epoll_event& event : ready) on_event(EventTag::unpack(event.data.u64), event.events);
    streams.release_received();
    relays.join(streams, now);
    streams.remove_ended();
    return ready.size();
  }
  template <class Done>
  void pass_until(Done&& done) {
    while (!done()) REQUIRE(pass(10'000) != 0);
  }
  void on_event(EventTag tag, std::uint32_t events) {
    switch (tag.kind) {
      case EventKind::stream_listener: return streams.on_listener(tag.number, now);
      case EventKind::connection: {
        const Streams::Received received = streams.on_event(tag, events, now);
        if (!received.messages.empty()) asks_to_bind = received.tuple;
        return;
      }
      case EventKind::relay:
        if (const auto came = relays.accept(RelayEvent::of(tag), now)) accepted = came->id;
        return;
      default: {
        const FailingNew::Counting counting;
        if (const auto result = relays.on_event(PeerConnectionEvent::of(tag), events, now))
          connected = *result;
      }
    }
  }

  void wait(Duration duration) {
    now = now + duration;
    if (relays.next_deadline() <= now.steady) relays.on_timeout(now);
  }

  net::Epoll epoll;
  net::SystemRandom random;
  RelayPool pool{on_loopback(), {}};
  RelaySockets sockets{pool, random, *this, 0};
  std::optional<turn::Relay> relayed;
  PeerConnectionTable table;
  std::deque<Mailbox> mailboxes;
  turn::ByteBudgets server_budgets;
  turn::SharedBudgets budgets{std::make_shared<turn::AllocationBudgets>(),
                              std::make_shared<turn::UserBudgets>()};
  IdleConnections idle{{0, 0}};
  AddressLimiter limiter{0, 0, HashKey{1, 0}};
  Endpoint at;
  Streams streams;
  TcpRelays relays{epoll, 0, sockets, random, {table, mailboxes, server_budgets}};
  TimePoint now{SteadyTime(1h), WallTime(1h)};
  std::optional<ConnectionId> accepted;
  std::optional<TcpRelays::Connected> connected;
  std::optional<FiveTuple> asks_to_bind;
};

// A peer that has connected, and a client whose ConnectionBind has arrived, with `early` after it.
struct BindingPair : RelayTown {
  explicit BindingPair(std::string_view early = {}, int send_buffer = 0) : RelayTown(send_buffer) {
    peer = test::connect_to(relayed->local());
    pass_until([&] { return accepted.has_value(); });
    relays.offer(*accepted, alice, budgets);
    client = test::connect_to(at);
    test::write_all(client.get(), kConnectionBind + std::string(early));
    pass_until([&] { return asks_to_bind.has_value(); });
    REQUIRE(relays.bind(*accepted, alice, *asks_to_bind));
  }

  net::Fd& end(Side side) { return side == Side::client ? client : peer; }

  const auth::Identity alice{"alice", {}, {}};
  net::Fd peer;
  net::Fd client;
};

struct JoinedPair : BindingPair {
  explicit JoinedPair(int send_buffer = 0) : BindingPair({}, send_buffer) {
    relays.join(streams, now);
    REQUIRE(relays.counters().joined == 1);
  }
};

std::string letters(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + (i >> 9)) % 26);
  return text;
}

// Sends as much of the text as the buffers take when nobody reads. Returns how much that was.
std::size_t send_unheard(RelayTown& town, const net::Fd& fd, std::string_view text) {
  std::size_t total = 0;
  for (;;) {
    const ssize_t some =
        send(fd.get(), text.data() + total, text.size() - total, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (some > 0) total += static_cast<std::size_t>(some);
    if (some < 0 && (errno != EAGAIN || town.pass() == 0)) break;
  }
  REQUIRE(total < text.size());
  return total;
}

// Receives by `fd` until its end, while the town makes its passes. The result has how it ended: 0, or an
// errno.
struct Heard {
  std::string text;
  int error = 0;
};
Heard hear_all(RelayTown& town, const net::Fd& fd) {
  Heard heard;
  std::array<char, 16384> chunk;
  for (int idle_passes = 0; idle_passes < 3;) {
    const ssize_t got = recv(fd.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got == 0) return heard;
    if (got > 0) {
      heard.text.append(chunk.data(), static_cast<std::size_t>(got));
      idle_passes = 0;
    } else if (errno == EAGAIN) {
      idle_passes += town.pass(1000) == 0 ? 1 : 0;
    } else {
      heard.error = errno;
      return heard;
    }
  }
  heard.error = EAGAIN;
  return heard;
}

TEST_CASE("what came behind a ConnectionBind is passed on when its pause is over", "[tcp]") {
  BindingPair pair("GET / HTTP/1.0\r\n\r\n");
  turn::Limits limits;
  limits.bytes_per_second_per_user = 10'000;
  pair.relays.use(limits);
  turn::ByteBudget& busy = pair.budgets.user->of(Direction::from_client);
  for (int i = 0; i < 2; ++i) busy.charge(1000, limits.bytes_per_second_per_user, pair.now.steady);
  pair.relays.join(pair.streams, pair.now);
  REQUIRE(pair.relays.counters().joined == 1);
  REQUIRE(pair.relays.counters().slowed == 1);
  char byte = 0;
  CHECK(recv(pair.peer.get(), &byte, 1, MSG_DONTWAIT) == -1);

  pair.wait(2s);
  std::array<char, 100> got;
  CHECK(recv(pair.peer.get(), got.data(), got.size(), 0) == 18);
  CHECK(pair.relays.next_deadline() == SteadyTime::max());
}

// The kernel resets a connection that is closed before everything was read from it. Here a limit delays the
// reading of the last word.
TEST_CASE("the last words of one end arrive, though the other one is still talking", "[tcp]") {
  const Side first = GENERATE(Side::peer, Side::client);
  const bool closes_itself = GENERATE(true, false);
  JoinedPair pair;
  net::Fd& speaker = pair.end(first);
  net::Fd& listener = pair.end(first == Side::peer ? Side::client : Side::peer);
  turn::Limits limits;
  limits.bytes_per_second_per_user = 4'000'000'000;
  pair.relays.use(limits);
  turn::ByteBudget& busy =
      pair.budgets.user->of(first == Side::peer ? Direction::from_client : Direction::to_client);
  for (int i = 0; i < 2; ++i) {
    busy.charge(limits.bytes_per_second_per_user, limits.bytes_per_second_per_user, pair.now.steady);
  }
  test::write_all(listener.get(), "one more word");
  pair.pass_until([&] { return pair.relays.counters().slowed == 1; });

  const std::string sent = letters(16 << 20);
  const std::size_t total = send_unheard(pair, speaker, sent);
  speaker = net::Fd();
  const Heard heard = hear_all(pair, listener);
  CHECK(heard.error == 0);
  CHECK(heard.text.size() == total);
  CHECK((heard.text == sent.substr(0, total)));
  CHECK(pair.relays.take_closed() == std::vector<ConnectionId>{*pair.accepted});
  if (closes_itself) {
    listener = net::Fd();
    pair.pass_until([&] { return pair.relays.next_deadline() == SteadyTime::max(); });
  } else {
    test::write_all(listener.get(), "and another one");
    while (pair.pass() != 0) {
    }
    pair.wait(29s);
    CHECK(pair.relays.next_deadline() != SteadyTime::max());
    pair.wait(1s);
    CHECK(pair.relays.next_deadline() == SteadyTime::max());
  }
}

// A client that does not read, and a peer whose connection is reset while the last of what it has sent waits
// here for the client.
struct ResetPair : JoinedPair {
  ResetPair() : JoinedPair(1) {
    const std::string chunk = letters(32 << 10);
    while (relays.counters().to_client_bytes == sent.size()) {
      test::write_all(peer.get(), chunk);
      sent += chunk;
      while (pass() != 0) {
      }
    }
    const linger reset{1, 0};
    setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer = net::Fd();
    while (pass() != 0) {
    }
    REQUIRE(relays.counters().to_client_bytes == sent.size());
  }

  std::string sent;
};

TEST_CASE("what waits for one end when the other one is gone still arrives, piece by piece", "[tcp]") {
  ResetPair pair;
  pair.wait(29s);
  CHECK(pair.relays.take_closed().empty());
  const Heard heard = hear_all(pair, pair.client);
  CHECK(heard.error == 0);
  CHECK((heard.text == pair.sent));
  CHECK(pair.relays.take_closed() == std::vector<ConnectionId>{*pair.accepted});
}

TEST_CASE("an end that does not accept what waits for it has thirty seconds after the end of the other one",
          "[tcp]") {
  ResetPair pair;
  CHECK(pair.relays.next_deadline() == pair.now.steady + 30s);
  pair.wait(29s);
  CHECK(pair.relays.take_closed().empty());
  pair.wait(1s);
  CHECK(pair.relays.take_closed() == std::vector<ConnectionId>{*pair.accepted});
  CHECK(pair.relays.next_deadline() == SteadyTime::max());
  // It must not take what it has got for everything.
  const Heard heard = hear_all(pair, pair.client);
  CHECK(heard.error == ECONNRESET);
  CHECK(heard.text.size() < pair.sent.size());
  CHECK((heard.text == pair.sent.substr(0, heard.text.size())));
}

TEST_CASE("when memory runs out, a connection ends and does not continue with a gap", "[tcp][memory]") {
  const std::string sent = letters(16 << 20);
  unsigned cut = 0;
  for (unsigned n = 1;; ++n) {
    INFO("allocation of memory number " << n);
    JoinedPair pair;
    FailingNew::fail(n);
    const std::size_t total = send_unheard(pair, pair.peer, sent);
    const bool was_reached = !FailingNew::is_pending();
    FailingNew::fail(0);
    if (!was_reached) break;
    ++cut;
    pair.peer = net::Fd();
    const Heard heard = hear_all(pair, pair.client);
    CHECK((heard.text == sent.substr(0, heard.text.size())));
    CHECK(heard.text.size() < total);
    CHECK(heard.error == ECONNRESET);
    CHECK(pair.relays.counters().out_of_memory == 1);
    CHECK(pair.relays.take_closed() == std::vector<ConnectionId>{*pair.accepted});
  }
  CHECK(cut > 0);
}

TEST_CASE("a data connection ends with an allocation that has ended in the same pass", "[tcp]") {
  const bool here = GENERATE(true, false);
  BindingPair pair;
  if (here) {
    pair.relays.close(*pair.accepted);
  } else {
    pair.relays.close_data_connection(*pair.accepted);  // by mail
  }
  pair.relays.join(pair.streams, pair.now);
  CHECK(pair.relays.counters().joined == 0);
  CHECK(pair.streams.connections() == 0);
  CHECK(test::read_all(pair.client.get()).empty());
  CHECK(test::read_all(pair.peer.get()).empty());
}

// While this object exists, there can be no descriptors above these.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t most) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit limit{most, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

// The spare descriptor does not help either, as when another thread takes it.
TEST_CASE("a listener that nobody can be accepted from does not keep the worker busy", "[tcp]") {
  RelayTown town;
  const net::Fd peer = test::connect_to(town.relayed->local());
  std::array<epoll_event, 1> events;
  {
    const DescriptorLimit none(0);
    for (int i = 0; i < 2; ++i) {
      CHECK(town.pass(10'000) == 1);
      CHECK_FALSE(town.accepted);
      CHECK(town.epoll.wait(events, 0).empty());
      town.wait(99ms);
      CHECK(town.epoll.wait(events, 0).empty());
      town.wait(1ms);
    }
  }
  CHECK(town.relays.counters().out_of_descriptors == 2);
  CHECK(town.pass() == 1);
  CHECK(town.accepted);
}

TEST_CASE("after a pause, another descriptor that has got the listener's number is left alone", "[tcp]") {
  RelayTown town;
  const net::Fd peer = test::connect_to(town.relayed->local());
  {
    const DescriptorLimit none(0);
    town.pass(10'000);
  }
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const net::Fd other(ends[0]);
  const net::Fd original(ends[1]);
  const int number = static_cast<int>(town.relayed->id());
  town.relayed.reset();
  const net::Fd again(fcntl(original.get(), F_DUPFD_CLOEXEC, number));
  REQUIRE(again.get() == number);
  REQUIRE(town.epoll.add(number, 0, 0));
  test::write_all(other.get(), "x");
  town.wait(100ms);
  std::array<epoll_event, 1> events;
  CHECK(town.epoll.wait(events, 0).empty());
}

bool wait_for_input(const net::Fd& fd) {
  pollfd ready{fd.get(), POLLIN, 0};
  return poll(&ready, 1, 10'000) == 1;
}

// Accepts a connection, which blocks for at most ten seconds.
net::Fd accept_at(const net::Fd& listener) {
  REQUIRE(wait_for_input(listener));
  net::Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const timeval patience{10, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

// A client that has closed its data connection with a peer. The peer has read everything, and has not closed
// its side.
struct LeftPeer : RelayTown {
  LeftPeer() {
    peer = connect();
    relays.offer(connected->id, alice, budgets);
    net::Fd client = test::connect_to(at);
    test::write_all(client.get(), kConnectionBind);
    pass_until([&] { return asks_to_bind.has_value(); });
    REQUIRE(relays.bind(connected->id, alice, *asks_to_bind));
    relays.join(streams, now);
    client = net::Fd();
    pass_until([&] { return !relays.take_closed().empty(); });
    char octet = 0;
    REQUIRE(recv(peer.get(), &octet, 1, 0) == 0);
    acknowledge();
  }

  // Asks for a connection to the peer.
  ConnectionId ask() {
    connected.reset();
    return relays.connect(relayed->id(), peer_at).value();
  }
  // The peer's end of a new connection.
  net::Fd connect() {
    const ConnectionId id = ask();
    wait(0s);
    return accept(id);
  }
  net::Fd accept(ConnectionId id) {
    pass_until([&] { return connected.has_value(); });
    REQUIRE(connected->id == id);
    REQUIRE(connected->connected);
    return accept_at(listener);
  }
  // The kernel acknowledges the end together with the next data.
  void acknowledge() {
    test::write_all(peer.get(), "still here");
    pass_all();
  }
  void pass_all() {
    REQUIRE(pass(10'000) != 0);
    while (pass() != 0) {
    }
  }

  const auth::Identity alice{"alice", {}, {}};
  net::Fd listener = net::open_tcp_listener(kAnyPort);
  Endpoint peer_at = net::connection_endpoint(listener.get()).value();
  net::Fd peer;
};

TEST_CASE("a peer that does not close its side can be connected to again after a moment", "[tcp]") {
  LeftPeer town;
  const ConnectionId id = town.ask();
  town.wait(0s);
  town.wait(499ms);
  CHECK(town.relays.take_failed().empty());
  town.acknowledge();  // the former connection is still there
  CHECK_FALSE(town.connected);
  town.wait(1ms);
  const net::Fd again = town.accept(id);
  CHECK(send(town.peer.get(), "x", 1, MSG_NOSIGNAL) == -1);
  while (town.pass() != 0) {
  }
  CHECK(town.relays.next_deadline() == SteadyTime::max());
}

TEST_CASE("a peer that closes its side is not reset by the next connection", "[tcp]") {
  LeftPeer town;
  const ConnectionId id = town.ask();
  town.wait(0s);
  REQUIRE(shutdown(town.peer.get(), SHUT_WR) == 0);
  town.pass_all();
  town.wait(10ms);
  const net::Fd again = town.accept(id);
  CHECK_FALSE(net::connection_error(town.peer.get()));
  CHECK(town.relays.next_deadline() == SteadyTime::max());
}

TEST_CASE("a connection that waits for the end of a former one can be given up", "[tcp]") {
  LeftPeer town;
  const ConnectionId id = town.ask();
  CHECK(town.relays.next_deadline() <= town.now.steady);
  town.relays.close(id);
  town.wait(1s);
  town.acknowledge();
  CHECK_FALSE(town.connected);
  CHECK(town.relays.take_failed().empty());
}

TEST_CASE("a former connection is not reset while the peer has not acknowledged everything", "[tcp]") {
  const net::Fd listener = net::open_tcp_listener(kAnyPort);
  const Endpoint there = net::connection_endpoint(listener.get()).value();
  const net::Fd here = test::connect_to(there);
  const net::Fd peer = accept_at(listener);
  const net::ConnectionEnds ends = net::connection_ends(here.get()).value();
  const std::string chunk = letters(64 << 10);
  std::size_t sent = 0;
  for (ssize_t some = 0; some >= 0; some = send(here.get(), chunk.data(), chunk.size(), MSG_DONTWAIT)) {
    sent += static_cast<std::size_t>(some);
  }
  REQUIRE(shutdown(here.get(), SHUT_WR) == 0);
  LeavingPeers leaving;
  std::optional<LeavingPeers::Place> place(std::in_place, leaving, here.get());
  CHECK_FALSE(leaving.make_room(ends, true));

  CHECK(test::read_all(peer.get()).size() == sent);
  test::write_all(peer.get(), "with the acknowledgement");
  REQUIRE(wait_for_input(here));
  CHECK_FALSE(leaving.make_room(ends, false));
  CHECK(leaving.make_room(ends, true));
  CHECK_FALSE(net::connection_ends(here.get()));
  CHECK(leaving.make_room(ends, false));

  const net::Fd again = test::connect_to(there, ends.local);
  const LeavingPeers::Place later(leaving, again.get());
  place.reset();  // which is not the entry of the later one
  CHECK_FALSE(leaving.make_room(ends, false));
}

TEST_CASE("a connection that waits is bound by its own client, once", "[tcp]") {
  PeerConnectionTable table;
  net::SystemRandom random;
  const auth::Identity alice{"alice", {}, {}};
  const auth::Identity bob{"bob", {}, {}};
  const ConnectionId id = table.add(3, random);
  CHECK_FALSE(table.is_waiting(id));
  CHECK_FALSE(table.bind(id, alice, 1).has_value());  // the peer has not answered yet
  table.offer(id, alice, {}, net::Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)));
  CHECK(table.is_waiting(id));
  CHECK_FALSE(table.bind(id, bob, 1).has_value());
  CHECK(table.is_waiting(id));
  CHECK(table.bind(id, alice, 1).has_value());
  CHECK_FALSE(table.is_waiting(id));
  CHECK_FALSE(table.bind(id, alice, 2).has_value());
  CHECK_FALSE(table.close_unbound(id));
  CHECK(table.remove_ended(id) == 3U);
  CHECK_FALSE(table.close(id).has_value());
}

TEST_CASE("the connections that wait for their last octets are limited, and the oldest is closed first",
          "[tcp]") {
  net::Epoll epoll;
  net::StreamBuffers buffers;
  LeavingPeers peers;
  Farewells farewells(epoll, peers, 2);
  std::vector<net::Fd> others;
  TimePoint now{SteadyTime(1h), WallTime(1h)};
  for (std::uint32_t i = 0; i < 3; ++i) {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    others.emplace_back(ends[0]);
    net::Stream stream(net::Fd(ends[1]), nullptr);
    REQUIRE(epoll.add(ends[1], 0, 0));
    farewells.add({.id = ConnectionId{i}}, std::move(stream), buffers, now);
    now = now + 1s;
  }
  CHECK(farewells.count() == 2);
  const auto is_gone = [](const net::Fd& fd) { return send(fd.get(), "x", 1, MSG_NOSIGNAL) < 0; };
  CHECK(is_gone(others[0]));
  CHECK_FALSE(is_gone(others[1]));
  CHECK_FALSE(is_gone(others[2]));
}

}  // namespace
}  // namespace turnpike::relay
