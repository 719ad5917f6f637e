// Who may use the relay, and the keys that prove it: the operator's users, TURN REST secrets and the keys of
// access tokens. They form one immutable snapshot. A thread that checks a request holds the snapshot until
// the check ends; a reload makes a new one.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/auth/access_token.hpp"
#include "turnpike/auth/params.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::auth {

// The long-term key (RFC 8489 §9.2.2 and §18.5.1). The functions do not prepare name, realm and password;
// call opaque_string() first.
Md5Key long_term_key_md5(crypto::Digester& digester, std::string_view username, std::string_view realm,
                         std::string_view password);
Sha256Key long_term_key_sha256(crypto::Digester& digester, std::string_view username, std::string_view realm,
                               std::string_view password);

// USERHASH: SHA-256(username ":" realm) (RFC 8489 §14.4).
crypto::Sha256 userhash(crypto::Digester& digester, std::string_view username, std::string_view realm);

// The key that messages are signed with: a long-term key for either algorithm, or the session key of an
// access token.
struct Key {
  stun::PasswordAlgorithm algorithm = stun::PasswordAlgorithm::md5;  // of a long-term key
  std::uint8_t size = std::tuple_size_v<Md5Key>;
  std::array<std::uint8_t, kMaxMacKey> storage{};

  Key() = default;
  explicit Key(const Md5Key& key) : Key(stun::PasswordAlgorithm::md5, key) {}
  explicit Key(const Sha256Key& key) : Key(stun::PasswordAlgorithm::sha256, key) {}
  // The key of an access token. Bytes after the first kMaxMacKey are ignored.
  static Key of_session(Bytes mac_key) { return {stun::PasswordAlgorithm::md5, mac_key}; }

  Bytes bytes() const { return Bytes(storage).first(size); }

 private:
  Key(stun::PasswordAlgorithm a, Bytes key);
};

struct User {
  std::string name;
  std::optional<Md5Key> key_md5;
  std::optional<Sha256Key> key_sha256;

  std::optional<Key> key(stun::PasswordAlgorithm algorithm) const;
};

class CredentialStore {
 public:
  // Throws std::invalid_argument when a name or password is not an OpaqueString (RFC 8265), when two names
  // are one once prepared, or when no password algorithm would serve every user.
  CredentialStore(const Params& params, crypto::Digester& digester);

  // The same with names of TURN REST (see RestName) that are refused, though their password is right: those
  // whose user part is the key, and that expire at this time or earlier.
  using RefusedUsers = std::map<std::string, WallTime, std::less<>>;
  CredentialStore with_refused(RefusedUsers refused) const;

  const std::string& realm() const { return realm_; }
  std::span<const std::string> secrets() const { return secrets_; }

  // Whether there are no users, no secrets and no token keys. The server then answers STUN alone; it is never
  // an open relay.
  bool empty() const { return users_->all.empty() && secrets_.empty() && !takes_tokens(); }

  // Third-party authorization (RFC 7635).
  bool takes_tokens() const { return !third_party_.keys.empty(); }
  const std::string& server_name() const { return third_party_.server_name; }
  // The key with this key id, whether or not it is valid at this time; null when there is none.
  const TokenKeyParams* find_token_key(std::string_view kid) const;

  // Whether with_refused() has refused this name.
  bool refuses(const RestName& name) const;

  // The user of this name, which opaque_string() has prepared, or of this USERHASH of 32 octets. Null when
  // there is none.
  const User* find(std::string_view name) const;
  const User* find_by_userhash(Bytes hash) const;

  // The algorithms that a challenge offers, best first. These are the algorithms for which every user has a
  // key. If the offer depended on the user, it would tell a stranger which users exist.
  std::span<const stun::PasswordAlgorithm> algorithms() const { return algorithms_; }
  bool offers(stun::PasswordAlgorithm algorithm) const;

  // Whether clients may use USERHASH. The server can find only configured users by their hash, so there must
  // be no REST secrets and no tokens.
  bool offers_anonymity() const { return secrets_.empty() && !users_->all.empty() && !takes_tokens(); }

 private:
  struct Users {
    std::vector<User> all;
    // These maps are trees and no hash tables, since users may have chosen their names.
    std::map<std::string_view, std::size_t> by_name;  // views `all`
    std::map<std::string, std::size_t, std::less<>> by_userhash;
  };
  User make_user(const UserParams& params, crypto::Digester& digester) const;
  void choose_algorithms();

  std::string realm_;
  std::vector<std::string> secrets_;
  ThirdPartyParams third_party_;
  std::shared_ptr<const Users> users_;  // which copies have in common
  RefusedUsers refused_;
  std::vector<stun::PasswordAlgorithm> algorithms_;
};

}  // namespace turnpike::auth
