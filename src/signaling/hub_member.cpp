#include "turnpike/signaling/hub_member.hpp"

#include <algorithm>

namespace turnpike::signaling {

std::size_t HubRoom::count_present() const {
  return static_cast<std::size_t>(std::ranges::count(members, false, &HubMember::absent));
}

bool HubMember::is_in(const HubRoom& room) const { return std::ranges::find(rooms, &room) != rooms.end(); }

bool HubMember::is_in(std::string_view room_name) const {
  return std::ranges::find(rooms, room_name, &HubRoom::name) != rooms.end();
}

}  // namespace turnpike::signaling
