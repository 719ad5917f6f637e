#include "turnpike/signaling/course_chat.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "turnpike/signaling/name.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

std::string to_text(const json::value& payload) {
  return payload.is_string() ? std::string(payload.get_string()) : json::serialize(payload);
}

}  // namespace

CourseChat::Output CourseChat::on_text(ConnectionId connection, std::string_view text) {
  std::string& nickname = nicknames_.at(connection);
  std::string said(text);
  boost::system::error_code error;
  const json::value message = json::parse(json::string_view(text.data(), text.size()), error);
  const json::object* object = error ? nullptr : message.if_object();
  const json::value* type = object ? object->if_contains("type") : nullptr;
  const json::value* payload = object ? object->if_contains("payload") : nullptr;
  if (type && payload && *type == "nickname") {
    const std::string name = to_text(*payload);
    if (!name.empty() && is_name(name)) nickname = name;
    return {};
  }
  if (type && payload && *type == "new_message") said = nickname + ": " + to_text(*payload);
  Output out{.text = std::make_shared<const std::string>(std::move(said)), .to = {}};
  for (const auto& [everybody, name] : nicknames_) out.to.push_back(everybody);
  return out;
}

}  // namespace turnpike::signaling
