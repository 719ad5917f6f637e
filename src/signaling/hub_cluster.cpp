#include "turnpike/signaling/hub_cluster.hpp"

#include <algorithm>
#include <unordered_set>

namespace turnpike::signaling {
namespace {

// Other nodes need not know of a member that is in no room.
bool is_shared(const HubMember& member) { return member.is_own() && !member.rooms.empty(); }

bool shares_room_with_own(const HubMember& member) {
  const auto is_own = [&](const HubMember* other) { return other != &member && other->is_own(); };
  const auto has_own = [&](const HubRoom* room) { return std::ranges::any_of(room->members, is_own); };
  return std::ranges::any_of(member.rooms, has_own);
}

// Whether a presence is later than what is known of its member. A node that was taken for lost tells the same
// of its members as before.
bool is_news(const HubMember* member, const Presence& presence) {
  if (!member) return !presence.rooms.empty();
  const bool is_back =
      member->node == kNoNode && presence.version == member->version && !presence.rooms.empty();
  return is_back || presence.version > member->version;
}

}  // namespace

std::vector<Presence> HubCluster::take_changes() {
  NodeNews* news = membership_.news();
  return news ? news->take_changes() : std::vector<Presence>();
}

std::vector<Outgoing> HubCluster::take_outgoing() {
  NodeNews* news = membership_.news();
  return news ? news->take_outgoing() : std::vector<Outgoing>();
}

std::vector<MemberId> HubCluster::take_arrived() {
  NodeNews* news = membership_.news();
  return news ? news->take_arrived() : std::vector<MemberId>();
}

std::vector<Presence> HubCluster::presences() const {
  std::vector<Presence> all;
  for (const auto& [id, member] : membership_.members()) {
    if (is_shared(member)) all.push_back(presence_of(member));
  }
  return all;
}

std::optional<Presence> HubCluster::presence(MemberId id) const {
  const HubMember* member = membership_.find(id);
  return member && is_shared(*member) ? std::optional(presence_of(*member)) : std::nullopt;
}

std::size_t HubCluster::count_presences() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      membership_.members(), [](const auto& entry) { return is_shared(entry.second); }));
}

void HubCluster::update(NodeNumber node, const Presence& presence, Output& out) {
  HubMember* known = membership_.find(presence.id);
  if (!is_news(known, presence)) return;
  HubMember& member = take_over(known, node, presence, out);
  // A member that comes back is announced with its name anyway.
  const bool is_renamed = member.name != presence.name && !member.absent && presence.present;
  member.version = presence.version;
  member.name = presence.name;
  member.role = presence.role;
  member.quota_user = presence.quota_user;
  member.good_until = presence.good_until;
  member.token_id = presence.token_id;
  member.issued = presence.issued;
  // This comes before the removal below.
  if (presence.rooms.empty() && presence.lost) membership_.set_absent(member, true, true, out);
  leave_all_but(member, presence.rooms, out);
  membership_.set_absent(member, !presence.present, presence.lost, out);
  if (is_renamed) membership_.announce(member, Event::Kind::peer_renamed, false, out);
  join_all_of(member, presence.rooms, out);
  if (member.rooms.empty()) membership_.remove(member, out);
}

// Returns the member, which belongs to `node` from now on. `known` is null when it is new here.
HubMember& HubCluster::take_over(HubMember* known, NodeNumber node, const Presence& presence, Output& out) {
  if (!known) return membership_.add({.id = presence.id, .node = node, .absent = !presence.present});
  const NodeNumber before = membership_.assign(*known, node);
  if (before == kThisNode) {
    hand_over(*known, presence.version, out);
  } else if (before != node && shares_room_with_own(*known)) {
    membership_.news()->send_mark({.node = before, .to = {known->id}});
  }
  if (before == kNoNode) membership_.clear_deadline(*known);
  return *known;
}

// Closes the member's connection here, and sends the messages that it has missed to its new node.
void HubCluster::hand_over(HubMember& member, std::uint64_t version, Output& out) {
  NodeNews& news = *membership_.news();
  news.note_moved(member, version);
  if (member.connection != 0) out.replaced.push_back(member.connection);
  membership_.clear_deadline(member);
  member.connection = 0;
  for (const EventPtr& event : Membership::take_missed(member)) news.send(member, event, 1);
  for (const EventPtr& event : membership_.take_held(member)) news.send(member, event, 1);
}

void HubCluster::leave_all_but(HubMember& member, const std::vector<std::string>& rooms, Output& out) {
  const std::vector<HubRoom*> before = member.rooms;
  for (HubRoom* room : before) {
    if (std::ranges::find(rooms, room->name) == rooms.end()) membership_.leave(member, *room, out);
  }
}

void HubCluster::join_all_of(HubMember& member, const std::vector<std::string>& rooms, Output& out) {
  for (const std::string& name : rooms) {
    HubRoom& room = membership_.rooms().find_or_add(name);
    if (!member.is_in(room)) membership_.enter(member, room, out);
  }
}

void HubCluster::replace(NodeNumber node, const std::vector<Presence>& presences, Output& out) {
  std::unordered_set<MemberId, MemberIdHash> there;
  for (const Presence& presence : presences) there.insert(presence.id);
  std::vector<HubMember*> gone;
  for (auto& [id, member] : membership_.members()) {
    if (member.node == node && !there.contains(id)) gone.push_back(&member);
  }
  for (HubMember* member : gone) membership_.remove(*member, out);
  for (const Presence& presence : presences) update(node, presence, out);
}

void HubCluster::on_node_gone(NodeNumber node, TimePoint now, Output& out) {
  for (auto& [id, member] : membership_.members()) {
    if (member.node != node) continue;
    membership_.assign(member, kNoNode);
    membership_.forget_later(member, now);
    membership_.set_absent(member, true, true, out);
  }
}

void HubCluster::receive(const Outgoing& message, Output& out) {
  for (const MemberId& id : message.to) {
    if (HubMember* member = membership_.find(id)) receive(*member, message, out);
  }
}

void HubCluster::receive(HubMember& member, const Outgoing& message, Output& out) {
  if (!message.event) return receive_mark(member, message, out);
  const bool is_broadcast = message.event->kind == Event::Kind::broadcast;
  if (is_broadcast && !member.is_in(message.event->room)) return;  // it has left the room in the meantime
  if (!member.is_own()) {
    const bool may_go_on = message.forwarded < kMaxForwards || member.node == kNoNode;
    if (may_go_on) membership_.news()->send(member, message.event, message.forwarded + 1);
  } else if (message.forwarded > 0) {
    membership_.deliver_now(member, message.event, out);
  } else {
    membership_.deliver(member, message.event, out);
  }
}

void HubCluster::receive_mark(HubMember& member, const Outgoing& mark, Output& out) {
  if (member.is_own()) return membership_.on_mark(member, mark.origin, out);
  if (mark.forwarded > 0) return;
  membership_.news()->send_mark(
      {.node = member.node, .to = {member.id}, .forwarded = 1, .origin = mark.origin});
}

// The member first becomes one of this node, so that all nodes are told of its removal.
void HubCluster::give_up(MemberId id, Output& out) {
  HubMember* member = membership_.find(id);
  if (!member || member->is_own()) return;
  membership_.assign(*member, kThisNode);
  membership_.set_absent(*member, true, true, out);
  membership_.remove(*member, out);
}

std::optional<NodeNumber> HubCluster::node_of(MemberId id) const {
  const HubMember* member = membership_.find(id);
  return member ? std::optional(member->node) : std::nullopt;
}

bool HubCluster::has_company_here(MemberId id) const {
  const HubMember* member = membership_.find(id);
  return member && shares_room_with_own(*member);
}

}  // namespace turnpike::signaling
