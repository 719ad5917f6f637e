// A daemon with a certificate of its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/certificate.hpp"
#include "support/daemon.hpp"

namespace turnpike::test {

// Two lists of settings as one. A later setting of a key replaces an earlier one.
inline std::vector<std::string> joined(std::vector<std::string> first, const std::vector<std::string>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

// A new certificate with its key, in files for a daemon.
struct CertificateFiles {
  explicit CertificateFiles(Certificate made = make_certificate()) : pem(std::move(made)) {}

  // The settings that name the two files, and then these.
  std::vector<std::string> with(const std::vector<std::string>& set) const {
    return joined({"tls.certificate=" + certificate.path(), "tls.private_key=" + private_key.path()}, set);
  }

  Certificate pem;
  TemporaryFile certificate{pem.certificate};
  TemporaryFile private_key{pem.private_key};
};

// Tests derive from it what they know of their listeners.
struct TlsDaemon {
  explicit TlsDaemon(const std::vector<std::string>& set, Certificate made = make_certificate(),
                     const Child::Options& options = {})
      : files(std::move(made)), daemon(files.with(set), kLoopbackConfig, options) {}

  CertificateFiles files;
  Daemon daemon;
};

}  // namespace turnpike::test
