#include "turnpike/signaling/hub_rooms.hpp"

#include <algorithm>

namespace turnpike::signaling {

HubRooms::HubRooms(std::uint32_t per_address, crypto::Random& random)
    : rooms_(0, KeyedHash(crypto::draw_hash_key(random))), opened_from_(per_address) {}

HubRoom* HubRooms::find(std::string_view name) {
  const auto it = rooms_.find(name);
  return it == rooms_.end() ? nullptr : &it->second;
}

const HubRoom* HubRooms::find(std::string_view name) const { return const_cast<HubRooms*>(this)->find(name); }

HubRoom* HubRooms::open(std::string_view name, const IpAddress& from) {
  if (!opened_from_.take(from)) return nullptr;
  HubRoom& room = find_or_add(name);
  room.opened_from = from;
  return &room;
}

HubRoom& HubRooms::find_or_add(std::string_view name) {
  if (HubRoom* known = find(name)) return *known;
  HubRoom& room = rooms_[std::string(name)];
  room.name = name;
  return room;
}

void HubRooms::close_if_empty(const HubRoom& room) {
  if (!room.members.empty()) return;
  if (room.opened_from) opened_from_.release(*room.opened_from);
  rooms_.erase(rooms_.find(room.name));
}

std::vector<std::string> HubRooms::names() const {
  std::vector<std::string> names;
  for (const auto& [name, room] : rooms_) {
    if (room.count_present() > 0) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace turnpike::signaling
