#include <algorithm>
#include <set>
#include <stdexcept>

#include "config/config.hpp"
#include "config/faults.hpp"
#include "config/text.hpp"
#include "net/certificate.hpp"
#include "net/tls_context.hpp"
#include "relay/clock.hpp"
#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "users/database.hpp"

namespace turnpike::config {
namespace {

// Returns an empty text when the name cannot be the name of a user.
std::string prepared(std::string_view name) { return auth::opaque_string(name).value_or(""); }

}  // namespace

auth::CredentialStore make_credentials(const Config& config) {
  if (config.user_database.empty()) return make_credentials(config.auth, {});
  try {
    users::Database database(config.user_database, users::Database::Access::read);
    return make_credentials(config.auth, database.users(config.auth.realm));
  } catch (const users::DatabaseError& error) {
    throw std::runtime_error(std::string("auth.database: ") + error.what());
  }
}

auth::CredentialStore make_credentials(const auth::Params& params,
                                       const std::vector<auth::UserParams>& from_database) {
  auth::Params all = params;
  std::set<std::string> in_file;
  for (const auth::UserParams& user : params.users) in_file.insert(prepared(user.name));
  for (const auth::UserParams& user : from_database) {
    if (in_file.contains(user.name))
      throw std::invalid_argument("auth.database: auth.users has the user " + shown(user.name) + " as well");
    all.users.push_back(user);
  }
  try {
    crypto::Digester digester;
    return auth::CredentialStore(all, digester);
  } catch (const std::invalid_argument& error) {
    const std::string where = from_database.empty() ? "auth.users: " : "auth.users and auth.database: ";
    throw std::invalid_argument(where + error.what());
  }
}

bool has_user(const auth::Params& params, std::string_view name) {
  return std::ranges::any_of(params.users,
                             [&](const auth::UserParams& user) { return prepared(user.name) == name; });
}

RecalledRevocations recall_revocations(const Config& config) {
  if (config.user_database.empty()) return {};
  try {
    auto [revocations, left_out] = users::Database(config.user_database, users::Database::Access::read)
                                       .revocations(relay::read_clocks().wall);
    RecalledRevocations out{std::move(revocations), {}};
    if (left_out != 0) {
      out.warning =
          "auth.database: rows of its revocations that can be none, or are too many, are ignored: " +
          std::to_string(left_out);
    }
    return out;
  } catch (const users::DatabaseError& error) {
    throw std::runtime_error(std::string("auth.database: ") + error.what());
  }
}

void try_users(const Config& config, Attempts& attempts, std::vector<std::string>& warnings) {
  attempts.take([&] { make_credentials(config); });
  attempts.take([&] {
    if (std::string warning = recall_revocations(config).warning; !warning.empty())
      warnings.push_back(std::move(warning));
  });
}

std::vector<std::string> warnings_of(const std::vector<net::Certificate>& certificates, WallTime now) {
  std::vector<std::string> warnings;
  for (const net::Certificate& one : certificates) {
    const std::string certificate =
        one.source() + (one.public_name().empty() ? "" : " for " + one.public_name());
    if (one.not_after() < now) {
      warnings.push_back(certificate + ": has expired at " + signaling::to_rfc3339(one.not_after()) +
                         ", so clients refuse it");
    } else if (now < one.not_before()) {
      warnings.push_back(certificate + ": is not valid before " + signaling::to_rfc3339(one.not_before()) +
                         ", so clients refuse it");
    }
  }
  return warnings;
}

void try_certificates(const Config& config, Attempts& attempts, std::vector<std::string>& warnings) {
  if (!config.tls.complete()) return;
  attempts.take([&] {
    const auto keys = std::make_shared<net::TicketKeys>();
    for (const net::TlsKind kind : {net::TlsKind::tls, net::TlsKind::dtls})
      net::TlsContext(config.tls, keys, kind);
    for (std::string& warning : warnings_of(net::load_certificates(config.tls), relay::read_clocks().wall))
      warnings.push_back(std::move(warning));
  });
}

void try_other_certificates(const Config& config, Attempts& attempts) {
  attempts.take([&] { net::load_certificates(config.tls); });
}

Errors find_faults(const Config& config, std::vector<std::string>& warnings) {
  Attempts attempts(config.places);
  try_users(config, attempts, warnings);
  try_certificates(config, attempts, warnings);
  return attempts.errors();
}

}  // namespace turnpike::config
