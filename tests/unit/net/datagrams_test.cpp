// Tests batches of datagrams on real sockets: datagrams that are sent together arrive one by one and
// unchanged.
#include "net/datagrams.hpp"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "net/udp_socket.hpp"

namespace turnpike::net {
namespace {

struct Receiver {
  Endpoint local() const { return local_endpoint(socket.get()); }
  // Takes all datagrams that have arrived.
  std::vector<std::string> take() const {
    std::vector<std::string> datagrams;
    std::string buffer(65536, '\0');
    for (;;) {
      const ssize_t got = recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0) return datagrams;
      datagrams.push_back(buffer.substr(0, static_cast<std::size_t>(got)));
    }
  }

  Receiver() { set_buffer_sizes(socket.get(), 1 << 20); }
  Fd socket = open_udp_listener({IpAddress::v4(0x7f000001), 0});
};

std::string text(char c, std::size_t size) { return std::string(size, c); }

// Sends runs of three datagrams from one socket.
struct RunSender {
  // Sends a run and returns whether the kernel was asked to take it as one.
  bool send(const Endpoint& to) {
    const std::uint64_t before = batch.runs().sum();
    for (int i = 0; i < 3; ++i) batch.add(from.socket.get(), &to, {}, as_bytes(payload), 0, {});
    batch.send();
    return batch.runs().sum() != before;
  }

  const std::string payload = "payload";
  const std::vector<std::string> run = std::vector<std::string>(3, payload);
  SendCounters counters;
  Receiver from;
  Receiver receiver;
  SendBatch batch{counters};
};

}  // namespace

// The kernel gives out a port twice when both sockets have SO_REUSEPORT already. Of so many, some would have
// the same.
TEST_CASE("listeners for which the kernel chooses the port have a port each, and share it when asked",
          "[net]") {
  constexpr std::size_t kMany = 700;
  std::vector<Fd> listeners;
  std::set<std::uint16_t> ports;
  for (std::size_t i = 0; i < kMany; ++i) {
    listeners.push_back(open_udp_listener({IpAddress::v4(0x7f000001), 0}));
    ports.insert(local_endpoint(listeners.back().get()).port);
  }
  CHECK(ports.size() == kMany);
  CHECK(open_udp_listener(local_endpoint(listeners.front().get())));
}

TEST_CASE("datagrams of one length to one address go together and arrive apart", "[net]") {
  Receiver a;
  Receiver b;
  Receiver from;
  SendCounters counters;
  SendBatch batch(counters);
  std::vector<std::string> to_a;
  std::vector<std::string> to_b;
  const Endpoint at_a = a.local();
  const Endpoint at_b = b.local();
  const auto send = [&](const Endpoint& to, const std::string& payload, std::string_view head = {}) {
    batch.add(from.socket.get(), &to, as_bytes(head), as_bytes(payload), 0, {});
  };
  const auto add = [&](std::vector<std::string>& expected, char c, std::size_t size) {
    return expected.emplace_back(text(c, size));
  };
  std::vector<std::string> payloads;
  payloads.reserve(600);
  const auto put = [&](const Endpoint& to, std::vector<std::string>& expected, char c, std::size_t size) {
    send(to, payloads.emplace_back(add(expected, c, size)));
  };
  for (char c = 'a'; c < 'k'; ++c) put(at_a, to_a, c, 160);  // a run
  put(at_a, to_a, 'k', 100);                                 // its shorter end
  put(at_a, to_a, 'l', 160);                                 // which nothing joins
  put(at_a, to_a, 'm', 161);                                 // longer
  put(at_b, to_b, 'n', 161);                                 // somebody else
  put(at_a, to_a, 'o', 161);
  put(at_a, to_a, 'p', 0);
  put(at_a, to_a, 'q', 0);
  for (char c = 'r'; c < 'v'; ++c) put(at_a, to_a, c, 9000);  // too long for a run
  for (char c = 'v'; c < 'y'; ++c) put(at_a, to_a, c, 160);
  put(at_a, to_a, 'y', 0);  // would be lost in a run
  batch.send();
  CHECK((a.take() == to_a));
  CHECK((b.take() == to_b));
  CHECK(counters.sent == to_a.size() + to_b.size());

  SECTION("more than one run may have, and more than one batch") {
    for (const auto& [count, size] : {std::pair{140, 1200}, {300, 10}}) {
      to_a.clear();
      for (int i = 0; i < count; ++i) {
        put(at_a, to_a, static_cast<char>('a' + i % 26), static_cast<std::size_t>(size));
      }
      batch.send();
      CHECK((a.take() == to_a));
    }
  }
  SECTION("heads before payloads") {
    const std::string payload = "payload";
    for (const char* head : {"1:", "2:", "3:"}) send(at_a, payload, head);
    batch.send();
    CHECK(a.take() == std::vector<std::string>{"1:payload", "2:payload", "3:payload"});
  }
  SECTION("one that cannot be sent takes no other with it") {
    const Endpoint nowhere{IpAddress::v4(0x7f000001), 0};
    const std::string payload = "payload";
    send(at_a, payload);
    for (int i = 0; i < 3; ++i) send(nowhere, payload);
    send(at_a, payload);
    batch.send();
    CHECK(a.take() == std::vector<std::string>(2, payload));
    CHECK(counters.dropped_failed == 3);
    for (int i = 0; i < 3; ++i) send(at_a, payload);
    batch.send();
    CHECK(a.take() == std::vector<std::string>(3, payload));
  }
  CHECK(counters.dropped_full == 0);
}

TEST_CASE("a run that the kernel hands over as one is taken apart, and nothing of it is lost", "[net]") {
  Receiver a;
  allow_received_runs(a.socket.get());
  Receiver from;
  REQUIRE(connect_udp(from.socket.get(), a.local()));
  SendCounters counters;
  SendBatch batch(counters);
  std::vector<std::string> payloads;
  for (int i = 0; i < 70; ++i) payloads.push_back(text(static_cast<char>('0' + i), 160));
  payloads.push_back("shorter");
  payloads.emplace_back();
  payloads.push_back("after it");
  for (const std::string& payload : payloads)
    batch.add(from.socket.get(), nullptr, {}, as_bytes(payload), 0, {});
  batch.send();

  ReceivePool pool(8);
  std::vector<std::string> received;
  for (std::span<const ReceivedDatagram> some = pool.receive(a.socket.get(), 8); !some.empty();
       some = pool.receive(a.socket.get(), 8)) {
    for (const ReceivedDatagram& datagram : some) {
      received.emplace_back(as_text(datagram.payload));
      CHECK(datagram.from == from.local());
      CHECK(datagram.slot.data() == datagram.payload.data());
      CHECK(datagram.slot.size() >= datagram.payload.size());
    }
  }
  CHECK(received == payloads);
  // The payload may be overwritten, but not the next datagram of a run.
  CHECK(pool.runs().in_range(5) == 1);
  CHECK(batch.runs().sum() == 71);
}

TEST_CASE("runs can be sent from a connected socket, and from a chosen address", "[net]") {
  Receiver a;
  SendCounters counters;
  SendBatch batch(counters);
  const std::string payload = "payload";
  SECTION("connected") {
    Receiver from;
    REQUIRE(connect_udp(from.socket.get(), a.local()));
    for (int i = 0; i < 5; ++i) batch.add(from.socket.get(), nullptr, {}, as_bytes(payload), 1, {});
    batch.send();
    CHECK(a.take() == std::vector<std::string>(5, payload + '\0'));
  }
  SECTION("by a wildcard socket") {
    const Fd from = open_udp_listener({IpAddress::v4(0), 0});
    const Endpoint to = a.local();
    for (const std::uint32_t address : {0x7f000002U, 0x7f000002U, 0x7f000003U}) {
      batch.add(from.get(), &to, {}, as_bytes(payload), 0, IpAddress::v4(address));
    }
    batch.send();
    ReceivePool pool(8);
    std::vector<std::string> sources;
    for (const ReceivedDatagram& datagram : pool.receive(a.socket.get(), 8)) {
      sources.push_back(datagram.from.address.to_string());
    }
    CHECK(sources == std::vector<std::string>{"127.0.0.2", "127.0.0.2", "127.0.0.3"});
  }
}

// The kernel reports the error of a datagram when the next one is sent, and does not send that one.
TEST_CASE("a datagram is not lost because nobody has received an earlier one", "[net]") {
  const Receiver from;
  const Receiver to;
  const Endpoint nobody = Receiver().local();
  prepare_udp_relay(from.socket.get(), Family::ipv4, 0);
  SendCounters counters;
  SendBatch batch(counters);
  const auto send = [&](const Endpoint& at, const std::string& payload) {
    batch.add(from.socket.get(), &at, {}, as_bytes(payload), 0, {});
    batch.send();
  };
  send(nobody, "is anybody there?");
  send(to.local(), "hello");
  CHECK(to.take() == std::vector<std::string>{"hello"});
  CHECK(counters.sent == 2);
  CHECK(counters.dropped_failed == 0);
}

// All relays of a worker share a batch.
TEST_CASE("a destination to which nothing can be sent does not end the runs to others", "[net]") {
  RunSender sender;
  const Endpoint broadcast{IpAddress::v4(0x7fffffff), 9};
  CHECK(sender.send(broadcast));
  CHECK(sender.counters.dropped_failed == 3);
  CHECK(sender.send(sender.receiver.local()));
  CHECK(sender.receiver.take() == sender.run);
  CHECK(sender.counters.sent == 3);
}

TEST_CASE("an error that belongs to an earlier datagram does not end the runs", "[net]") {
  RunSender sender;
  const Endpoint nobody = Receiver().local();
  prepare_udp_relay(sender.from.socket.get(), Family::ipv4, 0);
  sender.batch.add(sender.from.socket.get(), &nobody, {}, as_bytes(sender.payload), 0, {});
  sender.batch.send();
  for (int i = 0; i < 2; ++i) {
    CHECK(sender.send(sender.receiver.local()));
    CHECK(sender.receiver.take() == sender.run);
  }
  CHECK(sender.counters.sent == 7);
}

TEST_CASE("where the kernel refuses runs and takes single datagrams, these are sent", "[net]") {
  RunSender sender;
  const int on = 1;  // the kernel makes runs only where it makes checksums
  REQUIRE(setsockopt(sender.from.socket.get(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on) == 0);
  CHECK(sender.send(sender.receiver.local()));
  CHECK(sender.receiver.take() == sender.run);
  CHECK_FALSE(sender.send(sender.receiver.local()));
  CHECK(sender.receiver.take() == sender.run);
  CHECK(sender.counters.sent == 6);
  CHECK(sender.counters.dropped_failed == 0);
}

}  // namespace turnpike::net
