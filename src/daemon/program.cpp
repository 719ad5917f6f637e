#include "daemon/program.hpp"

#include <algorithm>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.hpp"
#include "config/faults.hpp"
#include "daemon/daemon.hpp"
#include "daemon/log.hpp"
#include "daemon/reload.hpp"
#include "relay/clock.hpp"
#include "turnpike/base/printable.hpp"

namespace turnpike::daemon {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;

// Writes a line to stderr. It may repeat texts of the configuration.
void say(std::string_view line) { std::cerr << printable(line) << '\n'; }

// Returns what `act` returns, and says why when it throws: with its place, for a fault of a key in the file.
template <class Act>
int report_faults(const config::Places& places, Act&& act) {
  try {
    return act();
  } catch (const std::exception& error) {
    const std::string fault = config::add_place(places, error.what());
    say(fault == error.what() ? "turnpike: " + fault : fault);
    return kFailed;
  }
}

void say_all(const config::Errors& errors) {
  for (const config::Error& error : errors)
    say(error.where.empty() ? "turnpike: " + to_string(error) : to_string(error));
}

// Everything that the configuration names and that has to be usable before the daemon starts.
struct Prepared {
  config::Config config;
  auth::CredentialStore credentials;
  std::unique_ptr<Certificates> tls;
};

// Calls `use` with what the configuration names, or prints what is wrong with it.
template <class Use>
int with_configuration(const Source& source, Use&& use) {
  auto config = config::load(source.file, source.overrides);
  if (!config) {
    say_all(config.error());
    return kFailed;
  }
  const config::Places places = config->places;
  return report_faults(places, [&] {
    add_missing_secret(*config);
    config::Attempts attempts(places);
    std::optional<auth::CredentialStore> credentials;
    std::unique_ptr<Certificates> tls;
    attempts.take([&] { credentials = config::make_credentials(*config); });
    attempts.take([&] { tls = Certificates::load(config->tls, make_ticket_keys(config->cluster)); });
    say_all(attempts.errors());
    if (!attempts.errors().empty()) return kFailed;
    return use(Prepared{std::move(*config), std::move(*credentials), std::move(tls)});
  });
}

}  // namespace

int serve(const Source& source) {
  hold_signals();
  return with_configuration(source, [&](Prepared prepared) {
    const LogScope log(prepared.config.log);
    auto daemon = std::make_unique<Daemon>(source, std::move(prepared.config), prepared.credentials,
                                           std::move(prepared.tls));
    // The memory of a daemon that cannot be destroyed is left to the end of the process.
    [[maybe_unused]] static const Daemon* volatile left_behind = nullptr;
    if (!daemon->run()) left_behind = daemon.release();
    return kDone;
  });
}

int check(const Source& source) {
  return with_configuration(source, [](const Prepared& prepared) {
    const auto warn = [&](const std::string& warning) {
      say("warning: " + config::add_place(prepared.config.places, warning));
    };
    std::ranges::for_each(prepared.config.warnings, warn);
    if (const auto recalled = config::recall_revocations(prepared.config); !recalled.warning.empty())
      warn(recalled.warning);
    if (prepared.tls) std::ranges::for_each(prepared.tls->warnings(relay::read_clocks().wall), warn);
    return kDone;
  });
}

int reload(pid_t pid) {
  return report_faults({}, [pid] {
    ask_for_reload(pid);
    return kDone;
  });
}

}  // namespace turnpike::daemon
