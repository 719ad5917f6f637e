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
  const auto users = std::make_shared<Users>();
  users->all.reserve(params.users.size());
  for (const UserParams& user : params.users) users->all.push_back(make_user(user, digester));
  for (std::size_t i = 0; i < users->all.size(); ++i) {
    const std::string& name = users->all[i].name;
    const bool added = users->by_name.emplace(name, i).second;
    if (!added) throw std::invalid_argument("a user name is there twice, if only in another spelling");
    users->by_userhash.emplace(as_text(userhash(digester, name, realm_)), i);
  }
  users_ = users;
  choose_algorithms();
}

CredentialStore CredentialStore::with_refused(RefusedUsers refused) const {
  CredentialStore copy = *this;
  copy.refused_ = std::move(refused);
  return copy;
}

bool CredentialStore::refuses(const RestName& name) const {
  if (refused_.empty()) return false;
  const auto found = refused_.find(name.user);
  return found != refused_.end() && name.expires <= found->second;
}

User CredentialStore::make_user(const UserParams& params, crypto::Digester& digester) const {
  const std::optional<std::string> name = opaque_string(params.name);
  if (!name) throw std::invalid_argument("a user name is not a valid OpaqueString (RFC 8265)");
  User user{*name, params.key_md5, params.key_sha256};
  if (params.password) {
    const std::optional<std::string> password = opaque_string(*params.password);
    if (!password) throw std::invalid_argument("a password is not a valid OpaqueString (RFC 8265)");
    user.key_md5 = long_term_key_md5(digester, *name, realm_, *password);
    user.key_sha256 = long_term_key_sha256(digester, *name, realm_, *password);
  }
  return user;
}

void CredentialStore::choose_algorithms() {
  using stun::PasswordAlgorithm;
  for (const PasswordAlgorithm algorithm : {PasswordAlgorithm::sha256, PasswordAlgorithm::md5}) {
    const auto has_key = [&](const User& user) { return user.key(algorithm).has_value(); };
    if (std::ranges::all_of(users_->all, has_key)) algorithms_.push_back(algorithm);
  }
  if (algorithms_.empty()) {
    throw std::invalid_argument(
        "some users have only key_md5 and others only key_sha256: no algorithm serves all");
  }
}

const User* CredentialStore::find(std::string_view name) const {
  const auto found = users_->by_name.find(name);
  return found == users_->by_name.end() ? nullptr : &users_->all[found->second];
}

const User* CredentialStore::find_by_userhash(Bytes hash) const {
  const auto found = users_->by_userhash.find(as_text(hash));
  return found == users_->by_userhash.end() ? nullptr : &users_->all[found->second];
}

const TokenKeyParams* CredentialStore::find_token_key(std::string_view kid) const {
  const auto found = std::ranges::find(third_party_.keys, kid, &TokenKeyParams::kid);
  return found == third_party_.keys.end() ? nullptr : &*found;
}

bool CredentialStore::offers(stun::PasswordAlgorithm algorithm) const {
  return std::ranges::find(algorithms_, algorithm) != algorithms_.end();
}

}  // namespace turnpike::auth
