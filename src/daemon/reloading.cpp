#include "daemon/reloading.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <stdexcept>

#include "config/faults.hpp"
#include "daemon/clustering.hpp"
#include "http/static_files.hpp"
#include "net/regular_file.hpp"

namespace turnpike::daemon {
namespace {

// Throws when the folder cannot be opened. The signaling thread opens it later, when it is too late to refuse
// the reload.
void require_readable(const std::string& folder) {
  if (folder.empty()) return;
  const http::StaticFiles throws_when_unreadable(folder);
}

// The listeners stay as they are until a restart, so more people may reach them than the new file alone
// suggests.
void require_token_secrets(const config::SignalingParams& signaling) {
  if (!signaling.enabled || signaling.effective_access() != signaling::Access::token) return;
  if (!signaling.token_secrets.empty()) return;
  throw std::runtime_error(
      "signaling: expected token_secrets, because other machines can reach the present listeners until a "
      "restart");
}

}  // namespace

std::optional<Reloading::Next> Reloading::read(admin::ReloadReport& report) const {
  // The watchdog waits for the end of the reload, so a pipe is refused here: its writer may take too long.
  if (const auto problem = net::find_file_problem(source_.file)) {
    report.errors.push_back(source_.file + ": " + problem->text);
    return std::nullopt;
  }
  auto loaded = config::load(source_.file, source_.overrides);
  if (!loaded) {
    for (const config::Error& error : loaded.error()) report.errors.push_back(to_string(error));
    return std::nullopt;
  }
  const net::TlsParams tls_in_file = loaded->tls;
  Next next{keep_what_stays(std::move(*loaded), report), {}, {}, {}};
  config::Attempts attempts(next.config.places);
  attempts.take([&] { require_readable(next.config.signaling.root); });
  attempts.take([&] { require_token_secrets(next.config.signaling); });
  attempts.take(
      [&] { next.credentials = parts_.credentials.make_snapshot(config::make_credentials(next.config)); });
  attempts.take([&] { next.recalled = config::recall_revocations(next.config); });
  attempts.take([&] { next.certificates = read_certificates(next.config, tls_in_file); });
  attempts.take([&] { parts_.relays.check(next.config.relay, parts_.addresses); });
  for (const config::Error& error : attempts.errors()) report.errors.push_back(to_string(error));
  if (!report.errors.empty()) return std::nullopt;
  return next;
}

// Returns the configuration of the file. Values that need a restart, and values that no file has, are those
// in use.
config::Config Reloading::keep_what_stays(config::Config next, admin::ReloadReport& report) const {
  for (const config::ChangedKey& key : config::find_changes(parts_.config, next)) {
    (key.needs_restart ? report.needs_restart : report.changed).push_back(key.path + ": " + key.change);
    if (!key.needs_restart) continue;
    // The next reload compares the file with the value in use, so that a necessary restart is reported again.
    next.written.erase(key.path);
    if (const auto runs = parts_.config.written.find(key.path); runs != parts_.config.written.end())
      next.written.insert(*runs);
  }
  config::keep_what_needs_restart(next, parts_.config);
  if (next.relay.alternates.from_cluster)
    next.relay.alternates.servers = parts_.config.relay.alternates.servers;
  // A secret that was made up for this run stays. When the file no longer has any secret,
  // add_missing_secret() makes one up.
  if (next.auth.secrets.empty() && parts_.config.secret_is_made_up) {
    next.auth.secrets = parts_.config.auth.secrets;
    next.secret_is_made_up = true;
  }
  add_missing_secret(next);
  return next;
}

std::optional<Certificates::Loaded> Reloading::read_certificates(const config::Config& next,
                                                                 const net::TlsParams& in_file) const {
  if (!parts_.tls) {
    // This throws when the certificates cannot be used, so that the operator learns it before the restart.
    Certificates::load(in_file, make_ticket_keys(parts_.config.cluster));
    return std::nullopt;
  }
  if (!next.tls.complete()) {
    throw std::runtime_error(
        "tls: expected a certificate, because the present listeners need one until a restart");
  }
  return parts_.tls->read(next.tls);
}

void Reloading::log(const admin::ReloadReport& report) {
  if (!report.ok) {
    ++counters_.reloads_failed;
    for (const std::string& error : report.errors) spdlog::error(fmt::format("reload: {}", error));
    spdlog::error("the reload failed, and nothing was changed");
    return;
  }
  ++counters_.reloads_done;
  for (const std::string& key : report.changed) spdlog::info(fmt::format("reload: {}", key));
  for (const std::string& key : report.needs_restart)
    spdlog::warn(fmt::format("reload: {} (needs a restart)", key));
  spdlog::info("reloaded");
}

}  // namespace turnpike::daemon
