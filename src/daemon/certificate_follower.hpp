// Reads certificates anew when their files have changed, on the control thread. A change is noticed at once
// where the files can be watched (FileWatch), and within a minute elsewhere. Files that cannot be used are
// tried again each minute: what is wrong may be over by then, and nobody would touch them before the next
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
  using Say = std::function<void(spdlog::level::level_enum, const std::string& line)>;
  struct Periods {
    std::chrono::milliseconds look = std::chrono::minutes(1);
    std::chrono::milliseconds warn = std::chrono::hours(24);  // of certificates that are not valid today
  };

  // Begins to follow the files of `certificates`, which outlives this.
  CertificateFollower(boost::asio::io_context& io, Certificates& certificates, Say say)
      : CertificateFollower(io, certificates, std::move(say), Periods()) {}
  CertificateFollower(boost::asio::io_context& io, Certificates& certificates, Say say,
                      const Periods& periods);

  // To be called when the certificates have been taken from other files.
  void follow();
  // Leaves the io_context without work of this object's.
  void stop();

 private:
  void wait();
  void look();
  bool renew();
  void warn();

  Certificates& certificates_;
  const Say say_;
  const Periods periods_;
  net::Timer timer_;
  std::optional<FileWatch> watch_;  // nothing where the machine has no inotify left
  bool misses_some_ = false;
  std::string fault_;  // the last that was said
  std::chrono::steady_clock::time_point next_warning_{};
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
