#include "daemon/certificates.hpp"

#include <algorithm>
#include <utility>

#include "config/config.hpp"

namespace turnpike::daemon {
namespace {

std::vector<std::string> files_of(const net::TlsParams& params) {
  std::vector<std::string> files;
  const auto add = [&](const net::CertificateSources& one) {
    for (const net::PemSource& source : {one.certificate, one.private_key}) {
      if (source.is_file()) files.push_back(source.name);
    }
  };
  add(params);
  for (const net::CertificateSources& more : params.certificates) add(more);
  return files;
}

Certificates::Loaded read_files(const net::TlsParams& params, const std::shared_ptr<net::TicketKeys>& keys) {
  return {params, states_of(files_of(params)),
          std::make_shared<const net::TlsContext>(params, keys, net::TlsKind::tls),
          std::make_shared<const net::TlsContext>(params, keys, net::TlsKind::dtls),
          std::make_shared<const std::vector<net::Certificate>>(net::load_certificates(params))};
}

}  // namespace

std::unique_ptr<Certificates> Certificates::load(const net::TlsParams& params,
                                                 const std::shared_ptr<net::TicketKeys>& keys) {
  if (!params.complete()) return nullptr;
  return std::unique_ptr<Certificates>(new Certificates(keys, read_files(params, keys)));
}

Certificates::Certificates(std::shared_ptr<net::TicketKeys> keys, Loaded loaded)
    : params_(std::move(loaded.params)),
      states_(std::move(loaded.states)),
      ticket_keys_(std::move(keys)),
      tls_(std::move(loaded.tls)),
      dtls_(std::move(loaded.dtls)),
      certificates_(std::move(loaded.certificates)) {}

bool Certificates::is_for(const std::string& name) const {
  return std::ranges::any_of(*certificates(), [&](const net::Certificate& one) { return one.is_for(name); });
}

std::shared_ptr<const std::vector<net::Certificate>> Certificates::certificates() const {
  const std::lock_guard lock(mutex_);
  return certificates_;
}

std::vector<std::string> Certificates::files() const { return files_of(params_); }

Certificates::Loaded Certificates::read(const net::TlsParams& params) const {
  return read_files(params, ticket_keys_);
}

std::vector<std::string> Certificates::warnings(WallTime now) const {
  return config::warnings_of(*certificates(), now);
}

std::optional<Certificates::Loaded> Certificates::read_changes() const {
  if (states_of(files()) == states_) return std::nullopt;
  return read(params_);
}

void Certificates::use(Loaded loaded) {
  params_ = std::move(loaded.params);
  states_ = std::move(loaded.states);
  tls_.replace(std::move(loaded.tls));
  dtls_.replace(std::move(loaded.dtls));
  const std::lock_guard lock(mutex_);
  certificates_ = std::move(loaded.certificates);
}

}  // namespace turnpike::daemon
