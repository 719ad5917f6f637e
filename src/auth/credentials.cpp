#include "turnpike/auth/credentials.hpp"

#include <algorithm>
#include <stdexcept>

#include "turnpike/auth/opaque_string.hpp"

namespace turnpike::auth {

Md5Key long_term_key_md5(crypto::Digester& digester, std::string_view username, std::string_view realm,
                         std::string_view password) {
  return digester.md5(
      {as_bytes(username), as_bytes(":"), as_bytes(realm), as_bytes(":"), as_bytes(password)});
}

Sha256Key long_term_key_sha256(crypto::Digester& digester, std::string_view username, std::string_view realm,
                               std::string_view password) {
  return digester.sha256(
      {as_bytes(username), as_bytes(":"), as_bytes(realm), as_bytes(":"), as_bytes(password)});
}

crypto::Sha256 userhash(crypto::Digester& digester, std::string_view username, std::string_view realm) {
  return digester.sha256({as_bytes(username), as_bytes(":"), as_bytes(realm)});
}

Key::Key(stun::PasswordAlgorithm a, Bytes key)
    : algorithm(a), size(static_cast<std::uint8_t>(std::min(key.size(), kMaxMacKey))) {
  std::ranges::copy(key.first(size), storage.begin());
}

std::optional<Key> User::key(stun::PasswordAlgorithm algorithm) const {
  if (algorithm == stun::PasswordAlgorithm::md5) return key_md5 ? std::optional<Key>(*key_md5) : std::nullopt;
  return key_sha256 ? std::optional<Key>(*key_sha256) : std::nullopt;
}

CredentialStore::CredentialStore(const Params& params, crypto::Digester& digester)
    : realm_(params.realm), secrets_(params.secrets), third_party_(params.third_party) {
  users_.reserve(params.users.size());
  for (const UserParams& user : params.users) add_user(user, digester);
  for (std::size_t i = 0; i < users_.size(); ++i) {
    const bool added = by_name_.emplace(users_[i].name, i).second;
    if (!added) throw std::invalid_argument("a user name is there twice, if only in another spelling");
    by_userhash_.emplace(as_text(userhash(digester, users_[i].name, realm_)), i);
  }
  choose_algorithms();
}

void CredentialStore::add_user(const UserParams& params, crypto::Digester& digester) {
  const std::optional<std::string> name = opaque_string(params.name);
  if (!name) throw std::invalid_argument("a user name is not a valid OpaqueString (RFC 8265)");
  User user{*name, params.key_md5, params.key_sha256};
  if (params.password) {
    const std::optional<std::string> password = opaque_string(*params.password);
    if (!password) throw std::invalid_argument("a password is not a valid OpaqueString (RFC 8265)");
    user.key_md5 = long_term_key_md5(digester, *name, realm_, *password);
    user.key_sha256 = long_term_key_sha256(digester, *name, realm_, *password);
  }
  users_.push_back(std::move(user));
}

void CredentialStore::choose_algorithms() {
  using stun::PasswordAlgorithm;
  for (const PasswordAlgorithm algorithm : {PasswordAlgorithm::sha256, PasswordAlgorithm::md5}) {
    const auto has_key = [&](const User& user) { return user.key(algorithm).has_value(); };
    if (std::ranges::all_of(users_, has_key)) algorithms_.push_back(algorithm);
  }
  if (algorithms_.empty()) {
    throw std::invalid_argument(
        "some users have only key_md5 and others only key_sha256: no algorithm serves all");
  }
}

const User* CredentialStore::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &users_[found->second];
}

const User* CredentialStore::find_by_userhash(Bytes hash) const {
  const auto found = by_userhash_.find(as_text(hash));
  return found == by_userhash_.end() ? nullptr : &users_[found->second];
}

const TokenKeyParams* CredentialStore::find_token_key(std::string_view kid) const {
  const auto found = std::ranges::find(third_party_.keys, kid, &TokenKeyParams::kid);
  return found == third_party_.keys.end() ? nullptr : &*found;
}

bool CredentialStore::offers(stun::PasswordAlgorithm algorithm) const {
  return std::ranges::find(algorithms_, algorithm) != algorithms_.end();
}

}  // namespace turnpike::auth
