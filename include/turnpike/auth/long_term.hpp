// The long-term credential mechanism of RFC 8489 §9.2, and with access tokens that of RFC 7635: decides who
// sent a request, or what to answer instead.
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

// Who made a request, and the key to answer with.
struct Identity {
  std::string username;  // as in the configuration, the whole REST name, or the key id of an access token
  Key key;
  std::optional<WallTime> expires;  // of a REST name or an access token
  std::string token{};              // tells access tokens apart and keeps their secret; else empty

  bool is_token() const { return !token.empty(); }
  bool has_expired(WallTime now) const;

  // Whether an allocation of one may be used by the other. A token names nobody, and its allocations live on
  // with the next token, which another key may have sealed (RFC 7635 §10).
  bool may_act_for(const Identity& other) const;

  // Whether both came with the same name and, if any, the same token.
  bool is_same(const Identity& other) const { return username == other.username && token == other.token; }

  // Whether many clients may have this name at one time: it is a configured user, a time stamp without a
  // user, or a guest of a room, whose browser makes three allocations for each of the others.
  bool is_shared() const;

  // Under which name quotas count this one. Of a REST name it is the user part, since the expiry changes with
  // every credential, or the whole name where there is nothing but an expiry. It says which kind of name it
  // is as well: a configured user and the user part of a REST name may be spelled alike.
  std::string quota_name() const;
};

// Which integrity attribute a request carried; the answer carries the same one alone (RFC 8489 §9.2.4).
enum class Integrity : std::uint8_t { sha1, sha256 };

struct Authenticated {
  Identity identity;
  Integrity integrity = Integrity::sha1;
};

// A refusal. 401 and 438 come with a challenge: REALM, NONCE and what else the client needs to try again.
struct Refusal {
  stun::ErrorCode code{};
  bool had_valid_nonce = false;  // so the sender is where it says it is
  // It had a valid nonce, and nothing shows that it ever had the right credentials. An access token whose
  // time is over does show that.
  bool is_failure = false;
};

// One per thread. Holds references only; the store may be exchanged between two calls.
class LongTermCheck {
 public:
  // `digester` outlives this.
  LongTermCheck(crypto::Digester& digester, const Nonces::MasterKey& master, Duration nonce_lifetime);

  // From now on nonces are made with this key and live so long. Those of before are stale.
  void use_nonces(const Nonces::MasterKey& master, Duration lifetime) { nonces_ = Nonces(master, lifetime); }

  // `known` is whose allocation the request's 5-tuple already has, if any: its key is tried first, and a REST
  // name that has expired meanwhile goes on serving it. Whether the expiry of a name has passed is not judged
  // here: only an Allocate asks. An access token that the request carries must be good now.
  Result<Authenticated, Refusal> check(const CredentialStore& store, const stun::MessageView& request,
                                       const FiveTuple& from, WallTime now, const Identity* known);

  // Adds REALM, NONCE and PASSWORD-ALGORITHMS to a 401 or 438 (RFC 8489 §9.2.4), and
  // THIRD-PARTY-AUTHORIZATION where tokens are taken.
  void add_challenge(const CredentialStore& store, const FiveTuple& to, WallTime now,
                     stun::MessageBuilder& response);

 private:
  struct Claim;
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
