// The long-term credential mechanism of RFC 8489 §9.2: decides who sent a request, or what to answer instead.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/nonce.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/result.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace turnpike::auth {

// Who made a request, and the key to answer with.
struct Identity {
  std::string username;  // as in the configuration, or the whole REST name
  Key key;
  std::optional<WallTime> expires;  // of a REST name

  // What quotas count: a REST name without its expiry, which changes with every credential.
  std::string_view quota_name() const;
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
};

// One per thread. Holds references only; the store may be exchanged between two calls.
class LongTermCheck {
 public:
  // `digester` outlives this.
  LongTermCheck(crypto::Digester& digester, const Nonces::MasterKey& master, Duration nonce_lifetime);

  // `known` is whose allocation the request's 5-tuple already has, if any: its key is tried first, and a REST
  // name that has expired meanwhile goes on serving it. Whether an expiry has passed is not judged here: only
  // an Allocate asks.
  Result<Authenticated, Refusal> check(const CredentialStore& store, const stun::MessageView& request,
                                       const FiveTuple& from, WallTime now, const Identity* known);

  // Adds REALM, NONCE and PASSWORD-ALGORITHMS to a 401 or 438 (RFC 8489 §9.2.4).
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
  bool verify(const stun::MessageView& request, const Key& key);
  Key derive_rest_key(const CredentialStore& store, std::string_view secret, const Claim& claim);

  crypto::Digester& digester_;
  Nonces nonces_;
  Key dummy_md5_;
  Key dummy_sha256_;
};

}  // namespace turnpike::auth
