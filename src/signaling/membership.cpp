#include "turnpike/signaling/membership.hpp"

#include <utility>

namespace turnpike::signaling {

void Membership::set_limits(const Limits& limits) {
  limits_ = limits;
  rooms_.set_limit(limits.rooms_per_address);
}

HubMember* Membership::find(MemberId id) {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

const HubMember* Membership::find(MemberId id) const { return const_cast<Membership*>(this)->find(id); }

HubMember& Membership::add(HubMember member) {
  if (!member.is_own()) ++elsewhere_;
  const MemberId id = member.id;
  return members_.emplace(id, std::move(member)).first->second;
}

void Membership::remove(HubMember& member, Output& out) {
  clear_deadline(member);
  if (member.settling) settling_.clear(member.id, member.settling->until);
  while (!member.rooms.empty()) leave(member, *member.rooms.back(), out);
  if (!member.is_own()) --elsewhere_;
  members_.erase(MemberId(member.id));  // a copy, since the member's own id ends with it
}

NodeNumber Membership::assign(HubMember& member, NodeNumber node) {
  if (!member.is_own()) --elsewhere_;
  const NodeNumber before = std::exchange(member.node, node);
  if (!member.is_own()) ++elsewhere_;
  return before;
}

void Membership::note_change(HubMember& member) {
  if (news_ && member.is_own()) news_->note_change(member);
}

bool Membership::is_full(const HubRoom& room) const {
  return limits_.members_per_room != 0 && room.count_present() >= limits_.members_per_room;
}

void Membership::enter(HubMember& member, HubRoom& room, Output& out) {
  room.members.push_back(&member);
  member.rooms.push_back(&room);
  if (!member.absent)
    tell_others(member, room, make_event(Event::Kind::peer_joined, member, room, false), out);
  note_change(member);
}

void Membership::leave(HubMember& member, HubRoom& room, Output& out) {
  std::erase(room.members, &member);
  std::erase(member.rooms, &room);
  if (!member.absent) tell_others(member, room, make_event(Event::Kind::peer_left, member, room, false), out);
  rooms_.close_if_empty(room);
  note_change(member);
}

void Membership::set_absent(HubMember& member, bool absent, bool lost, Output& out) {
  if (member.absent == absent) return;
  member.absent = absent;
  member.lost = absent && lost;
  announce(member, absent ? Event::Kind::peer_left : Event::Kind::peer_joined, member.lost, out);
  note_change(member);
}

void Membership::cut_off(HubMember& member, bool clean, TimePoint now, Output& out) {
  member.connection = 0;
  forget_later(member, now);
  if (clean) return set_absent(member, true, false, out);
  deadlines_.set(member.id, member.deadline, now.steady + kGraceTime);
}

void Membership::forget_later(HubMember& member, TimePoint now) {
  member.forgotten_at = now.steady + kRecovery;
  deadlines_.set(member.id, member.deadline, member.forgotten_at);
}

std::vector<EventPtr> Membership::take_missed(HubMember& member) {
  member.missed_bytes = 0;
  return std::exchange(member.missed, {});
}

EventPtr Membership::make_event(Event::Kind kind, const HubMember& member, const HubRoom& room, bool lost) {
  const auto event = std::make_shared<Event>();
  event->kind = kind;
  event->room = room.name;
  event->from = member.id;
  event->name = member.name;
  event->role = member.role;
  event->present = room.count_present();
  event->lost = lost;
  return event;
}

void Membership::tell_others(const HubMember& member, const HubRoom& room, const EventPtr& event,
                             Output& out) {
  for (HubMember* other : room.members) {
    if (other != &member) deliver(*other, event, out);
  }
}

void Membership::announce(const HubMember& member, Event::Kind kind, bool lost, Output& out) {
  for (const HubRoom* room : member.rooms)
    tell_others(member, *room, make_event(kind, member, *room, lost), out);
}

void Membership::deliver(HubMember& member, const EventPtr& event, Output& out) {
  if (!member.is_own()) return news_->send(member, event, 0);
  if (!member.settling) return deliver_now(member, event, out);
  Settling& settling = *member.settling;
  settling.held.push_back(event);
  settling.held_bytes += event->message.size();
  if (settling.held.size() > kMaxHeld || settling.held_bytes > kMaxHeldBytes) settle(member, out);
}

// Only messages of members are kept for a member that is away. When it comes back, it gets a new list of
// members.
void Membership::deliver_now(HubMember& member, const EventPtr& event, Output& out) {
  if (member.connection != 0) {
    out.deliveries.push_back({member.connection, event});
  } else if (event->is_message()) {
    keep(member, event);
  }
}

// A member that misses more than the limits allow is forgotten: with gaps in its messages, it has to join
// anew.
void Membership::keep(HubMember& member, const EventPtr& event) {
  member.missed_bytes += event->message.size();
  const bool too_many = limits_.missed_messages != 0 && member.missed.size() >= limits_.missed_messages;
  const bool too_much = limits_.missed_bytes != 0 && member.missed_bytes > limits_.missed_bytes;
  if (!too_many && !too_much) return member.missed.push_back(event);
  member.missed.clear();
  member.forgotten_at = HubMember::kAtOnce;
  deadlines_.set(member.id, member.deadline, HubMember::kAtOnce);
}

void Membership::begin_settling(HubMember& member, NodeNumber before, TimePoint now) {
  member.settling = std::make_unique<Settling>();
  std::vector<NodeNumber>& awaited = member.settling->awaited;
  awaited.push_back(kThisNode);
  for (const HubRoom* room : member.rooms) {
    for (const HubMember* other : room->members) {
      const bool sends_a_mark = other->node != before && other->node != kNoNode;
      if (sends_a_mark && std::ranges::find(awaited, other->node) == awaited.end())
        awaited.push_back(other->node);
    }
  }
  settling_.set(member.id, member.settling->until, now.steady + kSettling);
  news_->send_mark({.node = before, .to = {member.id}});
}

void Membership::on_mark(HubMember& member, NodeNumber origin, Output& out) {
  if (!member.settling) return;
  std::erase(member.settling->awaited, origin);
  if (member.settling->awaited.empty()) settle(member, out);
}

std::vector<EventPtr> Membership::take_held(HubMember& member) {
  if (!member.settling) return {};
  const std::unique_ptr<Settling> settled = std::move(member.settling);
  settling_.clear(member.id, settled->until);
  return std::move(settled->held);
}

void Membership::settle(HubMember& member, Output& out) {
  for (const EventPtr& event : take_held(member)) deliver_now(member, event, out);
}

void Membership::on_timeout(TimePoint now, Output& out) {
  while (settling_.next() <= now.steady) settle(*find(settling_.first()), out);
  while (deadlines_.next() <= now.steady) {
    HubMember& member = *find(deadlines_.first());
    set_absent(member, true, true, out);
    if (member.forgotten_at <= now.steady) {
      remove(member, out);
    } else {
      deadlines_.set(member.id, member.deadline, member.forgotten_at);
    }
  }
}

}  // namespace turnpike::signaling
