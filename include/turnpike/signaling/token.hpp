// Who may come in where signaling asks for a token: a JSON Web Token (RFC 7519) signed with HMAC-SHA-256 by
// the operator's own web application. Nothing but HS256 is accepted, whatever the token says of itself (RFC
// 8725 §3.1).
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/signaling/params.hpp"
#include "turnpike/signaling/refusal.hpp"

namespace turnpike::signaling {

// What a valid token allows.
struct Grant {
  std::optional<std::string> room;  // this one alone; any without it
  std::string role;                 // shown to the others, with no meaning here
  std::string subject;              // `sub`: whose quota the relay counts
  std::string id;                   // `jti`: the name by which this token may be revoked
  std::optional<WallTime> issued;   // `iat`, where it says so
  // Until when it is good, the leeway included. Nothing where no token is asked for.
  std::optional<WallTime> good_until;
};

class TokenVerifier {
 public:
  static constexpr std::size_t kMaxToken = 4096;
  // The clock of whoever made the token may differ from ours by so much (RFC 7519 §4.1.4 and §4.1.5).
  static constexpr Duration kLeeway = std::chrono::seconds(60);

  // With an audience, `aud` of each token has to be it or to hold it (RFC 7519 §4.1.3). Without one, `aud`
  // says nothing.
  explicit TokenVerifier(std::vector<std::string> secrets, std::string audience = {})
      : secrets_(std::move(secrets)), audience_(std::move(audience)) {}

  // From now on only tokens that one of these has signed are good.
  void set_secrets(std::vector<std::string> secrets) { secrets_ = std::move(secrets); }

  // From now on the tokens are not good any more. Returns false when too many are revoked already.
  bool revoke(const auth::Revocation& revocation, WallTime now) { return revocations_.add(revocation, now); }

  const auth::Revocations& revocations() const { return revocations_; }

  // A token without `exp` is refused: one that leaks would be good for ever. `exp` and `nbf` are taken with
  // the leeway. Fails with token_invalid, token_expired, token_not_yet_valid or token_revoked.
  Result<Grant, Refusal> verify(std::string_view token, WallTime now);

 private:
  bool is_for_us(const boost::json::object& claims) const;
  bool is_signed(std::string_view content, Bytes signature);

  std::vector<std::string> secrets_;
  std::string audience_;
  auth::Revocations revocations_;
  crypto::Digester digester_;
};

// HS256 over `payload`, a JSON object. For tests and for those who want to make one by hand.
std::string sign_token(std::string_view payload, std::string_view secret);

}  // namespace turnpike::signaling
