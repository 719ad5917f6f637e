#include "daemon/bounds_log.hpp"

#include <string_view>

namespace turnpike::daemon {
namespace {

constexpr std::chrono::minutes kBetweenLines{1};

struct Bound {
  std::string_view reason;  // the field
  std::string_view key;     // the field; empty when no single key decides
  std::string_view what;    // follows the number
  std::uint64_t count;
};

std::array<Bound, 6> bounds_of(const relay::Totals& totals) {
  const auto& core = totals.of<turn::Counters>();
  const auto& streams = totals.of<relay::ConnectionCounters>();
  const auto& associations = totals.of<relay::AssociationCounters>();
  return {
      {{"idle_connections", "",
        "connections were refused because of limits.idle_connections or idle_connections_per_address",
        streams.refused.value() + associations.refused.value()},
       {"handshakes", "limits.unauthenticated_per_second",
        "TLS or DTLS handshakes were refused because of limits.unauthenticated_per_second",
        streams.handshakes_withheld.value() + associations.hellos_withheld.value() +
            associations.handshakes_withheld.value()},
       {"unauthenticated_per_second", "limits.unauthenticated_per_second",
        "requests had no answer because of limits.unauthenticated_per_second", core.answers_withheld.value()},
       {"bindings_per_second", "limits.bindings_per_second",
        "Binding requests had no answer because of limits.bindings_per_second",
        core.bindings_withheld.value()},
       {"out_of_descriptors", "",
        "allocations or connections were refused because there were no descriptors left: raise LimitNOFILE "
        "of the service",
        streams.out_of_descriptors.value() + totals.of<relay::TcpRelayCounters>().out_of_descriptors.value() +
            totals.of<relay::RelaySocketCounters>().out_of_descriptors.value()},
       {"clients", "clients",
        "messages and connections came from networks that clients.allow and clients.deny do not permit",
        core.client_denied.value() + streams.denied.value() + associations.denied.value()}}};
}

}  // namespace

void BoundsLog::write_lines(const relay::Totals& totals, Time now) {
  const auto bounds = bounds_of(totals);
  static_assert(bounds.size() == kBounds);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    Said& said = said_[i];
    const Bound& bound = bounds[i];
    if (bound.count <= said.count || now < said.next) continue;
    const std::uint64_t count = bound.count - said.count;
    relay::LogEvent line("clients_refused", std::to_string(count).append(" ").append(bound.what));
    line.field("reason", bound.reason);
    if (!bound.key.empty()) line.field("key", bound.key);
    write_(line.field("count", count));
    said = {bound.count, now + kBetweenLines};
  }
}

}  // namespace turnpike::daemon
