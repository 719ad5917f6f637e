#include "turnpikectl/answers.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <utility>

#include "turnpikectl/commands.hpp"
#include "turnpikectl/output.hpp"

namespace turnpike::turnpikectl {

namespace json = boost::json;

namespace {

// Describes why a node has not carried out something.
std::string reason_of(const std::string& why) {
  static constexpr std::pair<const char*, const char*> kReasons[] = {
      {"no-answer", "it does not answer"},
      {"gone", "it cannot reach Redis, or it is down"},
      {"busy", "its database is busy: try again"},
      {"in-file", "the user is in its configuration"},
      {"clock", "its clock differs from ours by minutes"},
      {"failed", "its log says why"},
      {"same-name", "two servers have this name, and one of them may not have received the command"},
  };
  const auto* found = std::ranges::find_if(kReasons, [&](const auto& one) { return why == one.first; });
  return found == std::ranges::end(kReasons) ? why : found->second;
}

}  // namespace

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value ? text_of(*value) : "-";
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  boost::system::error_code ignored;
  return value ? value->to_number<std::uint64_t>(ignored) : 0;
}

const json::array& list_of(const json::object& object, std::string_view name) {
  static const json::array none;
  const json::value* value = object.if_contains(name);
  return value && value->is_array() ? value->get_array() : none;
}

const json::object& object_of(const json::object& object, std::string_view name) {
  static const json::object none;
  const json::value* value = object.if_contains(name);
  return value && value->is_object() ? value->get_object() : none;
}

int refuse(const Answer& answer, bool as_json) {
  const json::object* const body = answer.body.if_object();
  if (as_json && body && body->contains("error")) {
    say_json(answer.body);
  } else {  // a request that is refused before it reaches a command has an answer in plain text
    report_failure("http-" + std::to_string(answer.status), answer.error(), as_json);
  }
  return kRefused;
}

int report_missed(const json::object& answer, const std::string& fallback, bool json) {
  if (text_of(answer, "everywhere") == "true") return kDone;
  if (json) return kRefused;
  std::string missed;
  for (const json::value& one : list_of(answer, "missed")) {
    if (!one.is_object()) continue;
    const json::object& node = one.get_object();
    const std::string why = text_of(node, "why");
    if (why != "no-redis")
      missed.append(missed.empty() ? "" : ", ") += text_of(node, "node") + " (" + reason_of(why) + ')';
  }
  complain("turnpikectl: " + (missed.empty() ? "the other nodes cannot be reached: " + fallback
                                             : "these nodes have not carried out the command: " + missed));
  return kRefused;
}

std::string encoded(const std::string& text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

}  // namespace turnpike::turnpikectl
