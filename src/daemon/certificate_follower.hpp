// Reads certificates again when their files have changed, on the control thread. It notices a change at once
// when the files can be watched (FileWatch), and otherwise within a minute. It tries files that cannot be
// used again every minute, because the cause may be temporary and the files may not change before the next
// renewal.
#pragma once

#include <spdlog/common.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "daemon/certificates.hpp"
#include "daemon/file_watch.hpp"
#include "net/asio_types.hpp"

namespace turnpike::daemon {

class CertificateFollower {
 public:
  struct Hooks {
    std::function<void(spdlog::level::level_enum, const std::string& line)> say;
    std::function<void()> renewed;  // called when changed files are in use, before a line says so
  };
  struct Periods {
    std::chrono::milliseconds check = std::chrono::minutes(1);
    std::chrono::milliseconds warn = std::chrono::hours(24);  // of certificates that are not valid today
  };

  // Begins to follow the files of `certificates`, which must outlive this object.
  CertificateFollower(boost::asio::io_context& io, Certificates& certificates, Hooks hooks)
      : CertificateFollower(io, certificates, std::move(hooks), Periods()) {}
  CertificateFollower(boost::asio::io_context& io, Certificates& certificates, Hooks hooks,
                      const Periods& periods);

  // Must be called after the certificates were read from other files.
  void follow();
  // Ends all work of this object in the io_context.
  void stop();

 private:
  void wait();
  void check();
  bool renew();
  void warn();

  Certificates& certificates_;
  const Hooks hooks_;
  const Periods periods_;
  net::Timer timer_;
  std::optional<FileWatch> watch_;  // empty when the machine has no inotify instance left
  bool misses_some_ = false;
  std::string fault_;  // the last fault that was reported
  std::chrono::steady_clock::time_point next_warning_{};
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
