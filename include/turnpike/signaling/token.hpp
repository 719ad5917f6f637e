// Checks the tokens of clients: JSON Web Tokens (RFC 7519) that the operator's web application has signed
// with HMAC-SHA-256. Only HS256 is accepted, whatever algorithm the token names (RFC 8725 §3.1).
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
  std::optional<std::string> room;  // the only room that it allows; nothing means that it allows all
  std::string role;                 // shown to the others, with no meaning here
  std::string subject;              // `sub`: whose quota the relay counts
  std::string id;                   // `jti`: the name by which this token may be revoked
  std::optional<WallTime> issued;   // `iat`, when the token has one
  // The expiry, including the leeway. Nothing when no token is required.
  std::optional<WallTime> good_until;
};

class TokenVerifier {
 public:
  static constexpr std::size_t kMaxToken = 4096;
  // How much the clock of the signer may differ from ours (RFC 7519 §4.1.4 and §4.1.5).
  static constexpr Duration kLeeway = std::chrono::seconds(60);

  // With an audience, `aud` of each token has to be it or to hold it (RFC 7519 §4.1.3). Without one, `aud`
  // says nothing.
  explicit TokenVerifier(std::vector<std::string> secrets, std::string audience = {})
      : secrets_(std::move(secrets)), audience_(std::move(audience)) {}

  // Changes the secrets. Tokens that were signed with another secret are then refused.
  void set_secrets(std::vector<std::string> secrets) { secrets_ = std::move(secrets); }

  // Refuses the tokens that `revocation` names. Returns false when too many are revoked already.
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

// Makes a token: `payload` is a JSON object, which is signed with HS256. Tests use it.
std::string sign_token(std::string_view payload, std::string_view secret);

}  // namespace turnpike::signaling
