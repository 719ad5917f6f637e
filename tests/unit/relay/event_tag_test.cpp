// What a worker's epoll events are about, packed and unpacked.
#include "relay/event_tag.hpp"

#include <catch2/catch.hpp>
#include <set>

namespace turnpike::relay {
namespace {

constexpr std::uint64_t kLargestNumber = (std::uint64_t{1} << EventTag::kNumberBits) - 1;

TEST_CASE("a tag comes back from epoll as it was", "[relay][event_tag]") {
  std::set<std::uint64_t> packed;
  for (int kind = 0; kind < static_cast<int>(EventKind::kinds); ++kind) {
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{7}, kLargestNumber}) {
      const EventTag tag{static_cast<EventKind>(kind), number};
      CHECK(packed.insert(tag.pack()).second);
      CHECK(EventTag::unpack(tag.pack()).kind == tag.kind);
      CHECK(EventTag::unpack(tag.pack()).number == number);
    }
  }
}

TEST_CASE("the event of a relay has its number and the socket that is ready", "[relay][event_tag]") {
  constexpr int kLargest = (1 << RelayEvent::kDescriptorBits) - 1;
  for (const int fd : {0, 5, kLargest}) {
    for (const int relay : {3, kLargest}) {
      const RelayEvent event{turn::RelayId(relay), fd};
      const EventTag tag = EventTag::unpack(event.tag().pack());
      CHECK(tag.kind == EventKind::relay);
      CHECK(RelayEvent::of(tag).relay == event.relay);
      CHECK(RelayEvent::of(tag).fd == fd);
    }
  }
  CHECK(RelayEvent::fits(kLargest));
  CHECK_FALSE(RelayEvent::fits(kLargest + 1));
}

TEST_CASE("the event of a connection with a peer says which one, which end, and whether it is open",
          "[relay][event_tag]") {
  for (const std::uint32_t id : {0U, 1U, 0xFFFFFFFFU}) {
    for (const Side side : {Side::client, Side::peer}) {
      for (const bool connecting : {false, true}) {
        for (const bool leaving : {false, true}) {
          const PeerConnectionEvent event{turn::ConnectionId(id), side, connecting, leaving};
          const PeerConnectionEvent back = PeerConnectionEvent::of(EventTag::unpack(event.tag().pack()));
          CHECK(back.id == event.id);
          CHECK(back.side == side);
          CHECK(back.connecting == connecting);
          CHECK(back.leaving == leaving);
        }
      }
    }
  }
}

}  // namespace
}  // namespace turnpike::relay
