#include "relay/mailbox.hpp"

#include <poll.h>

#include <catch2/catch.hpp>

#include "relay/roaming.hpp"
#include "support/request_maker.hpp"

namespace turnpike::relay {
namespace {

using test::endpoint;

constexpr std::size_t kMax = 65'535;

bool is_readable(const Mailbox& mailbox) {
  pollfd p{mailbox.fd(), POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

FromClient from_client(std::size_t size, std::uint16_t port = 1) {
  return {0, false, {{IpAddress::v4(1), port}, endpoint("192.0.2.1:3478")}, std::vector<std::uint8_t>(size)};
}

// Posts mail until no more is accepted. Returns how many were accepted.
std::size_t fill(Mailbox& mailbox, bool is_media) {
  std::size_t taken = 0;
  while (mailbox.post(from_client(kMax), kMax, is_media)) ++taken;
  return taken;
}

TEST_CASE("messages of clients wait in a mailbox up to a bound, media up to half of it", "[server]") {
  Mailbox mailbox;
  CHECK_FALSE(is_readable(mailbox));
  const std::size_t media = fill(mailbox, true);
  CHECK(media * kMax <= 2 << 20);
  CHECK(media > 20);
  CHECK(is_readable(mailbox));
  CHECK(mailbox.counters().dropped == 1);
  const std::size_t others = fill(mailbox, false);
  CHECK((media + others) * kMax <= 4 << 20);
  CHECK(others > 20);
  CHECK(mailbox.counters().dropped == 2);
  CHECK(mailbox.take_mail().size() == media + others);
  CHECK_FALSE(is_readable(mailbox));
  CHECK(mailbox.post(from_client(100), 100, true));
  CHECK(is_readable(mailbox));
}

TEST_CASE("small messages are bounded too", "[server]") {
  Mailbox mailbox;
  std::size_t taken = 0;
  while (taken < 1'000'000 && mailbox.post(from_client(0), 0, false)) ++taken;
  CHECK(taken < 20'000);
}

TEST_CASE("datagrams between relays are media, and each that is dropped counts", "[server]") {
  const std::vector<std::uint8_t> payload(1000);
  FromRelays ten;
  for (std::uint16_t i = 0; i < 10; ++i)
    ten.add({1, {IpAddress::v4(1), i}, endpoint("192.0.2.1:50000"), Bytes(payload).first(i * 100u)});
  REQUIRE(ten.datagrams().size() == 10);
  CHECK(ten.size() == 4500);
  CHECK(ten.payload(ten.datagrams()[9]).size() == 900);
  CHECK(ten.datagrams()[9].relayed.port == 9);

  Mailbox mailbox;
  std::size_t taken = 0;
  while (mailbox.post(ten)) ++taken;
  CHECK(taken * ten.size() <= 2 << 20);
  CHECK(taken > 100);
  CHECK(mailbox.counters().dropped == 10);
  CHECK(mailbox.post(from_client(kMax), kMax, false));  // there is room for control
  CHECK(mailbox.take_mail().size() == taken + 1);
  CHECK(mailbox.post(ten));
}

TEST_CASE("datagrams without payload are bounded too", "[server]") {
  FromRelays empty;
  empty.add({1, {}, {}, {}});
  Mailbox mailbox;
  std::size_t taken = 0;
  while (taken < 1'000'000 && mailbox.post(empty)) ++taken;
  CHECK(taken < 20'000);
}

TEST_CASE("a full mailbox still accepts messages about events", "[server]") {
  Mailbox mailbox;
  fill(mailbox, false);
  const std::uint64_t dropped = mailbox.counters().dropped;
  const std::size_t waiting = mailbox.take_mail().size();
  REQUIRE(fill(mailbox, false) == waiting);
  const FiveTuple tuple{endpoint("198.51.100.1:1000"), endpoint("192.0.2.1:3478")};
  mailbox.post(SettingsUpdate{});
  mailbox.post(ClientClosed{tuple});
  mailbox.post(ForgetClient{1, tuple});
  mailbox.post(PeerClosed{});
  mailbox.post(CloseDataConnection{});
  mailbox.post(Returned{1, tuple, std::vector<std::uint8_t>(kMax)});
  const std::vector<Mail> all = mailbox.take_mail();
  REQUIRE(all.size() == waiting + 6);
  const Returned* returned = std::get_if<Returned>(&all.back());
  REQUIRE(returned);
  CHECK(returned->tuple == tuple);
  CHECK(returned->message.empty());  // the client will send it again
  CHECK(mailbox.counters().dropped == dropped + 2);
}

TEST_CASE("messages that are sent back take room as well", "[server]") {
  Mailbox mailbox;
  const FiveTuple tuple{endpoint("198.51.100.1:1000"), endpoint("192.0.2.1:3478")};
  for (int i = 0; i < 100; ++i) mailbox.post(Returned{1, tuple, std::vector<std::uint8_t>(kMax)});
  CHECK_FALSE(mailbox.post(from_client(kMax), kMax, false));
  std::size_t whole = 0;
  for (const Mail& mail : mailbox.take_mail()) whole += std::get<Returned>(mail).message.size();
  CHECK(whole <= 4 << 20);
  CHECK(whole > 60 * kMax);
}

TEST_CASE("a move whose first message was dropped has not begun", "[server]") {
  std::deque<Mailbox> mailboxes(2);
  Roaming roaming(0, mailboxes, HashKey{1, 2});
  const FiveTuple tuple{endpoint("198.51.100.1:1000"), endpoint("192.0.2.1:3478")};
  const std::vector<std::uint8_t> message(20);
  fill(mailboxes[1], false);
  while (mailboxes[1].post(from_client(0), 0, false)) {
  }
  CHECK_FALSE(roaming.begin({1, tuple, message}));
  CHECK_FALSE(roaming.forward(tuple, message));
  mailboxes[1].take_mail();
  CHECK(roaming.begin({1, tuple, message}));
  CHECK(roaming.forward(tuple, message));
  CHECK(mailboxes[1].take_mail().size() == 2);
}

// A client moves from worker to worker faster than the mail about it.
TEST_CASE("the news that a client has left a worker does not concern its move to another one", "[server]") {
  std::deque<Mailbox> mailboxes(3);
  Roaming roaming(0, mailboxes, HashKey{1, 2});
  const FiveTuple tuple{endpoint("198.51.100.1:1000"), endpoint("192.0.2.1:3478")};
  const std::vector<std::uint8_t> message(20);
  REQUIRE(roaming.begin({1, tuple, message}));
  REQUIRE(roaming.begin({2, tuple, message}));
  CHECK_FALSE(roaming.forget(tuple, 1));
  CHECK(roaming.forward(tuple, message));
  CHECK(mailboxes[1].take_mail().size() == 1);
  CHECK(mailboxes[2].take_mail().size() == 2);
  CHECK(roaming.forget(tuple, 2));
  CHECK_FALSE(roaming.forward(tuple, message));
}

}  // namespace
}  // namespace turnpike::relay
