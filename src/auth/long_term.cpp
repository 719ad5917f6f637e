#include "turnpike/auth/long_term.hpp"

#include <algorithm>

#include "turnpike/auth/access_token.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/crypto/base64.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::auth {

using stun::AttributeType;
using stun::ErrorCode;
using stun::PasswordAlgorithm;

namespace {

NonceBinding nonce_binding(const CredentialStore& store, const FiveTuple& tuple) {
  return {tuple.client, tuple.transport, store.algorithms(), store.offers_anonymity()};
}

// Returns whether the value of PASSWORD-ALGORITHMS is the list that we send: each algorithm with empty
// parameters (RFC 8489 §14.11).
bool same_list(Bytes value, std::span<const PasswordAlgorithm> offered) {
  if (value.size() != 4 * offered.size()) return false;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    if (load_u32(&value[4 * i]) != static_cast<std::uint32_t>(offered[i]) << 16) return false;
  }
  return true;
}

}  // namespace

bool Identity::has_expired(WallTime now) const {
  if (!expires) return false;
  return *expires + (is_token() ? kTokenClockSkew : std::chrono::seconds::zero()) <= now;
}

bool Identity::may_act_for(const Identity& other) const {
  return is_token() == other.is_token() && (is_token() || username == other.username);
}

std::string Identity::quota_name() const {
  if (is_token()) return "token " + token;
  if (!expires) return "user " + username;
  const std::size_t colon = username.find(':');
  const bool has_user = colon != std::string::npos && colon + 1 != username.size();
  return has_user ? "rest " + username.substr(colon + 1) : "expiry " + username;
}

bool Identity::is_shared() const {
  if (is_token()) return false;
  if (!expires) return true;
  const std::size_t colon = username.find(':');
  return colon == std::string::npos || colon + 1 == username.size() ||
         is_guest_name(std::string_view(username).substr(colon + 1));
}

// The credentials that a request contains, not yet verified. It views the message.
struct LongTermCheck::Claim {
  std::optional<Bytes> username;
  std::optional<Bytes> userhash;
  std::optional<Bytes> token;
  std::string_view realm;
  std::string_view nonce;
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
  bool names_algorithm = false;
  bool had_valid_nonce = false;
  bool had_good_key = false;  // with the key of an access token that is not valid at this time
  bool has_expired = false;   // this token has expired

  Refusal refused_with(ErrorCode code) const {
    return {code, had_valid_nonce, had_valid_nonce && !had_good_key, has_expired};
  }
};

LongTermCheck::LongTermCheck(crypto::Digester& digester, const Nonces::MasterKey& master,
                             Duration nonce_lifetime)
    : digester_(digester), nonces_(master, nonce_lifetime) {
  // The dummy keys match no password.
  const crypto::Sha256 unguessable = digester.hmac_sha256(master, {as_bytes("dummy key")});
  dummy_sha256_ = Key(unguessable);
  dummy_md5_ = Key(digester.md5({unguessable}));
  dummy_token_key_.key.assign(unguessable.begin(), unguessable.end());
}

Result<Authenticated, Refusal> LongTermCheck::check(const CredentialStore& store,
                                                    const stun::MessageView& request, const FiveTuple& from,
                                                    WallTime now, const Identity* known) {
  Claim claim;
  if (auto e = check_presence(request, claim)) return claim.refused_with(*e);
  if (store.takes_tokens()) claim.token = request.find(AttributeType::access_token);
  if (auto e = check_realm_and_nonce(store, from, now, claim)) return claim.refused_with(*e);
  if (auto e = check_algorithm(store, request, claim)) return claim.refused_with(*e);
  std::optional<Identity> identity = claim.token ? find_token_identity(store, request, claim, now)
                                                 : find_identity(store, request, claim, known);
  if (!identity) return claim.refused_with(ErrorCode::unauthenticated);
  const Integrity integrity = integrity_of_answer(request, claim, *identity);
  return Authenticated{std::move(*identity), integrity};
}

Integrity LongTermCheck::integrity_of_answer(const stun::MessageView& request, const Claim& claim,
                                             const Identity& identity) {
  // The key of a token may be too short for SHA-256.
  const bool must_be_sha256 = claim.names_algorithm && !identity.is_token();
  return request.has_integrity_sha256() || must_be_sha256 ? Integrity::sha256 : Integrity::sha1;
}

std::optional<ErrorCode> LongTermCheck::check_presence(const stun::MessageView& request, Claim& claim) const {
  if (!request.has_integrity()) return ErrorCode::unauthenticated;
  const std::optional<Bytes> realm = request.find(AttributeType::realm);
  const std::optional<Bytes> nonce = request.find(AttributeType::nonce);
  claim.username = request.find(AttributeType::username);
  claim.userhash = request.find(AttributeType::userhash);
  if (!realm || !nonce || (!claim.username && !claim.userhash)) return ErrorCode::bad_request;
  if (claim.username && claim.username->size() > kMaxReceivedUsername) return ErrorCode::bad_request;
  if (claim.userhash && claim.userhash->size() != std::tuple_size_v<crypto::Sha256>)
    return ErrorCode::bad_request;
  claim.realm = as_text(*realm);
  claim.nonce = as_text(*nonce);
  return std::nullopt;
}

// The nonce is checked before anything that depends on the user: the check is cheap, and a sender with a
// forged address learns nothing more.
std::optional<ErrorCode> LongTermCheck::check_realm_and_nonce(const CredentialStore& store,
                                                              const FiveTuple& from, WallTime now,
                                                              Claim& claim) {
  claim.had_valid_nonce = nonces_.verify(digester_, claim.nonce, nonce_binding(store, from), now);
  if (!claim.had_valid_nonce) return ErrorCode::stale_nonce;
  if (claim.realm != store.realm()) return ErrorCode::unauthenticated;
  return std::nullopt;
}

// This is the bid-down check of RFC 8489 §9.2.4. Our nonces always announce PASSWORD-ALGORITHMS. A request
// without either attribute therefore comes from a client of RFC 5389. If instead an attacker has removed the
// attributes, the integrity check fails.
std::optional<ErrorCode> LongTermCheck::check_algorithm(const CredentialStore& store,
                                                        const stun::MessageView& request,
                                                        Claim& claim) const {
  const std::optional<Bytes> list = request.find(AttributeType::password_algorithms);
  const std::optional<Bytes> chosen = request.find(AttributeType::password_algorithm);
  if (list || chosen) {
    if (!list || !chosen || !same_list(*list, store.algorithms())) return ErrorCode::bad_request;
    const std::optional<std::uint16_t> number = stun::decode_password_algorithm(*chosen);
    if (!number) return ErrorCode::bad_request;
    claim.names_algorithm = true;
    claim.algorithm = PasswordAlgorithm{*number};
  }
  // The key of a token is not made from a password, so the algorithm does not matter.
  if (!claim.token && !store.offers(claim.algorithm)) return ErrorCode::bad_request;
  return std::nullopt;
}

// This is the check of RFC 7635 §8. A failure takes the same steps whatever its cause, so that the time of
// the answer does not show the cause.
std::optional<Identity> LongTermCheck::find_token_identity(const CredentialStore& store,
                                                           const stun::MessageView& request, Claim& claim,
                                                           WallTime now) {
  const std::string_view kid = claim.username ? as_text(*claim.username) : std::string_view();
  const TokenKeyParams* named = store.find_token_key(kid);
  const bool is_valid = named && named->is_valid(now);
  const auto token =
      open_access_token(aes_gcm_, is_valid ? *named : dummy_token_key_, store.server_name(), *claim.token);
  const std::optional<Key> key = verify_session(request, token ? token->mac_key() : dummy_sha256_.bytes());
  claim.had_good_key = token && key;
  claim.has_expired = claim.had_good_key && token->issued <= now && !token->is_current(now);
  if (!claim.had_good_key || !token->is_current(now)) return std::nullopt;

  const crypto::Sha256 digest = digester_.sha256({as_bytes("access token"), token->mac_key()});
  return Identity{std::string(kid), *key, std::min(token->issued, now) + token->lifetime,
                  std::string(kid) + '/' + crypto::base64url_encode(Bytes(digest).first(9))};
}

// Returns the key that signed the request, or nothing. This is the token's key, which must be at least as
// long as the hash. The clients of coturn sign with SHA-1 and use only as much of the key as an MD5 key has.
std::optional<Key> LongTermCheck::verify_session(const stun::MessageView& request, Bytes mac_key) {
  const Key whole = Key::of_session(mac_key);
  const bool whole_fits = verify(request, whole);
  if (request.has_integrity_sha256()) {
    return whole_fits && mac_key.size() >= std::tuple_size_v<crypto::Sha256> ? std::optional(whole)
                                                                             : std::nullopt;
  }
  const Key beginning = Key::of_session(mac_key.first(std::tuple_size_v<Md5Key>));
  const bool beginning_fits = verify(request, beginning);
  if (whole_fits) return whole;
  return beginning_fits ? std::optional(beginning) : std::nullopt;
}

// The same keys are derived and tried for every name, even for unknown ones, so that the time of the answer
// does not show which users exist.
std::optional<Identity> LongTermCheck::find_identity(const CredentialStore& store,
                                                     const stun::MessageView& request, const Claim& claim,
                                                     const Identity* known) {
  if (known && claim.username && as_text(*claim.username) == known->username &&
      (known->is_token() || claim.algorithm == known->key.algorithm) && verify(request, known->key)) {
    return *known;
  }

  const User* user =
      claim.username ? store.find(as_text(*claim.username)) : store.find_by_userhash(*claim.userhash);
  const Key& dummy = claim.algorithm == PasswordAlgorithm::md5 ? dummy_md5_ : dummy_sha256_;
  const Key user_key = user ? user->key(claim.algorithm).value_or(dummy) : dummy;
  std::optional<Identity> found;
  if (verify(request, user_key) && user) found = Identity{user->name, user_key, std::nullopt};

  if (!claim.username) return found;
  const std::string_view username = as_text(*claim.username);
  const std::optional<RestName> rest = parse_rest_name(username);
  for (const std::string& secret : store.secrets()) {
    const Key key = derive_rest_key(store, secret, claim);
    const bool matches = verify(request, key);
    if (matches && rest && !user && !found && !store.refuses(*rest))
      found = Identity{std::string(username), key, rest->expires};
  }
  return found;
}

Key LongTermCheck::derive_rest_key(const CredentialStore& store, std::string_view secret,
                                   const Claim& claim) {
  const std::string_view username = as_text(*claim.username);
  const std::string password = rest_password(digester_, secret, username);
  if (claim.algorithm == PasswordAlgorithm::md5) {
    return Key(long_term_key_md5(digester_, username, store.realm(), password));
  }
  return Key(long_term_key_sha256(digester_, username, store.realm(), password));
}

// When both integrity attributes are there, MESSAGE-INTEGRITY-SHA256 counts (RFC 8489 §9.2.4).
bool LongTermCheck::verify(const stun::MessageView& request, const Key& key) {
  return request.has_integrity_sha256() ? request.verify_integrity_sha256(digester_, key.bytes())
                                        : request.verify_integrity_sha1(digester_, key.bytes());
}

void LongTermCheck::add_challenge(const CredentialStore& store, const FiveTuple& to, WallTime now,
                                  stun::MessageBuilder& response) {
  response.add(AttributeType::realm, store.realm());
  response.add(AttributeType::nonce, nonces_.mint(digester_, nonce_binding(store, to), now));
  // The attribute is needed only to offer SHA-256. Without it, a client of RFC 8489 uses MD5, as a client of
  // RFC 5389 does.
  response.add_password_algorithms(store.algorithms());
  if (store.takes_tokens()) response.add(AttributeType::third_party_authorization, store.server_name());
}

}  // namespace turnpike::auth
