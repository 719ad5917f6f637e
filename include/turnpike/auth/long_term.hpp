// The long-term credential mechanism (RFC 8489 §9.2), and the one of access tokens (RFC 7635). It decides who
// sent a request, or which error the server answers instead.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/nonce.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/aes_gcm.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace turnpike::auth {

// The sender of a request, and the key that signs the answer.
struct Identity {
  std::string
      username;  // the user in the configuration, the whole REST name, or the key id of an access token
  Key key;
  std::optional<WallTime> expires;  // of a REST name or an access token
  std::string
      token{};  // distinguishes access tokens without revealing their keys; empty for other identities

  bool is_token() const { return !token.empty(); }
  bool has_expired(WallTime now) const;

  // Whether this identity may use an allocation of `other`. Names must be equal. A token has no name, so any
  // token may use an allocation that was made with a token: a client may go on with a new token, even one
  // with another key id (RFC 7635 §10).
  bool may_act_for(const Identity& other) const;

  // Whether both have the same name and, if they use tokens, the same token.
  bool is_same(const Identity& other) const { return username == other.username && token == other.token; }

  // Whether many clients may use this name at the same time. This is so for a configured user, for a REST
  // name without a user part, and for a guest of a room. The browser of a guest makes three allocations for
  // each other member of the room.
  bool is_shared() const;

  // The name under which quotas count this identity. For a REST name it is the user part, since the expiry
  // changes with every credential; for a REST name without a user part it is the whole name. A prefix says
  // which kind of name it is, since a configured user may have the same name as the user part of a REST name.
  std::string quota_name() const;
};

// The integrity attribute that the answer carries, and not the other: the one of the request, or
// MESSAGE-INTEGRITY-SHA256 for a client that names a password algorithm (RFC 8489 §9.2.4). So an attacker who
// removes MESSAGE-INTEGRITY-SHA256, the last attribute, from a request does not get an answer with the weaker
// one. Clients with an access token are excepted, since their key may be too short.
enum class Integrity : std::uint8_t { sha1, sha256 };

struct Authenticated {
  Identity identity;
  Integrity integrity = Integrity::sha1;
};

// A refusal. A 401 or 438 is sent with a challenge: REALM, NONCE and all else that the client needs to try
// again.
struct Refusal {
  stun::ErrorCode code{};
  bool had_valid_nonce = false;  // so the source address is not forged
  // The request had a valid nonce, but nothing proved that its sender ever had the right credentials. An
  // expired access token does prove that.
  bool is_failure = false;
  bool has_expired = false;  // it brought such a token
};

// Each thread has its own. It holds only references; the caller may replace the store between two calls.
class LongTermCheck {
 public:
  // `digester` must outlive this object.
  LongTermCheck(crypto::Digester& digester, const Nonces::MasterKey& master, Duration nonce_lifetime);

  // Makes all later nonces with this key and this lifetime. Earlier nonces become stale.
  void use_nonces(const Nonces::MasterKey& master, Duration lifetime) { nonces_ = Nonces(master, lifetime); }

  // `known` is the identity of the allocation that the request's 5-tuple has, or null. Its key is tried
  // first, so an expired REST name can go on using its allocation. check() does not look at the expiry of a
  // REST name; only Allocate does. An access token in the request must be valid now.
  Result<Authenticated, Refusal> check(const CredentialStore& store, const stun::MessageView& request,
                                       const FiveTuple& from, WallTime now, const Identity* known);

  // Adds REALM, NONCE and PASSWORD-ALGORITHMS to a 401 or 438 (RFC 8489 §9.2.4), and
  // THIRD-PARTY-AUTHORIZATION when access tokens are accepted.
  void add_challenge(const CredentialStore& store, const FiveTuple& to, WallTime now,
                     stun::MessageBuilder& response);

 private:
  struct Claim;
  static Integrity integrity_of_answer(const stun::MessageView& request, const Claim& claim,
                                       const Identity& identity);
  std::optional<stun::ErrorCode> check_presence(const stun::MessageView& request, Claim& claim) const;
  std::optional<stun::ErrorCode> check_realm_and_nonce(const CredentialStore& store, const FiveTuple& from,
                                                       WallTime now, Claim& claim);
  std::optional<stun::ErrorCode> check_algorithm(const CredentialStore& store,
                                                 const stun::MessageView& request, Claim& claim) const;
  std::optional<Identity> find_identity(const CredentialStore& store, const stun::MessageView& request,
                                        const Claim& claim, const Identity* known);
  std::optional<Identity> find_token_identity(const CredentialStore& store, const stun::MessageView& request,
                                              Claim& claim, WallTime now);
  std::optional<Key> verify_session(const stun::MessageView& request, Bytes mac_key);
  bool verify(const stun::MessageView& request, const Key& key);
  Key derive_rest_key(const CredentialStore& store, std::string_view secret, const Claim& claim);

  crypto::Digester& digester_;
  crypto::AesGcm aes_gcm_;
  Nonces nonces_;
  Key dummy_md5_;
  Key dummy_sha256_;
  TokenKeyParams dummy_token_key_;
};

}  // namespace turnpike::auth
