#include "admin/json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace turnpike::admin {

namespace json = boost::json;

http::Response json_answer(const json::value& value, unsigned status) {
  http::Response response = http::json_response(json::serialize(value).append("\n"));
  response.status = status;
  return response;
}

http::Response json_error(unsigned status, std::string_view code, std::string_view message) {
  return json_answer({{"error", {{"code", code}, {"message", message}}}}, status);
}

std::optional<std::string> read_body(const http::Request& request,
                                     std::initializer_list<std::string_view> known, json::object& out,
                                     std::size_t longest) {
  if (request.body.empty()) return std::nullopt;
  if (request.body.size() > longest) return "the body is longer than " + std::to_string(longest) + " octets";
  boost::system::error_code error;
  json::value value = json::parse(request.body, error, {}, {.max_depth = 4});
  if (error || !value.is_object()) return "the body is no JSON object";
  for (const auto& member : value.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(known, name) == known.end())
      return "unknown member " + json::serialize(member.key());
  }
  out = std::move(value.get_object());
  return std::nullopt;
}

std::optional<http::Response> find_unknown_parameter(const http::Request& request,
                                                     std::initializer_list<std::string_view> known) {
  const auto is_known = [&](const std::string& name) {
    return std::ranges::find(known, name) != known.end();
  };
  if (std::ranges::all_of(request.query_names(), is_known)) return std::nullopt;
  std::string names;
  for (const std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
  return json_error(400, "unknown-parameter", "This path takes no other parameters than " + names + ".");
}

}  // namespace turnpike::admin
