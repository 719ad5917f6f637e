#include "turnpike/signaling/hub.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::signaling {
namespace {

constexpr std::size_t kIdLength = 22;

EventPtr make_message(Event::Kind kind, const HubMember& from, std::string_view room, MemberMessage message) {
  const auto event = std::make_shared<Event>();
  event->kind = kind;
  event->room = room;
  event->from = from.id;
  event->name = from.name;
  event->message = std::move(message);
  return event;
}

}  // namespace

void Hub::share_with_cluster(ClusterParams params) {
  secrets_.use(std::move(params.resume_keys));
  membership_.share_with_cluster(params.tag);
}

MemberId Hub::add_member(Newcomer newcomer) {
  return membership_
      .add({.id = MemberId::random(random_),
            .secret = MemberId::random(random_),
            .name = std::move(newcomer.name),
            .role = std::move(newcomer.role),
            .quota_user = std::move(newcomer.quota_user),
            .good_until = newcomer.good_until,
            .token_id = std::move(newcomer.token_id),
            .issued = newcomer.issued,
            .address = newcomer.address,
            .connection = newcomer.connection})
      .id;
}

void Hub::remove(MemberId id, Output& out) {
  if (HubMember* member = membership_.find(id)) membership_.remove(*member, out);
}

Result<std::vector<Hub::Peer>, Refusal> Hub::join(MemberId id, std::string_view name, Output& out) {
  HubMember* member = membership_.find(id);
  if (!member) return Refusal::not_joined;
  HubRoom* room = membership_.rooms().find(name);
  if (room && member->is_in(*room)) return peers_of(id, name);
  const std::size_t most = membership_.limits().rooms_per_member;
  if (most != 0 && member->rooms.size() >= most) return Refusal::too_many_joined;
  if (room && membership_.is_full(*room)) return Refusal::room_full;
  if (!room) room = membership_.rooms().open(name, member->address);
  if (!room) return Refusal::too_many_rooms;
  membership_.enter(*member, *room, out);
  return peers_of(id, name);
}

bool Hub::leave(MemberId id, std::string_view name, Output& out) {
  HubMember* member = membership_.find(id);
  HubRoom* room = membership_.rooms().find(name);
  if (!member || !room || !member->is_in(*room)) return false;
  membership_.leave(*member, *room, out);
  return true;
}

std::optional<Refusal> Hub::signal(MemberId from, MemberId to, MemberMessage message, Output& out) {
  const HubMember* sender = membership_.find(from);
  HubMember* receiver = membership_.find(to);
  if (!sender || sender->rooms.empty()) return Refusal::not_joined;
  const auto is_receivers = [&](const HubRoom* room) { return receiver && receiver->is_in(*room); };
  if (from == to || std::ranges::none_of(sender->rooms, is_receivers)) return Refusal::no_such_peer;
  if (!receiver->is_own() && message.size() > kMaxShared) return Refusal::too_large;
  membership_.deliver(*receiver, make_message(Event::Kind::signal, *sender, {}, std::move(message)), out);
  return std::nullopt;
}

std::optional<Refusal> Hub::broadcast(MemberId from, std::string_view name, MemberMessage message,
                                      Output& out) {
  const HubMember* sender = membership_.find(from);
  const HubRoom* room = membership_.rooms().find(name);
  if (!sender || !room || !sender->is_in(*room)) return Refusal::not_joined;
  const bool is_shared = !std::ranges::all_of(room->members, &HubMember::is_own);
  if (is_shared && message.size() > kMaxShared) return Refusal::too_large;
  const EventPtr event = make_message(Event::Kind::broadcast, *sender, room->name, std::move(message));
  membership_.tell_others(*sender, *room, event, out);
  return std::nullopt;
}

void Hub::disconnect(MemberId id, bool clean, TimePoint now, Output& out) {
  HubMember* member = membership_.find(id);
  if (member && member->connection != 0) membership_.cut_off(*member, clean, now, out);
}

void Hub::rename(MemberId id, std::string name, Output& out) {
  HubMember* member = membership_.find(id);
  if (!member || member->name == name) return;
  member->name = std::move(name);
  if (!member->absent) membership_.announce(*member, Event::Kind::peer_renamed, false, out);
  if (!member->rooms.empty()) membership_.note_change(*member);
}

void Hub::renew_token(MemberId id, std::string quota_user, std::optional<WallTime> good_until,
                      std::string token_id, std::optional<WallTime> issued) {
  HubMember* member = membership_.find(id);
  if (!member) return;
  member->quota_user = std::move(quota_user);
  member->good_until = good_until;
  member->token_id = std::move(token_id);
  member->issued = issued;
  if (!member->rooms.empty()) membership_.note_change(*member);
}

Hub::Revoked Hub::remove_holders(const auth::Revocation& revocation, Output& out) {
  Revoked revoked;
  std::vector<HubMember*> removed;
  for (auto& [id, member] : membership_.members()) {
    const bool is_anothers = !member.is_own() && member.node != kNoNode;
    if (is_anothers || !auth::covers(revocation, member.token_id, member.quota_user, member.issued)) continue;
    if (member.connection != 0) revoked.connections.push_back(member.connection);
    const std::string& user = member.quota_user;
    if (std::ranges::find(revoked.quota_users, user) == revoked.quota_users.end())
      revoked.quota_users.push_back(user);
    removed.push_back(&member);
  }
  for (HubMember* member : removed) membership_.remove(*member, out);
  return revoked;
}

std::string Hub::resume_secret(MemberId id) const {
  const HubMember* member = membership_.find(id);
  return member ? id.to_string() + secrets_.of(*member).to_string() : std::string();
}

// Returns the member that may come back by this secret.
Result<HubMember*, Refusal> Hub::find_by_secret(std::string_view secret, WallTime now) {
  if (secret.size() != 2 * kIdLength) return Refusal::resume_unknown;
  const std::optional<MemberId> id = MemberId::parse(secret.substr(0, kIdLength));
  const std::optional<MemberId> proof = MemberId::parse(secret.substr(kIdLength));
  HubMember* member = id ? membership_.find(*id) : nullptr;
  if (!member || !proof || !secrets_.accepts(*member, *proof)) return Refusal::resume_unknown;
  if (member->has_missed_too_much()) return Refusal::resume_unknown;
  if (revocations_ && revocations_->has(member->token_id, member->quota_user, member->issued, now))
    return Refusal::resume_unknown;
  const auto full = [this](const HubRoom* room) { return membership_.is_full(*room); };
  if (member->absent && std::ranges::any_of(member->rooms, full)) return Refusal::room_full;
  return member;
}

// Makes a member one of this node, and tells the other nodes that this one has it.
void Hub::bring_here(HubMember& member, TimePoint now) {
  NodeNews* news = membership_.news();
  if (!news) return;
  const NodeNumber before = membership_.assign(member, kThisNode);
  if (before != kThisNode) {
    membership_.begin_settling(member, before, now);
    news->note_arrival(member.id);
  }
  if (member.rooms.empty()) return;
  NodeNews::raise_version(member, now.wall);
  membership_.note_change(member);
}

Result<Hub::Resumed, Refusal> Hub::resume(std::string_view secret, ConnectionId connection,
                                          const IpAddress& address, TimePoint now, Output& out) {
  const Result<HubMember*, Refusal> found = find_by_secret(secret, now.wall);
  if (!found) return found.error();
  HubMember& member = **found;
  Resumed resumed{.id = member.id,
                  .replaced = member.connection,
                  .rooms = {},
                  .quota_user = member.quota_user,
                  .good_until = member.good_until};
  for (const HubRoom* room : member.rooms) resumed.rooms.push_back(room->name);
  membership_.clear_deadline(member);
  member.connection = connection;
  member.address = address;
  bring_here(member, now);
  membership_.set_absent(member, false, false, out);
  for (const EventPtr& event : Membership::take_missed(member)) membership_.deliver_now(member, event, out);
  return resumed;
}

std::vector<Hub::Peer> Hub::peers_of(MemberId id, std::string_view name) const {
  std::vector<Peer> peers;
  const HubRoom* room = membership_.rooms().find(name);
  if (!room) return peers;
  for (const HubMember* member : room->members) {
    if (member->id != id && !member->absent) peers.push_back({member->id, member->name, member->role});
  }
  return peers;
}

std::vector<std::string> Hub::room_names() const { return membership_.rooms().names(); }

}  // namespace turnpike::signaling
