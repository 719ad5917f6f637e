#include "daemon/certificate_follower.hpp"

#include <exception>
#include <system_error>
#include <utility>

#include "relay/clock.hpp"

namespace turnpike::daemon {

CertificateFollower::CertificateFollower(boost::asio::io_context& io, Certificates& certificates, Hooks hooks,
                                         const Periods& periods)
    : certificates_(certificates), hooks_(std::move(hooks)), periods_(periods), timer_(io) {
  try {
    watch_.emplace(io, [this] { renew(); });
  } catch (const std::system_error& error) {
    hooks_.say(spdlog::level::warn,
               std::string("certificate files are not watched, and a renewal is noticed a minute later: ") +
                   error.what());
  }
  follow();
  wait();
}

void CertificateFollower::follow() {
  if (watch_) watch_->watch(certificates_.files());
  if (!renew()) warn();  // the files may have changed before they were watched
}

void CertificateFollower::stop() {
  stopped_ = true;
  timer_.cancel();
  if (watch_) watch_->stop();
}

void CertificateFollower::wait() {
  timer_.expires_after(periods_.check);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    wait();
    check();
  });
}

void CertificateFollower::check() {
  if (!renew() && std::chrono::steady_clock::now() >= next_warning_) warn();
}

// Returns whether the files have changed and are used now.
bool CertificateFollower::renew() {
  if (watch_ && watch_->misses_some() && !std::exchange(misses_some_, true)) {
    hooks_.say(
        spdlog::level::info,
        "not all folders on the way to the certificate files can be watched: a renewal is noticed within a "
        "minute");
  }
  try {
    auto loaded = certificates_.read_changes();
    fault_.clear();
    if (!loaded) return false;
    certificates_.use(std::move(*loaded));
    hooks_.renewed();
    hooks_.say(spdlog::level::info, "the certificate files have changed and were read again");
    warn();
    return true;
  } catch (const std::exception& error) {
    if (fault_ == error.what()) return false;
    fault_ = error.what();
    hooks_.say(spdlog::level::err,
               "the certificate files have changed, and the certificates stay as they were: " + fault_);
    return false;
  }
}

void CertificateFollower::warn() {
  next_warning_ = std::chrono::steady_clock::now() + periods_.warn;
  for (const std::string& warning : certificates_.warnings(relay::read_clocks().wall))
    hooks_.say(spdlog::level::warn, warning);
}

}  // namespace turnpike::daemon
