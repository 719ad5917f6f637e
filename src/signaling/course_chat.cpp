#include "turnpike/signaling/course_chat.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "turnpike/signaling/json_text.hpp"
#include "turnpike/signaling/name.hpp"
#include "turnpike/signaling/refusal.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

std::string to_text(const json::value& payload) {
  return payload.is_string() ? std::string(payload.get_string()) : json::serialize(payload);
}

// The error has the form of the plain protocol: a message for people to read, and a code for pages.
std::shared_ptr<const std::string> error_text(Refusal refusal) {
  return std::make_shared<const std::string>(json::serialize(
      json::object{{"type", "error"}, {"code", code_of(refusal)}, {"message", message_of(refusal)}}));
}

}  // namespace

void CourseChat::on_open(ConnectionId connection, const std::optional<std::string>& room) {
  members_[connection] = {"Anon", room};
  rooms_[room].insert(connection);
}

void CourseChat::on_closed(ConnectionId connection) {
  const auto member = members_.find(connection);
  if (member == members_.end()) return;
  const auto room = rooms_.find(member->second.room);
  room->second.erase(connection);
  if (room->second.empty()) rooms_.erase(room);
  members_.erase(member);
}

CourseChat::Output CourseChat::on_text(ConnectionId connection, std::string_view text) {
  Member& member = members_.at(connection);
  std::string said(text);
  const std::optional<json::value> message = parse_json(text);
  const json::object* object = message ? message->if_object() : nullptr;
  const json::value* type = object ? object->if_contains("type") : nullptr;
  const json::value* payload = object ? object->if_contains("payload") : nullptr;
  if (type && payload && *type == "nickname") {
    const std::string name = to_text(*payload);
    if (name.empty()) return {.text = error_text(Refusal::no_name), .to = {connection}};
    if (!is_name(name)) return {.text = error_text(Refusal::bad_name), .to = {connection}};
    member.nickname = name;
    return {};
  }
  if (type && payload && *type == "new_message") said = member.nickname + ": " + to_text(*payload);
  Output out{.text = std::make_shared<const std::string>(std::move(said)), .to = {}};
  const std::set<ConnectionId>& everybody = rooms_.at(member.room);
  out.to.assign(everybody.begin(), everybody.end());
  return out;
}

}  // namespace turnpike::signaling
