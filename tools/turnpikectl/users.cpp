#include "turnpikectl/users.hpp"

#include "turnpikectl/answers.hpp"
#include "turnpikectl/commands.hpp"
#include "turnpikectl/output.hpp"
#include "turnpikectl/password.hpp"
#include "turnpikectl/table.hpp"

namespace turnpike::turnpikectl {
namespace {

namespace json = boost::json;

constexpr const char* kUsers = "/v1/users";

bool is_everywhere(const Answer& answer) { return text_of(answer.body.as_object(), "everywhere") == "true"; }

// Prints the result for a user who has got a new password.
int report_password(const Answer& answer, const UserOptions& options, const std::string& password,
                    std::string_view done, bool as_json) {
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, as_json);
  if (as_json) {
    json::object out{{"name", options.name}, {"everywhere", is_everywhere(answer)}};
    if (options.generate) out["password"] = password;
    say_json(out);
    return kDone;
  }
  say("user " + options.name + ' ' + std::string(done));
  if (options.generate) say("password  " + password);
  if (!is_everywhere(answer))
    say("this changes only this node, because nodes do not send each other the keys of users");
  return kDone;
}

}  // namespace

int add_user(const Connection& daemon, const UserOptions& options, bool json) {
  const std::string password = options.generate ? make_password() : read_password(options.name);
  const json::array users{{{"name", options.name}, {"password", password}}};
  return report_password(daemon.post(kUsers, json::object{{"users", users}}), options, password, "is added",
                         json);
}

int change_password(const Connection& daemon, const UserOptions& options, bool json) {
  const std::string password = options.generate ? make_password() : read_password(options.name);
  const json::object user{{"name", options.name}, {"password", password}};
  return report_password(daemon.put(kUsers, user), options, password,
                         "has a new password; allocations made with the old one end", json);
}

int remove_user(const Connection& daemon, const std::string& name, bool as_json) {
  const Answer answer = daemon.remove(std::string(kUsers) + "?name=" + encoded(name));
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, as_json);
  const json::object& body = answer.body.get_object();
  const bool here = text_of(body, "here") == "true";
  if (as_json) {
    say_json({{"name", name},
              {"here", here},
              {"everywhere", is_everywhere(answer)},
              {"missed", list_of(body, "missed")}});
  } else {
    say(here ? "user " + name + " is removed, and the allocations of this user end"
             : "this node has no user " + name);
  }
  return report_missed(body, "they still have the user", as_json);
}

int revoke(const Connection& daemon, const std::string& name, bool by_subject,
           std::optional<std::chrono::seconds> duration, bool json) {
  json::object body{{by_subject ? "subject" : "token_id", name}};
  if (duration) body["for_s"] = duration->count();
  const Answer answer = daemon.post("/v1/revoke", body);
  if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
  if (json) {
    say_json(answer.body);
  } else {
    say((by_subject ? "all tokens of " + name + " until now are" : "the token " + name + " is") +
        " refused until " + text_of(answer.body.get_object(), "until") +
        (text_of(answer.body.get_object(), "kept") == "true"
             ? ""
             : ", or until a restart, because there is no auth.database to store it"));
  }
  return report_missed(answer.body.get_object(), "they do not know of it", json);
}

int list_users(const Connection& daemon, bool json) {
  json::object all;
  json::array users;
  for (std::string after;;) {
    const Answer answer = daemon.get(std::string(kUsers) + (after.empty() ? "" : "?after=" + encoded(after)));
    if (!answer.ok() || !answer.body.is_object()) return refuse(answer, json);
    all = answer.body.get_object();
    const json::array& page = list_of(all, "users");
    users.insert(users.end(), page.begin(), page.end());
    if (text_of(all, "more") != "true" || page.empty() || !page.back().is_object()) break;
    after = text_of(page.back().get_object(), "name");
  }
  if (json) {
    all["users"] = std::move(users);
    all.erase("more");
    say_json(all);
    return kDone;
  }
  Table table({{.title = "NAME"}, {.title = "KEYS"}, {.title = "CHANGED AT"}});
  for (const json::value& value : users) {
    if (!value.is_object()) continue;
    const json::object& user = value.get_object();
    std::string keys;
    for (const json::value& key : list_of(user, "keys"))
      keys.append(keys.empty() ? "" : " ").append(key.is_string() ? key.get_string() : "");
    table.add({text_of(user, "name"), keys, text_of(user, "changed_at")});
  }
  say(std::to_string(users.size()) + (users.size() == 1 ? " user" : " users") + " of realm " +
      text_of(all, "realm") + " in " + text_of(all, "database"));
  if (!users.empty()) say(table.lines());
  if (const std::uint64_t more = number_of(all, "in_file"); more != 0)
    say("and " + std::to_string(more) + " in auth.users of the configuration");
  for (const json::value& value : list_of(all, "other_realms")) {
    if (!value.is_object()) continue;
    const json::object& other = value.get_object();
    say("not served: " + text_of(other, "users") + " of realm " + text_of(other, "realm") +
        ", since `realm` of the configuration is another one");
  }
  if (text_of(all, "offers_sha256") == "false") {
    say("some users have no SHA-256 key, so turnpike offers MD5 only to all clients until these users have a "
        "new password");
  }
  return kDone;
}

}  // namespace turnpike::turnpikectl
