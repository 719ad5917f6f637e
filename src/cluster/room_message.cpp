#include "cluster/room_message.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>

#include "cluster/freshness.hpp"
#include "cluster/json_reader.hpp"
#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/crypto/base64.hpp"
#include "turnpike/signaling/json_text.hpp"
#include "turnpike/signaling/name.hpp"

namespace turnpike::cluster {
namespace {

namespace json = boost::json;
using signaling::Event;
using signaling::MemberId;
using signaling::Presence;

constexpr std::uint64_t kMaxTime = std::uint64_t{1} << 53;  // in milliseconds since 1970
constexpr std::size_t kMaxRooms = 256;                      // of a member
constexpr std::size_t kMaxRoomName = 512;      // octets; a namespace of Socket.IO's may stand before the room
constexpr std::size_t kMaxNodeName = 255;      // octets
constexpr std::uint64_t kMaxForwards = 1000;   // nobody forwards more often than the hub allows
constexpr std::size_t kMaxQuotaUser = 512;     // octets
constexpr std::size_t kMaxAttachments = 1000;  // of a message

struct KindName {
  RoomMessage::Kind kind;
  std::string_view name;
};
constexpr std::array kKinds{
    KindName{RoomMessage::Kind::hello, "hello"}, KindName{RoomMessage::Kind::alive, "alive"},
    KindName{RoomMessage::Kind::changes, "changes"}, KindName{RoomMessage::Kind::said, "said"},
    KindName{RoomMessage::Kind::mark, "mark"}};

json::array write(const std::vector<MemberId>& ids) {
  json::array texts;
  for (const MemberId& id : ids) texts.emplace_back(id.to_string());
  return texts;
}

std::vector<MemberId> read_members(JsonReader& reader, std::string_view name) {
  std::vector<MemberId> ids;
  for (const std::string& text : reader.texts(name, SIZE_MAX, 22)) {
    const auto id = MemberId::parse(text);
    reader.require(id.has_value());
    ids.push_back(id.value_or(MemberId()));
  }
  return ids;
}

MemberId read_member(JsonReader& reader, std::string_view name) {
  const auto id = MemberId::parse(reader.text(name, 22));
  reader.require(id.has_value());
  return id.value_or(MemberId());
}

// Returns nothing when the member is absent.
std::optional<WallTime> read_time(JsonReader& reader, std::string_view name) {
  if (!reader.has(name)) return std::nullopt;
  const std::uint64_t milliseconds = reader.number(name);
  reader.require(milliseconds <= kMaxTime);
  if (!reader.is_right()) return std::nullopt;
  return WallTime(Duration(static_cast<Duration::rep>(milliseconds)));
}

json::object write(const Presence& presence) {
  json::array rooms;
  for (const std::string& room : presence.rooms) rooms.emplace_back(room);
  json::object object{
      {"id", presence.id.to_string()}, {"version", presence.version},       {"name", presence.name},
      {"role", presence.role},         {"quota_user", presence.quota_user}, {"present", presence.present},
      {"lost", presence.lost},         {"rooms", std::move(rooms)}};
  if (presence.good_until) object["good_until"] = presence.good_until->time_since_epoch().count();
  if (!presence.token_id.empty()) object["token_id"] = presence.token_id;
  // A time before 1970 is left out: a token that does not say when it was issued counts as an old one too.
  if (presence.issued && *presence.issued >= WallTime())
    object["issued"] = presence.issued->time_since_epoch().count();
  return object;
}

std::optional<Presence> read_presence(const json::value& value) {
  JsonReader reader(value);
  Presence presence;
  presence.id = read_member(reader, "id");
  presence.version = reader.number("version");
  presence.name = reader.text("name", 4 * signaling::kMaxName);
  presence.role = reader.text("role", 4 * signaling::kMaxName);
  presence.quota_user = reader.text("quota_user", kMaxQuotaUser);
  presence.present = reader.flag("present");
  presence.lost = reader.flag("lost");
  presence.good_until = read_time(reader, "good_until");
  presence.issued = read_time(reader, "issued");
  if (reader.has("token_id")) presence.token_id = reader.text("token_id", auth::kMaxTokenId);
  presence.rooms = reader.texts("rooms", kMaxRooms, kMaxRoomName);
  if (!reader.is_right() || !signaling::is_name_of_earlier_versions(presence.name) ||
      presence.id == MemberId())
    return std::nullopt;
  return presence;
}

json::object write(const Event& event) {
  json::array attachments;
  for (const auto& attachment : event.message.attachments) {
    attachments.emplace_back(crypto::base64_encode(as_bytes(*attachment)));
  }
  return {{"to_room", event.kind == Event::Kind::broadcast},
          {"room", event.room},
          {"from", event.from.to_string()},
          {"name", event.name},
          {"payload", event.message.payload},
          {"event", event.message.event},
          {"rest", event.message.more_arguments},
          {"anonymous", event.message.anonymous},
          {"attachments", std::move(attachments)}};
}

// Returns whether `rest` contains further arguments, each after a comma.
bool are_arguments(const std::string& rest) {
  return rest.empty() || (rest.front() == ',' && signaling::parse_json("[null" + rest + "]", 34));
}

std::optional<Event> read_event(const json::value& value) {
  JsonReader reader(value);
  Event event;
  event.kind = reader.flag("to_room") ? Event::Kind::broadcast : Event::Kind::signal;
  event.room = reader.text("room", kMaxRoomName);
  event.from = read_member(reader, "from");
  event.name = reader.text("name", 4 * signaling::kMaxName);
  event.message.payload = reader.text("payload", SIZE_MAX);
  event.message.event = reader.text("event", SIZE_MAX);
  event.message.more_arguments = reader.text("rest", SIZE_MAX);
  event.message.anonymous = reader.flag("anonymous");
  for (const json::value& attachment : reader.list("attachments", kMaxAttachments)) {
    const auto octets = attachment.is_string()
                            ? crypto::base64_decode(std::string_view(attachment.get_string()))
                            : std::nullopt;
    reader.require(octets.has_value());
    if (octets)
      event.message.attachments.push_back(
          std::make_shared<const std::string>(octets->begin(), octets->end()));
  }
  // These parts go into messages to clients without a change, so they have to be JSON.
  const bool is_json =
      signaling::parse_json(event.message.payload, 33) && are_arguments(event.message.more_arguments);
  if (!reader.is_right() || !is_json || !signaling::is_name_of_earlier_versions(event.name))
    return std::nullopt;
  return event;
}

// Earlier versions know only whether it was forwarded.
std::uint32_t read_forwards(JsonReader& reader) {
  if (!reader.flag("forwarded")) return 0;
  if (!reader.has("forwards")) return 1;
  const std::uint64_t forwards = reader.number("forwards");
  reader.require(forwards > 0 && forwards <= kMaxForwards);
  return static_cast<std::uint32_t>(forwards);
}

}  // namespace

std::string to_json(const RoomMessage& message) {
  const auto* kind = std::ranges::find(kKinds, message.kind, &KindName::kind);
  json::object object{{"kind", json::string_view(kind->name.data(), kind->name.size())},
                      {"node", message.node},
                      {"run", message.run},
                      {"number", message.number},
                      {"sequence", message.sequence}};
  if (message.kind == RoomMessage::Kind::changes) {
    json::array changes;
    for (const Presence& presence : message.changes) changes.push_back(write(presence));
    object["changes"] = std::move(changes);
  }
  if (message.kind == RoomMessage::Kind::said) {
    object["to"] = write(message.said.to);
    object["forwarded"] = message.said.forwarded > 0;
    if (message.said.forwarded > 1) object["forwards"] = message.said.forwarded;
    object["event"] = write(*message.said.event);
  }
  if (message.kind == RoomMessage::Kind::mark) {
    object["to"] = write(message.said.to);
    object["forwarded"] = message.said.forwarded > 0;
    object["origin"] = message.origin;
  }
  return json::serialize(object);
}

std::optional<RoomMessage> parse_room_message(std::string_view text) {
  const std::optional<json::value> value = parse_strict(text);
  if (!value) return std::nullopt;
  JsonReader reader(*value);
  RoomMessage message;
  const std::string kind = reader.text("kind", 16);
  const auto* known = std::ranges::find(kKinds, kind, &KindName::name);
  if (known == kKinds.end()) return std::nullopt;
  message.kind = known->kind;
  message.node = reader.text("node", kMaxNodeName);
  message.run = reader.text("run", kMaxRun);
  message.number = reader.number("number");
  message.sequence = reader.number("sequence");
  if (message.kind == RoomMessage::Kind::changes) {
    for (const json::value& change : reader.list("changes", SIZE_MAX)) {
      std::optional<Presence> presence = read_presence(change);
      if (!presence) return std::nullopt;
      message.changes.push_back(std::move(*presence));
    }
  }
  if (message.kind == RoomMessage::Kind::said) {
    std::optional<Event> event = read_event(reader.any("event"));
    if (!event) return std::nullopt;
    message.said.to = read_members(reader, "to");
    message.said.forwarded = read_forwards(reader);
    message.said.event = std::make_shared<const Event>(std::move(*event));
  }
  if (message.kind == RoomMessage::Kind::mark) {
    message.said.to = read_members(reader, "to");
    message.said.forwarded = reader.flag("forwarded") ? 1 : 0;
    message.origin = reader.text("origin", kMaxNodeName);
  }
  if (!reader.is_right() || message.node.empty() || message.run.empty()) return std::nullopt;
  return message;
}

std::string to_json(const Presence& presence) { return json::serialize(write(presence)); }

std::optional<Presence> parse_presence(std::string_view text) {
  const std::optional<json::value> value = parse_strict(text);
  return value ? read_presence(*value) : std::nullopt;
}

std::string to_json(const KeptEvent& kept) {
  return json::serialize(
      json::object{{"node", kept.node}, {"number", kept.number}, {"event", write(*kept.event)}});
}

std::optional<KeptEvent> parse_kept_event(std::string_view text) {
  const std::optional<json::value> value = parse_strict(text);
  if (!value) return std::nullopt;
  JsonReader reader(*value);
  KeptEvent kept;
  kept.node = reader.text("node", kMaxNodeName);
  kept.number = reader.number("number");
  std::optional<Event> event = read_event(reader.any("event"));
  if (!reader.is_right() || !event) return std::nullopt;
  kept.event = std::make_shared<const Event>(std::move(*event));
  return kept;
}

}  // namespace turnpike::cluster
