#include "daemon/user_changes.hpp"

#include <spdlog/spdlog.h>

#include <boost/json/array.hpp>
#include <chrono>

#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "users/database.hpp"

namespace turnpike::daemon {
namespace {

namespace json = boost::json;
using admin::Refusal;
using Kind = admin::UserChange::Kind;
using users::Database;

Refusal no_database() {
  return {404, "no-database",
          "The configuration has no auth.database, so users do not change while it runs."};
}

Refusal to_refusal(const users::DatabaseError& error) {
  const bool is_busy = dynamic_cast<const users::DatabaseBusy*>(&error) != nullptr;
  spdlog::error(fmt::format("auth.database: {}", error.what()));
  return {is_busy ? 503U : 500U, is_busy ? "busy" : "database-error", error.what()};
}

std::int64_t seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

// Returns the user in the form of the database: with the prepared name, and with keys instead of a password.
Result<auth::UserParams, Refusal> prepare(const auth::UserParams& user, const std::string& realm,
                                          crypto::Digester& digester) {
  const std::optional<std::string> name = auth::opaque_string(user.name);
  if (!name || name->size() > auth::kMaxUserName) {
    return Refusal{400, "bad-name",
                   "A name is UTF-8 of 1 to 508 octets without control characters (RFC 8265, OpaqueString)."};
  }
  auth::UserParams out{*name, {}, user.key_md5, user.key_sha256};
  if (user.password) {
    const std::optional<std::string> password = auth::opaque_string(*user.password);
    if (!password) {
      return Refusal{
          400, "bad-password",
          "A password is UTF-8 without control characters, and not empty (RFC 8265, OpaqueString)."};
    }
    out.key_md5 = auth::long_term_key_md5(digester, *name, realm, *password);
    out.key_sha256 = auth::long_term_key_sha256(digester, *name, realm, *password);
  }
  return {boost::system::in_place_value, std::move(out)};
}

// Changes the user in the database, or returns why this is not possible.
std::optional<Refusal> apply(Database& database, Kind kind, const std::string& realm,
                             const auth::UserParams& user, std::int64_t unless_changed_after) {
  switch (kind) {
    case Kind::add:
      if (database.add(realm, user, seconds_since_1970())) return std::nullopt;
      return Refusal{409, "user-exists", "There is a user " + user.name + " already."};
    case Kind::set_keys:
      if (database.set_keys(realm, user, seconds_since_1970())) return std::nullopt;
      break;
    case Kind::remove:
      if (database.remove(realm, user.name, unless_changed_after)) return std::nullopt;
      break;
  }
  return Refusal{404, "no-such-user", "The database has no user " + user.name + "."};
}

const char* past_tense(Kind kind) {
  switch (kind) {
    case Kind::add: return "added";
    case Kind::set_keys: return "given new keys";
    case Kind::remove: return "removed";
  }
  return "";
}

}  // namespace

Result<json::object, Refusal> UserChanges::list(const std::string& after, std::size_t limit) {
  if (config_.user_database.empty()) return no_database();
  const std::string& realm = config_.auth.realm;
  try {
    Database database(config_.user_database, Database::Access::read);
    json::array listed;
    for (const users::ListedUser& user : database.list(realm, after, limit)) {
      json::array keys;
      if (user.has_md5) keys.emplace_back("md5");
      if (user.has_sha256) keys.emplace_back("sha256");
      const WallTime changed_at{std::chrono::seconds(user.changed_at)};
      listed.push_back({{"name", user.name},
                        {"keys", std::move(keys)},
                        {"changed_at", signaling::to_rfc3339(changed_at)}});
    }
    json::array others;
    for (const users::RealmCount& other : database.other_realms(realm))
      others.push_back({{"realm", other.realm}, {"users", other.users}});
    const bool may_have_more = listed.size() == limit;
    return json::object{{"realm", realm},
                        {"database", config_.user_database},
                        {"users", std::move(listed)},
                        {"more", may_have_more},
                        {"count", database.count(realm)},
                        {"in_file", config_.auth.users.size()},
                        {"other_realms", std::move(others)},
                        {"offers_sha256", parts_.credentials.now()->offers(stun::PasswordAlgorithm::sha256)}};
  } catch (const users::DatabaseError& error) {
    return to_refusal(error);
  }
}

http::Awaitable<Result<json::object, Refusal>> UserChanges::change(admin::UserChange change) {
  if (config_.user_database.empty()) co_return no_database();
  const std::optional<Refusal> refusal = change_here(change);
  const bool is_removal = change.kind == Kind::remove;
  const bool may_be_elsewhere =
      is_removal && parts_.clustering.is_joined() && refusal && refusal->status == 404;
  if (refusal && !may_be_elsewhere) co_return *refusal;
  // Orders to other nodes are not encrypted, so they must not contain keys. Other nodes are therefore told
  // only of removals.
  cluster::Outcome outcome;
  outcome.is_told = !parts_.clustering.is_joined();
  if (is_removal && parts_.clustering.is_joined()) {
    cluster::Order order{cluster::Order::Kind::remove_user, change.users[0].name};
    outcome = co_await parts_.clustering.publish_order(std::move(order));
  }
  if (refusal && outcome.is_everywhere() && !outcome.done_elsewhere)
    co_return Refusal{404, "no-such-user",
                      "No node has a user " + change.users[0].name + " in its database."};
  json::object answer = to_json(outcome);
  answer["users"] = change.users.size();
  answer["here"] = !refusal;
  co_return answer;
}

std::optional<Refusal> UserChanges::change_here(const admin::UserChange& change,
                                                std::optional<WallTime> given) {
  const std::string& realm = config_.auth.realm;
  crypto::Digester digester;
  std::vector<auth::UserParams> prepared;
  for (const auth::UserParams& user : change.users) {
    auto one = prepare(user, realm, digester);
    if (!one) return one.error();
    if (config::has_user(config_.auth, one->name)) {
      return Refusal{409, "in-file",
                     "The configuration has a user " + one->name + " in auth.users: change it there."};
    }
    prepared.push_back(std::move(*one));
  }
  const std::int64_t last_change =
      given ? std::chrono::floor<std::chrono::seconds>(given->time_since_epoch()).count() : INT64_MAX;
  try {
    Database database(config_.user_database, Database::Access::write);
    Database::Transaction transaction(database);
    for (const auth::UserParams& user : prepared) {
      if (auto refusal = apply(database, change.kind, realm, user, last_change)) return refusal;
    }
    if (database.count(realm) > Database::kMaxUsers)
      return Refusal{409, "too-many", "A database has 100,000 users of a realm at most."};
    // This throws before the database changes, so that the database never has users with which the daemon
    // could not start.
    Credentials::Snapshot snapshot =
        parts_.credentials.make_snapshot(config::make_credentials(config_.auth, database.users(realm)));
    transaction.commit();
    parts_.credentials.use(std::move(snapshot));
  } catch (const users::DatabaseError& error) {
    return to_refusal(error);
  } catch (const std::invalid_argument& error) {
    return Refusal{409, "would-not-start", error.what()};
  }
  parts_.post_settings();
  if (prepared.size() == 1) {
    spdlog::info(
        fmt::format("auth.database: user {} was {}", prepared.front().name, past_tense(change.kind)));
  } else {
    spdlog::info(fmt::format("auth.database: {} users were {}", prepared.size(), past_tense(change.kind)));
  }
  parts_.credentials.warn_about_algorithms();
  return std::nullopt;
}

cluster::OrderResult UserChanges::remove_as_ordered(const cluster::Order& order) {
  using cluster::OrderResult;
  if (config_.user_database.empty()) return OrderResult::no_such_user;
  auth::UserParams user;
  user.name = order.name;
  const auto refusal = change_here({Kind::remove, {std::move(user)}}, order.given);
  if (!refusal) return OrderResult::done;
  const bool has_none = refusal->code == "no-such-user";
  // An order that this node receives late was often carried out before the node started, so a missing user is
  // not logged.
  if (!has_none || !order.given)
    spdlog::info(fmt::format("cluster: an operator removes a user on all nodes: {}", refusal->message));
  if (has_none) return OrderResult::no_such_user;
  if (refusal->code == "in-file") return OrderResult::in_file;
  return refusal->code == "busy" ? OrderResult::busy : OrderResult::failed;
}

}  // namespace turnpike::daemon
