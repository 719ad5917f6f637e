#include "daemon/own_certificates.hpp"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

namespace turnpike::daemon {

void OwnCertificates::follow(boost::asio::io_context& io, std::function<void()> renewed) {
  if (!certificates_) return;
  follower_.emplace(
      io, *certificates_,
      CertificateFollower::Hooks{
          .say = [](spdlog::level::level_enum level, const std::string& line) { spdlog::log(level, line); },
          .renewed = std::move(renewed)});
}

void OwnCertificates::use(Certificates::Loaded loaded) {
  certificates_->use(std::move(loaded));
  follower_->follow();
}

void OwnCertificates::stop() {
  if (follower_) follower_->stop();
}

}  // namespace turnpike::daemon
