// The rooms that somebody is in. A room begins with its first member and ends with its last one. The number
// of rooms that were opened from one address is limited.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/source_counter.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/hub_member.hpp"

namespace turnpike::signaling {

class HubRooms {
 public:
  // `per_address` is how many rooms one address may have opened at one time. 0 means no limit.
  HubRooms(std::uint32_t per_address, crypto::Random& random);

  // Rooms that exceed the new limit stay.
  void set_limit(std::uint32_t per_address) { opened_from_.set_limit(per_address); }

  // Returns null when there is no such room.
  HubRoom* find(std::string_view name);
  const HubRoom* find(std::string_view name) const;
  // Adds a room, whose name must be new. Returns null when the address has reached its limit.
  HubRoom* open(std::string_view name, const IpAddress& from);
  // Adds the room when there is none. No address's limit counts a room that was added so.
  HubRoom& find_or_add(std::string_view name);
  // Removes the room when nobody is in it any more.
  void close_if_empty(const HubRoom& room);

  // The names of the rooms in which somebody is present, sorted.
  std::vector<std::string> names() const;
  std::size_t size() const { return rooms_.size(); }

 private:
  std::unordered_map<std::string, HubRoom, KeyedHash, std::equal_to<>> rooms_;  // strangers choose the names
  SourceCounter opened_from_;
};

}  // namespace turnpike::signaling
