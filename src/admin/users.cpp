// /v1/users: the users of auth.database. And POST /v1/revoke, {"token_id": ID} or {"subject": SUBJECT}, with
// "for_s".
//
//   GET     ?after=NAME&limit=N         {"realm", "users": [{"name", "keys", "changed_at"}], "more", …}
//   POST    {"users": [USER, …]}        adds all of them, or none
//   PUT     USER                        gives a user who is there another password or other keys
//   DELETE  ?name=NAME
//
// USER is {"name", "password"}, or {"name", "key_md5", "key_sha256"} with one or both of the keys in hex.
#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>

#include "admin/json.hpp"
#include "admin/site.hpp"
#include "turnpike/base/hex.hpp"

namespace turnpike::admin {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxUsersBody = 64 << 10;
constexpr std::chrono::hours kRevokedByDefault{30 * 24};
constexpr std::chrono::hours kRevokedAtMost{365 * 24};

std::optional<std::string> text_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string(value->get_string().data(), value->get_string().size());
}

// Returns false when the member exists but is not the whole key in hex digits.
template <std::size_t Size>
bool read_key(const json::object& object, std::string_view name,
              std::optional<std::array<std::uint8_t, Size>>& out) {
  if (!object.contains(name)) return true;
  const std::optional<std::string> text = text_member(object, name);
  return text && parse_hex(*text, out.emplace());
}

constexpr std::string_view kUserMembers[] = {"name", "password", "key_md5", "key_sha256"};

std::optional<auth::UserParams> read_user(const json::value& value) {
  const json::object* object = value.if_object();
  const bool is_known =
      object && std::ranges::all_of(*object, [](const auto& member) {
        return std::ranges::find(kUserMembers, std::string_view(member.key().data(), member.key().size())) !=
               std::ranges::end(kUserMembers);
      });
  const std::optional<std::string> name = is_known ? text_member(*object, "name") : std::nullopt;
  if (!name) return std::nullopt;
  auth::UserParams user;
  user.name = *name;
  user.password = text_member(*object, "password");
  if (object->contains("password") != user.password.has_value()) return std::nullopt;
  if (!read_key(*object, "key_md5", user.key_md5) || !read_key(*object, "key_sha256", user.key_sha256))
    return std::nullopt;
  if (user.password.has_value() == (user.key_md5 || user.key_sha256)) return std::nullopt;
  return user;
}

constexpr std::string_view kExpectedUser =
    "A user is an object with name, and either password or one or both of key_md5 and key_sha256 in hex.";

http::Response answer(const Result<json::object, Refusal>& result) {
  if (result) return json_answer(*result);
  return json_error(result.error().status, result.error().code, result.error().message);
}

}  // namespace

http::Awaitable<http::Response> Site::list_users(const http::Request& request) {
  if (auto refusal = find_unknown_parameter(request, {"after", "limit"})) co_return std::move(*refusal);
  std::size_t limit = UserChange::kMaxListed;
  if (const auto text = request.query("limit")) {
    const auto read = std::from_chars(text->data(), text->data() + text->size(), limit);
    const bool is_whole = read.ec == std::errc() && read.ptr == text->data() + text->size();
    if (!is_whole || limit == 0 || limit > UserChange::kMaxListed)
      co_return json_error(400, "bad-limit", "limit is a number from 1 to 1000.");
  }
  const std::string after = request.query("after").value_or("");
  if (after.size() > auth::kMaxUserName)
    co_return json_error(400, "bad-after", "after is longer than the name of a user can be.");
  co_return answer(service_.list_users(after, limit));
}

http::Awaitable<http::Response> Site::add_users(const http::Request& request) {
  json::object body;
  if (const auto fault = read_body(request, {"users"}, body, kMaxUsersBody))
    co_return json_error(400, "bad-body", *fault);
  const json::value* list = body.if_contains("users");
  if (!list || !list->is_array() || list->get_array().empty() ||
      list->get_array().size() > UserChange::kMaxUsers) {
    co_return json_error(400, "bad-users", "users is a list of 1 to 100 users.");
  }
  UserChange change{UserChange::Kind::add, {}};
  for (const json::value& one : list->get_array()) {
    auto user = read_user(one);
    if (!user) co_return json_error(400, "bad-user", kExpectedUser);
    change.users.push_back(std::move(*user));
  }
  co_return answer(co_await service_.change_users(std::move(change)));
}

http::Awaitable<http::Response> Site::change_user(const http::Request& request) {
  json::object body;
  if (const auto fault = read_body(request, {"name", "password", "key_md5", "key_sha256"}, body))
    co_return json_error(400, "bad-body", *fault);
  auto user = read_user(body);
  if (!user) co_return json_error(400, "bad-user", kExpectedUser);
  UserChange change{UserChange::Kind::set_keys, {}};
  change.users.push_back(std::move(*user));
  co_return answer(co_await service_.change_users(std::move(change)));
}

http::Awaitable<http::Response> Site::revoke(const http::Request& request) {
  using Kind = auth::Revocation::Kind;
  json::object body;
  if (const auto fault = read_body(request, {"token_id", "subject", "for_s"}, body))
    co_return json_error(400, "bad-body", *fault);
  const std::optional<std::string> token = text_member(body, "token_id");
  const std::optional<std::string> subject = text_member(body, "subject");
  if (token.has_value() == subject.has_value() || body.contains("token_id") != token.has_value() ||
      body.contains("subject") != subject.has_value()) {
    co_return json_error(400, "bad-body", "Either token_id or subject is a text.");
  }
  auto duration = std::chrono::seconds(kRevokedByDefault);
  if (const json::value* given = body.if_contains("for_s")) {
    boost::system::error_code error;
    const auto seconds = given->to_number<std::int64_t>(error);
    if (error || seconds < 1 || seconds > std::chrono::seconds(kRevokedAtMost).count())
      co_return json_error(400, "bad-time", "for_s is a whole number of seconds, at most a year.");
    duration = std::chrono::seconds(seconds);
  }
  const Kind kind = token ? Kind::token : Kind::subject;
  co_return answer(co_await service_.revoke(kind, token ? *token : *subject, duration));
}

http::Awaitable<http::Response> Site::remove_user(const http::Request& request) {
  if (auto refusal = find_unknown_parameter(request, {"name"})) co_return std::move(*refusal);
  UserChange change{UserChange::Kind::remove, std::vector<auth::UserParams>(1)};
  std::string& name = change.users.front().name;
  name = request.query("name").value_or("");
  if (name.empty()) co_return json_error(400, "bad-user", "name is the name of a user.");
  co_return answer(co_await service_.change_users(std::move(change)));
}

}  // namespace turnpike::admin
