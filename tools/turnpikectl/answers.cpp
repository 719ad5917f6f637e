#include "turnpikectl/answers.hpp"

#include <boost/json/serialize.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

#include "turnpikectl/commands.hpp"
#include "turnpikectl/output.hpp"

namespace turnpike::turnpikectl {

namespace json = boost::json;

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

int refuse(const Answer& answer, bool json) {
  if (json) {
    say_json(answer.body);
  } else {
    complain("turnpikectl: " + answer.error());
  }
  return kRefused;
}

std::string encoded(const std::string& text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

}  // namespace turnpike::turnpikectl
