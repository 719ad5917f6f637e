// Tests the book of a client transport: numbers, idle connections, ends and deadlines.
#include "relay/client_book.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <stdexcept>

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;

struct Line : ClientConnection {};

const Endpoint kServer{IpAddress::v4(0xC0000201), 3478, 0};

// A book without sockets. Time is counted in seconds from zero.
struct Book {
  Line* open(std::uint16_t port, Duration deadline = 10s) {
    REQUIRE(idle.take(client(port).address, false));
    Line* made = lines.make([&](Line& line, PathId number) {
      line.tuple = {client(port), kServer, Transport::tcp, number};
      line.is_counted = true;
      return true;
    });
    REQUIRE(made);
    lines.add(*made, SteadyTime(deadline));
    return made;
  }
  static Endpoint client(std::uint16_t port) { return {IpAddress::v4(0xC6336401), port, 0}; }

  IdleConnections idle{{}};
  ClientBook<Line> lines{idle};
};

TEST_CASE("idle connections have a limit in total and one for each address", "[relay][client_book]") {
  const IpAddress one = IpAddress::v4(0xC6336401);
  const IpAddress other = IpAddress::v4(0xC6336402);
  IdleConnections idle({.idle = 3, .idle_per_address = 1});
  CHECK(idle.take(one, false));
  CHECK_FALSE(idle.take(one, false));
  CHECK(idle.take(one, true));
  CHECK(idle.take(other, false));
  CHECK_FALSE(idle.take(IpAddress::v4(0xC6336403), true));
  CHECK(idle.count() == 3);
  idle.release(other);
  CHECK_FALSE(idle.take(one, false));
  CHECK(idle.take(other, false));
}

TEST_CASE("a connection is found by its number and its 5-tuple until it is removed", "[relay][client_book]") {
  Book book;
  Line* line = book.open(1000);
  const FiveTuple tuple = line->tuple;
  CHECK(book.lines.find(tuple.path) == line);
  FiveTuple of_another_worker = tuple;
  of_another_worker.client.port = 1001;
  CHECK(book.lines.find_last(of_another_worker) == nullptr);

  CHECK(book.lines.end(*line));
  CHECK_FALSE(book.lines.end(*line));
  CHECK(book.lines.find(tuple.path) == nullptr);
  CHECK(book.lines.find_last(tuple) == line);
  CHECK(book.lines.ended().size() == 1);
  book.lines.remove_ended([](Line&) {});
  CHECK(book.lines.find_last(tuple) == nullptr);
  CHECK(book.lines.ended().empty());
  CHECK(book.open(1000)->tuple.path != tuple.path);
}

TEST_CASE("connections without an allocation are the idle ones, and they alone have deadlines",
          "[relay][client_book]") {
  Book book;
  Line* line = book.open(1000);
  book.open(1001);
  CHECK(book.idle.count() == 2);
  CHECK(book.lines.set_allocation(line->tuple, true, SteadyTime(60s)) == line);
  CHECK(line->deadline == SteadyTime::max());
  CHECK(book.idle.count() == 1);
  CHECK(book.lines.set_allocation(line->tuple, true, SteadyTime(60s)) == nullptr);
  CHECK(book.lines.set_allocation(line->tuple, false, SteadyTime(60s)) == line);
  CHECK(line->deadline == SteadyTime(60s));
  CHECK(book.idle.count() == 2);
  book.lines.end(*line);
  CHECK(book.lines.set_allocation(line->tuple, true, SteadyTime(60s)) == nullptr);
  book.lines.remove_ended([](Line&) {});
  CHECK(book.idle.count() == 1);
}

TEST_CASE("a connection that cannot be prepared leaves nothing behind", "[relay][client_book]") {
  Book book;
  CHECK(book.lines.make([](Line&, PathId) { return false; }) == nullptr);
  CHECK_THROWS_AS(book.lines.make([](Line&, PathId) -> bool { throw std::bad_alloc(); }), std::bad_alloc);
  CHECK(book.lines.size() == 0);
}

TEST_CASE("all connections that have ended are freed, even when the handler of one throws",
          "[relay][client_book]") {
  Book book;
  for (std::uint16_t port = 1000; port < 1003; ++port) book.lines.end(*book.open(port));
  const auto fails = [](Line& line) {
    if (line.tuple.client.port == 1001) throw std::bad_alloc();
  };
  CHECK_THROWS_AS(book.lines.remove_ended(fails), std::bad_alloc);
  book.lines.remove_ended(fails);
  CHECK(book.lines.size() == 0);
  CHECK(book.idle.count() == 0);
}

TEST_CASE("a deadline that moves later is noticed when the old one comes", "[relay][client_book]") {
  Book book;
  Line* first = book.open(1000, 10s);
  Line* second = book.open(1001, 20s);
  LazyDeadlines<Line>& deadlines = book.lines.deadlines();
  CHECK(deadlines.next() == SteadyTime(10s));
  deadlines.wake_by(*first, SteadyTime(30s));
  CHECK(deadlines.next() == SteadyTime(10s));
  CHECK(deadlines.take_due(SteadyTime(9s)) == nullptr);
  CHECK(deadlines.take_due(SteadyTime(10s)) == first);
  deadlines.wake_by(*first, SteadyTime(30s));
  CHECK(deadlines.next() == SteadyTime(20s));
  deadlines.wake_by(*second, SteadyTime(15s));
  CHECK(deadlines.take_due(SteadyTime(15s)) == second);
  CHECK(deadlines.take_due(SteadyTime(29s)) == nullptr);
  CHECK(deadlines.take_due(SteadyTime(30s)) == first);
  CHECK(deadlines.next() == SteadyTime::max());
}

}  // namespace
}  // namespace turnpike::relay
