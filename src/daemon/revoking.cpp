#include "daemon/revoking.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "relay/clock.hpp"
#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/auth/rest.hpp"
#include "users/database.hpp"

namespace turnpike::daemon {
namespace {

namespace json = boost::json;
using auth::Revocation;
using users::Database;

void log_revoked(const std::vector<Revocation>& revocations) {
  for (const Revocation& one : revocations) {
    if (one.kind == Revocation::Kind::token) spdlog::info("an operator revokes a token");
    if (one.kind == Revocation::Kind::subject) spdlog::info("an operator revokes all tokens of a subject");
  }
}

}  // namespace

http::Awaitable<Result<json::object, admin::Refusal>> Revoking::revoke(Revocation::Kind kind,
                                                                       std::string name,
                                                                       std::chrono::seconds duration) {
  const bool is_token = kind == Revocation::Kind::token;
  const std::optional<std::string> subject = is_token ? std::nullopt : auth::opaque_string(name);
  const std::string revoked = subject ? auth::user_of_subject(*subject) : is_token ? name : "";
  if (revoked.empty() || revoked.size() > (is_token ? auth::kMaxTokenId : auth::kMaxUserName))
    co_return admin::Refusal{400, "bad-name", "This can be neither the id of a token nor a subject."};
  if (is_token && !parts_.threads.signaling())
    co_return admin::Refusal{409, "no-signaling", "The configuration has no signaling, which takes tokens."};
  const WallTime now = relay::read_clocks().wall;
  const Revocation revocation{kind, revoked, now, now + duration};
  std::vector<Revocation> all{revocation};
  // An operator knows a guest by its user name, which is not the subject of a token.
  if (subject && auth::is_guest_name(*subject)) all.push_back({kind, *subject, now, now + duration});
  apply(all);
  // A revocation that an earlier, longer one includes was not added, but is fine too.
  if (!std::ranges::all_of(all, [this](const Revocation& one) { return parts_.credentials.includes(one); })) {
    co_return admin::Refusal{
        409, "too-many",
        "10,000 tokens and subjects are revoked already; a shorter time for each lets more be."};
  }
  log_revoked({revocation});
  const bool kept = keep(all);
  if (all.size() > 1) parts_.clustering.share(all.back());
  const cluster::Outcome outcome = co_await parts_.clustering.publish_revocation(revocation);
  json::object answer = to_json(outcome);
  answer[is_token ? "token_id" : "subject"] = is_token ? name : *subject;
  answer["until"] = signaling::to_rfc3339(revocation.until);
  answer["kept"] = kept || outcome.is_kept;
  co_return answer;
}

std::vector<Revocation> Revoking::apply(const std::vector<Revocation>& revocations) {
  const WallTime now = relay::read_clocks().wall;
  std::vector<Revocation> fresh;
  bool refuses_users = false;
  // Credentials that are issued after the revocation expire later than `until`, so they are not refused. All
  // nodes compute the same time, so they need not exchange it.
  const auto refuse_user_of = [&](const Revocation& subject) {
    const WallTime until = subject.since + config_.signaling.credential_lifetime;
    if (until <= now) return;
    if (!parts_.credentials.add({Revocation::Kind::user, subject.name, subject.since, until}, now))
      spdlog::warn(
          "the list of users whose time-limited credentials are refused is full, so the credentials of one "
          "more user stay valid");
    refuses_users = true;
  };
  for (const Revocation& one : revocations) {
    if (one.until <= now || parts_.credentials.includes(one) || !parts_.credentials.add(one, now)) continue;
    fresh.push_back(one);
    if (one.kind == Revocation::Kind::user) refuses_users = true;
    if (one.kind == Revocation::Kind::subject) refuse_user_of(one);
    if (one.kind == Revocation::Kind::user || !parts_.threads.signaling()) continue;
    // The answer may come when this object is destroyed already, so it only uses the io_context, which then
    // runs no more. Only a node with a client that uses the token knows the users of its credentials. These
    // users are refused by name, so that this also works after a restart and on the other nodes.
    parts_.threads.signaling()->revoke(
        one, [this, &io = parts_.io, kind = one.kind](std::vector<std::string> users) {
          if (kind != Revocation::Kind::token) return;
          boost::asio::post(io, [this, users = std::move(users)] { refuse_users(users); });
        });
  }
  if (refuses_users) {
    parts_.credentials.use(parts_.credentials.make_snapshot(*parts_.credentials.now()));
    parts_.post_settings();
  }
  return fresh;
}

void Revoking::refuse_users(const std::vector<std::string>& users) {
  const WallTime now = relay::read_clocks().wall;
  std::vector<Revocation> revocations;
  for (const std::string& user : users) {
    if (user.empty()) continue;
    revocations.push_back({Revocation::Kind::user, user, now, now + config_.signaling.credential_lifetime});
    parts_.clustering.share(revocations.back());
  }
  keep(apply(revocations));
}

bool Revoking::keep(const std::vector<Revocation>& revocations) {
  if (config_.user_database.empty() || revocations.empty()) return false;
  try {
    Database(config_.user_database, Database::Access::write).remember(revocations, relay::read_clocks().wall);
    return true;
  } catch (const users::DatabaseError& error) {
    spdlog::error(fmt::format("auth.database: a revocation could not be stored, so a restart forgets it: {}",
                              error.what()));
    return false;
  }
}

void Revoking::apply_those_of_others(const std::vector<Revocation>& revocations) {
  const std::vector<Revocation> fresh = apply(revocations);
  log_revoked(fresh);
  keep(fresh);
}

void Revoking::apply_recalled(const config::RecalledRevocations& recalled) {
  if (!recalled.warning.empty()) spdlog::warn(recalled.warning);
  apply(recalled.revocations);
}

}  // namespace turnpike::daemon
