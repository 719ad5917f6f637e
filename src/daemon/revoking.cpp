// Tokens of signaling that an operator revokes, on all nodes. A restart forgets them: what is to be refused
// for good needs another secret in signaling.token_secrets.
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "daemon/daemon.hpp"
#include "relay/clock.hpp"
#include "turnpike/auth/opaque_string.hpp"

namespace turnpike::daemon {
namespace {

namespace json = boost::json;
using RevocationKind = signaling::Revocation::Kind;

constexpr std::size_t kMaxRefusedUsers = signaling::Revocations::kMax;

std::uint64_t milliseconds_of(WallTime time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

}  // namespace

Result<json::object, admin::Refusal> Daemon::revoke(RevocationKind kind, const std::string& name,
                                                    std::chrono::seconds duration) {
  const bool is_token = kind == RevocationKind::token;
  const std::optional<std::string> subject = is_token ? std::nullopt : auth::opaque_string(name);
  if (is_token ? name.empty() || name.size() > signaling::kMaxTokenId : !subject) {
    return admin::Refusal{400, "bad-name", "This can be neither the id of a token nor a subject."};
  }
  if (is_token && !signaling_)
    return admin::Refusal{409, "no-signaling", "The configuration has no signaling, which takes tokens."};
  const WallTime now = relay::read_clocks().wall;
  const signaling::Revocation revocation{kind, is_token ? name : *subject, now, now + duration};
  if (!revoke_here(revocation)) {
    return admin::Refusal{
        409, "too-many",
        "10,000 tokens and subjects are revoked already; a shorter time for each lets more be."};
  }
  const auto order = is_token ? cluster::Order::Kind::revoke_token : cluster::Order::Kind::revoke_subject;
  const bool everywhere =
      !nodes_ || nodes_->give({order, revocation.name, milliseconds_of(revocation.until)});
  return json::object{{is_token ? "token_id" : "subject", revocation.name},
                      {"until", signaling::to_rfc3339(revocation.until)},
                      {"everywhere", everywhere}};
}

bool Daemon::revoke_here(const signaling::Revocation& revocation) {
  if (!revocations_.add(revocation, relay::read_clocks().wall)) return false;
  const bool is_token = revocation.kind == RevocationKind::token;
  spdlog::info(is_token ? "an operator revokes a token" : "an operator revokes all tokens of a subject");
  if (!is_token) refuse_user(revocation.name);
  if (!signaling_) return true;
  // Whose credentials a token was for is known as long as somebody is here with it. The other nodes have to
  // refuse them as well.
  signaling_->revoke(revocation, [this, is_token](std::vector<std::string> users) {
    if (!is_token) return;
    boost::asio::post(control_, [this, users = std::move(users)] {
      for (const std::string& user : users) {
        refuse_user(user);
        if (nodes_) nodes_->give({cluster::Order::Kind::refuse_user, user});
      }
    });
  });
  return true;
}

// Credentials that are handed out from now on expire later.
void Daemon::refuse_user(const std::string& user) {
  if (user.empty()) return;
  const WallTime now = relay::read_clocks().wall;
  std::erase_if(refused_users_, [&](const auto& entry) { return entry.second <= now; });
  if (refused_users_.size() >= kMaxRefusedUsers && !refused_users_.contains(user)) {
    spdlog::warn("time-limited credentials of too many users are refused already: those of one more are not");
    return;
  }
  refused_users_[user] = now + config_.signaling.credential_lifetime;
  credentials_ = share(*credentials_);
  post_settings();
}

}  // namespace turnpike::daemon
