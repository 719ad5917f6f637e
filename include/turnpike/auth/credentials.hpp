// Who may use the relay and the keys that prove it: the operator's users and TURN REST secrets as one
// immutable snapshot. Whoever checks a request holds a snapshot for as long as the check takes; a reload
// makes a new one.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/auth/params.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/types.hpp"

namespace turnpike::auth {

// The long-term key (RFC 8489 §9.2.2 and §18.5.1). Name, realm and password are taken as they are: prepare
// them first.
Md5Key long_term_key_md5(crypto::Digester& digester, std::string_view username, std::string_view realm,
                         std::string_view password);
Sha256Key long_term_key_sha256(crypto::Digester& digester, std::string_view username, std::string_view realm,
                               std::string_view password);

// USERHASH: SHA-256(username ":" realm) (RFC 8489 §14.4).
crypto::Sha256 userhash(crypto::Digester& digester, std::string_view username, std::string_view realm);

// A long-term key of either algorithm.
struct Key {
  stun::PasswordAlgorithm algorithm = stun::PasswordAlgorithm::md5;
  Sha256Key storage{};  // the first 16 bytes for MD5

  Key() = default;
  explicit Key(const Md5Key& key);
  explicit Key(const Sha256Key& key) : algorithm(stun::PasswordAlgorithm::sha256), storage(key) {}

  Bytes bytes() const {
    return Bytes(storage).first(algorithm == stun::PasswordAlgorithm::md5 ? std::tuple_size_v<Md5Key>
                                                                          : std::tuple_size_v<Sha256Key>);
  }
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
  CredentialStore(CredentialStore&&) = default;  // a copy's index would view the original's users
  CredentialStore& operator=(CredentialStore&&) = default;

  const std::string& realm() const { return realm_; }
  std::span<const std::string> secrets() const { return secrets_; }

  // Without users and secrets there is STUN alone, never an open relay.
  bool empty() const { return users_.empty() && secrets_.empty(); }

  const User* find(std::string_view name) const;
  const User* find_by_userhash(Bytes hash) const;

  // What a challenge offers, best first: the algorithms for which every user has a key. An offer that
  // depended on the user would tell a stranger which users exist.
  std::span<const stun::PasswordAlgorithm> algorithms() const { return algorithms_; }
  bool offers(stun::PasswordAlgorithm algorithm) const;

  // Whether USERHASH may be used: every user can be found by hash, which REST names cannot.
  bool offers_anonymity() const { return secrets_.empty() && !users_.empty(); }

 private:
  void add_user(const UserParams& params, crypto::Digester& digester);
  void choose_algorithms();

  std::string realm_;
  std::vector<std::string> secrets_;
  std::vector<User> users_;
  boost::unordered_flat_map<std::string_view, std::size_t> by_name_;  // views users_
  boost::unordered_flat_map<std::string, std::size_t> by_userhash_;
  std::vector<stun::PasswordAlgorithm> algorithms_;
};

}  // namespace turnpike::auth
