// How the daemon takes a new configuration: everything is read, checked and built before anything is changed.
#include <spdlog/spdlog.h>

#include <exception>
#include <stdexcept>

#include "daemon/daemon.hpp"
#include "daemon/log.hpp"
#include "daemon/notify.hpp"
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

Administration::Reloaded Daemon::reload(bool dry_run) {
  Administration::Reloaded reloaded;
  admin::ReloadReport& report = reloaded.report;
  const auto fail = [&](std::string why) { report.errors.push_back(std::move(why)); };
  // The watchdog waits for the end of the reload, so a pipe is refused here: its writer may take too long.
  if (const auto problem = net::find_file_problem(source_.file)) {
    fail(source_.file + ": " + problem->text);
    if (!dry_run) log_reload(report);
    return reloaded;
  }
  auto loaded = config::load(source_.file, source_.overrides);
  if (!loaded) {
    for (const config::Error& error : loaded.error()) fail(to_string(error));
    if (!dry_run) log_reload(report);
    return reloaded;
  }
  config::Config next = std::move(*loaded);
  const net::TlsParams tls_in_file = next.tls;
  for (const config::ChangedKey& key : config::find_changes(config_, next)) {
    (key.needs_restart ? report.needs_restart : report.changed).push_back(key.path + ": " + key.change);
    if (!key.needs_restart) continue;
    // The next reload compares the file with the value in use, so that a necessary restart is reported again.
    next.written.erase(key.path);
    if (const auto runs = config_.written.find(key.path); runs != config_.written.end())
      next.written.insert(*runs);
  }
  config::keep_what_needs_restart(next, config_);
  if (next.relay.alternates.from_cluster) next.relay.alternates.servers = config_.relay.alternates.servers;
  // A secret that was made up for this run stays. When the file no longer has any secret,
  // add_missing_secret() makes one up.
  if (next.auth.secrets.empty() && config_.secret_is_made_up) {
    next.auth.secrets = config_.auth.secrets;
    next.secret_is_made_up = true;
  }
  add_missing_secret(next);
  Credentials::Snapshot credentials;
  config::RecalledRevocations recalled;
  std::optional<Certificates::Loaded> certificates;
  try {
    require_readable(next.signaling.root);
    require_token_secrets(next.signaling);
    credentials = credentials_.make_snapshot(config::make_credentials(next));
    recalled = config::recall_revocations(next);
    if (tls_) {
      if (!next.tls.complete())
        throw std::runtime_error(
            "tls: expected a certificate, because the present listeners need one until a restart");
      certificates = tls_->read(next.tls);
    } else {
      // This throws when the certificates cannot be used, so that the operator learns it before the restart.
      Certificates::load(tls_in_file, make_ticket_keys(config_.cluster));
    }
    if (dry_run) {
      relays_.check(next.relay, addresses_.now());
      reloaded.settings = settings_.make_for(next, credentials);
      report.ok = true;
      return reloaded;
    }
    relays_.use(next.relay, addresses_.now());
  } catch (const std::exception& error) {
    fail(config::add_place(next.places, error.what()));
    if (!dry_run) log_reload(report);
    return reloaded;
  }

  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" +
                         std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
  const bool log_changes = next.log.level != config_.log.level || next.log.format != config_.log.format ||
                           next.log.addresses != config_.log.addresses;
  config_ = std::move(next);
  clustering_.follow_config();
  credentials_.use(std::move(credentials));
  if (certificates) {
    tls_->use(std::move(*certificates));
    certificate_follower_->follow();
  }
  limits_.use(config_);
  settings_.update_client_policy();
  settings_.update_peer_policy();
  post_settings();
  revoking_.apply_recalled(recalled);
  credentials_.warn_about_algorithms();
  if (signaling_)
    signaling_->use(config_, relays_.addresses()->advertised(), addresses_.now().default_source());
  if (own_names_) own_names_->use(config_.signaling);
  if (web_) web_->use(config_.streams);
  if (admin_) admin_->use(config_.admin);
  if (log_changes) LogScope::use(config_.log);
  for (const std::string& warning : config_.warnings) spdlog::warn(warning);
  if (!credentials_.are_empty()) address_warnings_.warn_about_absent_addresses();
  report.ok = true;
  log_reload(report);
  notify_service_manager("READY=1");
  return reloaded;
}

void Daemon::log_reload(const admin::ReloadReport& report) {
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
