#include "daemon/certificates.hpp"

#include <algorithm>

namespace turnpike::daemon {

std::unique_ptr<Certificates> Certificates::load(const net::TlsParams& params) {
  if (!params.complete()) return nullptr;
  return std::unique_ptr<Certificates>(new Certificates(params));
}

namespace {

std::shared_ptr<const net::TlsContext> make(const net::TlsParams& params,
                                            const std::shared_ptr<net::TicketKeys>& keys, net::TlsKind kind) {
  return std::make_shared<const net::TlsContext>(params, keys, kind);
}

}  // namespace

Certificates::Certificates(const net::TlsParams& params)
    : params_(params),
      ticket_keys_(std::make_shared<net::TicketKeys>()),
      tls_(make(params_, ticket_keys_, net::TlsKind::tls)),
      dtls_(make(params_, ticket_keys_, net::TlsKind::dtls)),
      first_(net::load_certificates(params_)) {
  public_name_ = first_.front().public_name();
}

bool Certificates::is_for(const std::string& name) const {
  return std::ranges::any_of(first_, [&](const net::Certificate& one) { return one.is_for(name); });
}

void Certificates::reload() {
  auto tls = make(params_, ticket_keys_, net::TlsKind::tls);
  auto dtls = make(params_, ticket_keys_, net::TlsKind::dtls);
  tls_.replace(std::move(tls));
  dtls_.replace(std::move(dtls));
}

}  // namespace turnpike::daemon
