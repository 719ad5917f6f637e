#include "turnpike/signaling/hub.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "turnpike/crypto/digest.hpp"

namespace turnpike::signaling {
namespace {

constexpr std::size_t kIdLength = 22;
constexpr SteadyTime kAtOnce{};  // earlier than any time of a steady clock
constexpr int kTagBits = 16;     // of a version, see Presence

}  // namespace

Hub::Member* Hub::find(MemberId id) {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

const Hub::Member* Hub::find(MemberId id) const { return const_cast<Hub*>(this)->find(id); }

Hub::Room* Hub::find_room(std::string_view name) {
  const auto it = rooms_.find(name);
  return it == rooms_.end() ? nullptr : &it->second;
}

const Hub::Room* Hub::find_room(std::string_view name) const {
  return const_cast<Hub*>(this)->find_room(name);
}

MemberId Hub::add_member(Newcomer newcomer) {
  Member member;
  member.id = MemberId::random(random_);
  member.secret = MemberId::random(random_);
  member.name = std::move(newcomer.name);
  member.role = std::move(newcomer.role);
  member.quota_user = std::move(newcomer.quota_user);
  member.good_until = newcomer.good_until;
  member.token_id = std::move(newcomer.token_id);
  member.issued = newcomer.issued;
  member.address = newcomer.address;
  member.connection = newcomer.connection;
  const MemberId id = member.id;
  members_.emplace(id, std::move(member));
  return id;
}

void Hub::remove(MemberId id, Output& out) {
  Member* member = find(id);
  if (!member) return;
  deadlines_.clear(id, member->deadline);
  if (member->settling) settling_.clear(id, member->settling->until);
  while (!member->rooms.empty()) remove_from_room(*member, *member->rooms.back(), out);
  if (member->node != kThisNode) --elsewhere_;
  members_.erase(id);
}

Hub::Room* Hub::open_room(std::string_view name, const IpAddress& from) {
  if (!rooms_from_.take(from)) return nullptr;
  Room& room = rooms_[std::string(name)];
  room.name = name;
  room.opened_from = from;
  return &room;
}

Hub::Room& Hub::find_or_add_room(std::string_view name) {
  if (Room* known = find_room(name)) return *known;
  Room& room = rooms_[std::string(name)];
  room.name = name;
  return room;
}

void Hub::close_if_empty(Room& room) {
  if (!room.members.empty()) return;
  if (room.opened_from) rooms_from_.release(*room.opened_from);
  rooms_.erase(rooms_.find(room.name));
}

std::size_t Hub::present_in(const Room& room) {
  return static_cast<std::size_t>(std::ranges::count(room.members, false, &Member::absent));
}

bool Hub::is_full(const Room& room) const {
  return limits_.members_per_room != 0 && present_in(room) >= limits_.members_per_room;
}

Result<std::vector<Hub::Peer>, Refusal> Hub::join(MemberId id, std::string_view name, Output& out) {
  Member* member = find(id);
  if (!member) return Refusal::not_joined;
  Room* room = find_room(name);
  if (room && std::ranges::find(member->rooms, room) != member->rooms.end()) return peers_of(id, name);
  if (limits_.rooms_per_member != 0 && member->rooms.size() >= limits_.rooms_per_member) {
    return Refusal::too_many_joined;
  }
  if (room && is_full(*room)) return Refusal::room_full;
  if (!room) room = open_room(name, member->address);
  if (!room) return Refusal::too_many_rooms;
  room->members.push_back(member);
  member->rooms.push_back(room);
  tell_others(*member, *room, make_event(Event::Kind::peer_joined, *member, *room, false), out);
  note_change(*member);
  return peers_of(id, name);
}

bool Hub::leave(MemberId id, std::string_view name, Output& out) {
  Member* member = find(id);
  Room* room = find_room(name);
  if (!member || !room || std::ranges::find(member->rooms, room) == member->rooms.end()) return false;
  remove_from_room(*member, *room, out);
  return true;
}

void Hub::remove_from_room(Member& member, Room& room, Output& out) {
  std::erase(room.members, &member);
  std::erase(member.rooms, &room);
  if (!member.absent) tell_others(member, room, make_event(Event::Kind::peer_left, member, room, false), out);
  close_if_empty(room);
  note_change(member);
}

std::optional<Refusal> Hub::signal(MemberId from, MemberId to, MemberMessage message, Output& out) {
  const Member* sender = find(from);
  Member* receiver = find(to);
  if (!sender || sender->rooms.empty()) return Refusal::not_joined;
  const auto is_receivers = [&](const Room* room) {
    return receiver && std::ranges::find(receiver->rooms, room) != receiver->rooms.end();
  };
  if (from == to || std::ranges::none_of(sender->rooms, is_receivers)) return Refusal::no_such_peer;
  if (receiver->node != kThisNode && message.size() > kMaxShared) return Refusal::too_large;
  const auto event = std::make_shared<Event>();
  event->kind = Event::Kind::signal;
  event->from = from;
  event->name = sender->name;
  event->message = std::move(message);
  deliver(*receiver, event, out);
  return std::nullopt;
}

std::optional<Refusal> Hub::broadcast(MemberId from, std::string_view name, MemberMessage message,
                                      Output& out) {
  const Member* sender = find(from);
  const Room* room = find_room(name);
  if (!sender || !room || std::ranges::find(sender->rooms, room) == sender->rooms.end()) {
    return Refusal::not_joined;
  }
  const auto is_elsewhere = [](const Member* member) { return member->node != kThisNode; };
  if (message.size() > kMaxShared && std::ranges::any_of(room->members, is_elsewhere))
    return Refusal::too_large;
  const auto event = std::make_shared<Event>();
  event->kind = Event::Kind::broadcast;
  event->room = room->name;
  event->from = from;
  event->name = sender->name;
  event->message = std::move(message);
  tell_others(*sender, *room, event, out);
  return std::nullopt;
}

Hub::EventPtr Hub::make_event(Event::Kind kind, const Member& member, const Room& room, bool lost) {
  const auto event = std::make_shared<Event>();
  event->kind = kind;
  event->room = room.name;
  event->from = member.id;
  event->name = member.name;
  event->role = member.role;
  event->present = present_in(room);
  event->lost = lost;
  return event;
}

void Hub::rename(MemberId id, std::string name, Output& out) {
  Member* member = find(id);
  if (!member || member->name == name) return;
  member->name = std::move(name);
  if (!member->absent) announce(*member, Event::Kind::peer_renamed, false, out);
  if (!member->rooms.empty()) note_change(*member);
}

void Hub::renew_token(MemberId id, std::string quota_user, std::optional<WallTime> good_until,
                      std::string token_id, std::optional<WallTime> issued) {
  Member* member = find(id);
  if (!member) return;
  member->quota_user = std::move(quota_user);
  member->good_until = good_until;
  member->token_id = std::move(token_id);
  member->issued = issued;
  if (!member->rooms.empty()) note_change(*member);
}

Hub::Revoked Hub::remove_holders(const auth::Revocation& revocation, Output& out) {
  Revoked revoked;
  std::vector<MemberId> removed;
  const bool by_subject = revocation.kind == auth::Revocation::Kind::subject;
  for (const auto& [id, member] : members_) {
    if (member.node != kThisNode && member.node != kNoNode) continue;
    if ((by_subject ? member.quota_user : member.token_id) != revocation.name) continue;
    if (by_subject && member.issued && *member.issued > revocation.since) continue;
    if (member.connection != 0) revoked.connections.push_back(member.connection);
    const std::string& user = member.quota_user;
    if (std::ranges::find(revoked.quota_users, user) == revoked.quota_users.end())
      revoked.quota_users.push_back(user);
    removed.push_back(id);
  }
  for (const MemberId& id : removed) remove(id, out);
  return revoked;
}

void Hub::tell_others(const Member& member, const Room& room, const EventPtr& event, Output& out) {
  for (Member* other : room.members) {
    if (other != &member) deliver(*other, event, out);
  }
}

void Hub::announce(const Member& member, Event::Kind kind, bool lost, Output& out) {
  for (const Room* room : member.rooms)
    tell_others(member, *room, make_event(kind, member, *room, lost), out);
}

void Hub::deliver(Member& member, const EventPtr& event, Output& out) {
  if (member.node != kThisNode) return send_out(member, event, 0);
  if (!member.settling) return deliver_now(member, event, out);
  Settling& settling = *member.settling;
  settling.held.push_back(event);
  settling.held_bytes += event->message.size();
  if (settling.held.size() > kMaxHeld || settling.held_bytes > kMaxHeldBytes) settle(member, out);
}

// Only messages of members are kept for a member that is away. When it comes back, it gets a new list of
// members.
void Hub::deliver_now(Member& member, const EventPtr& event, Output& out) {
  if (member.connection != 0) {
    out.deliveries.push_back({member.connection, event});
    return;
  }
  if (event->kind != Event::Kind::signal && event->kind != Event::Kind::broadcast) return;
  member.missed_bytes += event->message.size();
  const bool too_many = limits_.missed_messages != 0 && member.missed.size() >= limits_.missed_messages;
  const bool too_much = limits_.missed_bytes != 0 && member.missed_bytes > limits_.missed_bytes;
  if (too_many || too_much) {
    member.missed.clear();
    member.forgotten_at = kAtOnce;  // with gaps in its messages, it has to join anew
    deadlines_.set(member.id, member.deadline, kAtOnce);
    return;
  }
  member.missed.push_back(event);
}

void Hub::disconnect(MemberId id, bool clean, TimePoint now, Output& out) {
  Member* member = find(id);
  if (!member || member->connection == 0) return;
  member->connection = 0;
  member->forgotten_at = now.steady + kRecovery;
  if (clean) set_absent(*member, true, false, out);
  deadlines_.set(id, member->deadline, clean ? member->forgotten_at : now.steady + kGraceTime);
}

void Hub::set_absent(Member& member, bool absent, bool lost, Output& out) {
  if (member.absent == absent) return;
  member.absent = absent;
  member.lost = absent && lost;
  announce(member, absent ? Event::Kind::peer_left : Event::Kind::peer_joined, member.lost, out);
  note_change(member);
}

std::string Hub::resume_secret(MemberId id) const {
  const Member* member = find(id);
  return member ? id.to_string() + secret_of(*member, 0).to_string() : std::string();
}

// In a cluster, the secret is derived from the id, so that every node knows it.
MemberId Hub::secret_of(const Member& member, std::size_t key) const {
  if (!cluster_) return member.secret;
  return MemberId::of(
      cluster_->digester.hmac_sha256(as_bytes(cluster_->params.resume_keys[key]), {member.id.bytes()}));
}

bool Hub::is_secret_of(const Member& member, const MemberId& proof) const {
  const std::size_t keys = cluster_ ? cluster_->params.resume_keys.size() : 1;
  for (std::size_t key = 0; key < keys; ++key) {
    if (crypto::equal_in_constant_time(proof.bytes(), secret_of(member, key).bytes())) return true;
  }
  return false;
}

Result<Hub::Resumed, Refusal> Hub::resume(std::string_view secret, ConnectionId connection,
                                          const IpAddress& address, TimePoint now, Output& out) {
  if (secret.size() != 2 * kIdLength) return Refusal::resume_unknown;
  const std::optional<MemberId> id = MemberId::parse(secret.substr(0, kIdLength));
  const std::optional<MemberId> proof = MemberId::parse(secret.substr(kIdLength));
  Member* member = id ? find(*id) : nullptr;
  if (!member || !proof || !is_secret_of(*member, *proof)) return Refusal::resume_unknown;
  const bool comes_from_elsewhere = member->node != kThisNode;
  if (!comes_from_elsewhere && member->connection == 0 && member->forgotten_at == kAtOnce) {
    return Refusal::resume_unknown;
  }
  if (revocations_ && revocations_->has(member->token_id, member->quota_user, member->issued, now.wall))
    return Refusal::resume_unknown;
  const auto full = [this](const Room* room) { return is_full(*room); };
  if (member->absent && std::ranges::any_of(member->rooms, full)) return Refusal::room_full;
  Resumed resumed{.id = member->id,
                  .replaced = member->connection,
                  .rooms = {},
                  .quota_user = member->quota_user,
                  .good_until = member->good_until};
  for (const Room* room : member->rooms) resumed.rooms.push_back(room->name);
  deadlines_.clear(member->id, member->deadline);
  member->connection = connection;
  member->address = address;
  if (comes_from_elsewhere) {
    begin_settling(*member, std::exchange(member->node, kThisNode), now);
    --elsewhere_;
    cluster_->arrived.push_back(member->id);
  }
  if (cluster_ && !member->rooms.empty()) {
    // It may have been at another node of which this one has not heard yet; the later one keeps it.
    const auto time = static_cast<std::uint64_t>(now.wall.time_since_epoch().count());
    member->version = std::max(member->version, time << kTagBits);
    note_change(*member);
  }
  set_absent(*member, false, false, out);
  for (const EventPtr& event : member->missed) out.deliveries.push_back({connection, event});
  member->missed = {};
  member->missed_bytes = 0;
  return resumed;
}

std::vector<Hub::Peer> Hub::peers_of(MemberId id, std::string_view name) const {
  std::vector<Peer> peers;
  const Room* room = find_room(name);
  if (!room) return peers;
  for (const Member* member : room->members) {
    if (member->id != id && !member->absent) peers.push_back({member->id, member->name, member->role});
  }
  return peers;
}

std::vector<std::string> Hub::room_names() const {
  std::vector<std::string> names;
  for (const auto& [name, room] : rooms_) {
    if (present_in(room) > 0) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

void Hub::on_timeout(TimePoint now, Output& out) {
  while (settling_.next() <= now.steady) settle(*find(settling_.first()), out);
  while (deadlines_.next() <= now.steady) {
    Member& member = *find(deadlines_.first());
    set_absent(member, true, true, out);
    if (member.forgotten_at <= now.steady) {
      remove(member.id, out);
    } else {
      deadlines_.set(member.id, member.deadline, member.forgotten_at);
    }
  }
}

Presence Hub::presence_of(const Member& member) {
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
  for (const Room* room : member.rooms) presence.rooms.push_back(room->name);
  return presence;
}

// A later change of the same member replaces the last one in the list.
void Hub::note_change(Member& member) {
  if (!cluster_ || member.node != kThisNode) return;
  member.version = ((member.version >> kTagBits) + 1) << kTagBits | cluster_->params.tag;
  std::vector<Presence>& changes = cluster_->changes;
  if (!changes.empty() && changes.back().id == member.id) {
    changes.back() = presence_of(member);
  } else {
    changes.push_back(presence_of(member));
  }
}

std::vector<Presence> Hub::take_changes() {
  return cluster_ ? std::exchange(cluster_->changes, {}) : std::vector<Presence>();
}

std::vector<Outgoing> Hub::take_outgoing() {
  return cluster_ ? std::exchange(cluster_->outgoing, {}) : std::vector<Outgoing>();
}

std::vector<MemberId> Hub::take_arrived() {
  return cluster_ ? std::exchange(cluster_->arrived, {}) : std::vector<MemberId>();
}

std::vector<Presence> Hub::presences() const {
  std::vector<Presence> all;
  for (const auto& [id, member] : members_) {
    if (is_shared(member)) all.push_back(presence_of(member));
  }
  return all;
}

std::optional<Presence> Hub::presence(MemberId id) const {
  const Member* member = find(id);
  return member && is_shared(*member) ? std::optional(presence_of(*member)) : std::nullopt;
}

std::size_t Hub::count_presences() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(members_, [](const auto& entry) { return is_shared(entry.second); }));
}

// Each node itself tells its members who joins and leaves, so only messages are sent. A message to a room
// goes to each node once.
void Hub::send_out(const Member& member, const EventPtr& event, std::uint32_t forwarded) {
  if (event->kind != Event::Kind::signal && event->kind != Event::Kind::broadcast) return;
  std::vector<Outgoing>& outgoing = cluster_->outgoing;
  for (auto it = outgoing.rbegin(); it != outgoing.rend() && it->event == event; ++it) {
    if (it->node == member.node && it->forwarded == forwarded) return it->to.push_back(member.id);
  }
  outgoing.push_back({.node = member.node, .to = {member.id}, .event = event, .forwarded = forwarded});
}

// Nodes whose members share a room with the member may have sent messages by way of its former node. Their
// marks show when the last of these has arrived.
void Hub::begin_settling(Member& member, NodeNumber before, TimePoint now) {
  member.settling = std::make_unique<Settling>();
  std::vector<NodeNumber>& awaited = member.settling->awaited;
  awaited.push_back(kThisNode);
  for (const Room* room : member.rooms) {
    for (const Member* other : room->members) {
      const bool sends_a_mark = other->node != before && other->node != kNoNode;
      if (sends_a_mark && std::ranges::find(awaited, other->node) == awaited.end())
        awaited.push_back(other->node);
    }
  }
  settling_.set(member.id, member.settling->until, now.steady + kSettling);
  cluster_->outgoing.push_back({.node = before, .to = {member.id}});
}

void Hub::settle(Member& member, Output& out) {
  const std::unique_ptr<Settling> settled = std::move(member.settling);
  settling_.clear(member.id, settled->until);
  for (const EventPtr& event : settled->held) deliver_now(member, event, out);
}

void Hub::handle_mark(Member& member, const Outgoing& mark, Output& out) {
  if (member.node != kThisNode) {
    if (mark.forwarded > 0) return;
    cluster_->outgoing.push_back(
        {.node = member.node, .to = {member.id}, .forwarded = 1, .origin = mark.origin});
  } else if (member.settling) {
    std::erase(member.settling->awaited, mark.origin);
    if (member.settling->awaited.empty()) settle(member, out);
  }
}

bool Hub::has_company_here(MemberId id) const {
  const Member* member = find(id);
  const auto is_own = [&](const Member* other) { return other != member && other->node == kThisNode; };
  const auto has_own = [&](const Room* room) { return std::ranges::any_of(room->members, is_own); };
  return member && std::ranges::any_of(member->rooms, has_own);
}

// Closes the member's connection here, and sends the messages that it has missed to its new node. The empty
// Presence ends what this node has told of the member; what the other node tells with this version stays
// valid.
void Hub::hand_over(Member& member, std::uint64_t version, Output& out) {
  Presence over;
  over.id = member.id;
  over.version = version;
  over.name = member.name;
  cluster_->changes.push_back(std::move(over));
  if (member.connection != 0) out.replaced.push_back(member.connection);
  deadlines_.clear(member.id, member.deadline);
  member.connection = 0;
  ++elsewhere_;
  for (const EventPtr& event : std::exchange(member.missed, {})) send_out(member, event, 1);
  member.missed_bytes = 0;
  if (!member.settling) return;
  settling_.clear(member.id, member.settling->until);
  const std::unique_ptr<Settling> settling = std::move(member.settling);
  for (const EventPtr& event : settling->held) send_out(member, event, 1);
}

void Hub::leave_all_but(Member& member, const std::vector<std::string>& rooms, Output& out) {
  const std::vector<Room*> before = member.rooms;
  for (Room* room : before) {
    if (std::ranges::find(rooms, room->name) == rooms.end()) remove_from_room(member, *room, out);
  }
}

void Hub::join_all_of(Member& member, const std::vector<std::string>& rooms, Output& out) {
  for (const std::string& name : rooms) {
    Room& room = find_or_add_room(name);
    if (std::ranges::find(member.rooms, &room) != member.rooms.end()) continue;
    room.members.push_back(&member);
    member.rooms.push_back(&room);
    if (member.absent) continue;
    tell_others(member, room, make_event(Event::Kind::peer_joined, member, room, false), out);
  }
}

void Hub::update(NodeNumber node, const Presence& presence, Output& out) {
  Member* member = find(presence.id);
  const bool is_new = member ? presence.version > member->version : !presence.rooms.empty();
  // A node that was taken for lost tells the same of its members as before.
  const bool is_back =
      member && member->node == kNoNode && presence.version == member->version && !presence.rooms.empty();
  if (!is_new && !is_back) return;
  if (!member) {
    member = &members_[presence.id];
    member->id = presence.id;
    member->absent = !presence.present;
    ++elsewhere_;
  }
  const NodeNumber before = std::exchange(member->node, node);
  if (before == kThisNode && member->version != 0) hand_over(*member, presence.version, out);
  if (before != kThisNode && before != node && has_company_here(member->id))
    cluster_->outgoing.push_back({.node = before, .to = {member->id}});
  if (before == kNoNode) deadlines_.clear(member->id, member->deadline);
  member->version = presence.version;
  // A member that comes back is announced with its name anyway.
  const bool is_renamed = member->name != presence.name && !member->absent && presence.present;
  member->name = presence.name;
  member->role = presence.role;
  member->quota_user = presence.quota_user;
  member->good_until = presence.good_until;
  member->token_id = presence.token_id;
  member->issued = presence.issued;
  // this comes before the removal below
  if (presence.rooms.empty() && presence.lost) set_absent(*member, true, true, out);
  leave_all_but(*member, presence.rooms, out);
  set_absent(*member, !presence.present, presence.lost, out);
  if (is_renamed) announce(*member, Event::Kind::peer_renamed, false, out);
  join_all_of(*member, presence.rooms, out);
  if (member->rooms.empty()) remove(member->id, out);
}

void Hub::replace(NodeNumber node, const std::vector<Presence>& presences, Output& out) {
  std::unordered_set<MemberId, MemberIdHash> there;
  for (const Presence& presence : presences) there.insert(presence.id);
  std::vector<MemberId> gone;
  for (const auto& [id, member] : members_) {
    if (member.node == node && !there.contains(id)) gone.push_back(id);
  }
  for (const MemberId& id : gone) remove(id, out);
  for (const Presence& presence : presences) update(node, presence, out);
}

void Hub::on_node_gone(NodeNumber node, TimePoint now, Output& out) {
  for (auto& [id, member] : members_) {
    if (member.node != node) continue;
    member.node = kNoNode;
    member.forgotten_at = now.steady + kRecovery;
    deadlines_.set(id, member.deadline, member.forgotten_at);
    set_absent(member, true, true, out);
  }
}

bool Hub::is_in(const Member& member, std::string_view name) {
  return std::ranges::any_of(member.rooms, [&](const Room* room) { return room->name == name; });
}

void Hub::receive(const Outgoing& message, Output& out) {
  for (const MemberId& id : message.to) {
    Member* member = find(id);
    if (!member) continue;
    if (!message.event) {
      handle_mark(*member, message, out);
    } else if (message.event->kind == Event::Kind::broadcast && !is_in(*member, message.event->room)) {
      continue;  // the member has left the room in the meantime
    } else if (member->node != kThisNode) {
      const bool may_go_on = message.forwarded < kMaxForwards || member->node == kNoNode;
      if (may_go_on) send_out(*member, message.event, message.forwarded + 1);
    } else if (message.forwarded > 0) {
      deliver_now(*member, message.event, out);
    } else {
      deliver(*member, message.event, out);
    }
  }
}

// The member first becomes one of this node, so that all nodes are told of its removal.
void Hub::give_up(MemberId id, Output& out) {
  Member* member = find(id);
  if (!member || member->node == kThisNode) return;
  member->node = kThisNode;
  --elsewhere_;
  set_absent(*member, true, true, out);
  remove(id, out);
}

std::optional<NodeNumber> Hub::node_of(MemberId id) const {
  const Member* member = find(id);
  return member ? std::optional(member->node) : std::nullopt;
}

}  // namespace turnpike::signaling
