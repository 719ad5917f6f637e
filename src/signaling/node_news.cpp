#include "turnpike/signaling/node_news.hpp"

#include <algorithm>

namespace turnpike::signaling {
namespace {

constexpr int kTagBits = 16;  // of a version, see Presence

}  // namespace

Presence presence_of(const HubMember& member) {
  Presence presence{.id = member.id,
                    .version = member.version,
                    .name = member.name,
                    .role = member.role,
                    .quota_user = member.quota_user,
                    .good_until = member.good_until,
                    .token_id = member.token_id,
                    .issued = member.issued,
                    .present = !member.absent,
                    .lost = member.lost,
                    .rooms = {}};
  for (const HubRoom* room : member.rooms) presence.rooms.push_back(room->name);
  return presence;
}

void NodeNews::note_change(HubMember& member) {
  member.version = ((member.version >> kTagBits) + 1) << kTagBits | tag_;
  if (!changes_.empty() && changes_.back().id == member.id) {
    changes_.back() = presence_of(member);
  } else {
    changes_.push_back(presence_of(member));
  }
}

void NodeNews::raise_version(HubMember& member, WallTime now) {
  const auto time = static_cast<std::uint64_t>(now.time_since_epoch().count());
  member.version = std::max(member.version, time << kTagBits);
}

void NodeNews::note_moved(const HubMember& member, std::uint64_t version) {
  Presence over;
  over.id = member.id;
  over.version = version;
  over.name = member.name;
  changes_.push_back(std::move(over));
}

void NodeNews::send(const HubMember& member, const EventPtr& event, std::uint32_t forwarded) {
  if (!event->is_message()) return;
  for (auto it = outgoing_.rbegin(); it != outgoing_.rend() && it->event == event; ++it) {
    if (it->node == member.node && it->forwarded == forwarded) return it->to.push_back(member.id);
  }
  outgoing_.push_back({.node = member.node, .to = {member.id}, .event = event, .forwarded = forwarded});
}

}  // namespace turnpike::signaling
