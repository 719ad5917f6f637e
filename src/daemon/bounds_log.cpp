#include "daemon/bounds_log.hpp"

#include <string_view>

namespace turnpike::daemon {
namespace {

constexpr std::chrono::minutes kBetweenLines{1};

struct Bound {
  std::string_view what;  // follows the number
  std::uint64_t count;
};

std::array<Bound, 6> bounds_of(const relay::Totals& totals) {
  const auto& core = totals.of<turn::Counters>();
  const auto& streams = totals.of<relay::ConnectionCounters>();
  const auto& associations = totals.of<relay::AssociationCounters>();
  return {
      {{"connections were refused because of limits.idle_connections or idle_connections_per_address",
        streams.refused.value() + associations.refused.value()},
       {"TLS or DTLS handshakes were refused because of limits.unauthenticated_per_second",
        streams.handshakes_withheld.value() + associations.hellos_withheld.value()},
       {"requests had no answer because of limits.unauthenticated_per_second", core.answers_withheld.value()},
       {"Binding requests had no answer because of limits.bindings_per_second",
        core.bindings_withheld.value()},
       {"allocations or connections were refused because there were no descriptors left: raise LimitNOFILE "
        "of the service",
        streams.out_of_descriptors.value() + totals.of<relay::TcpRelayCounters>().out_of_descriptors.value() +
            totals.of<relay::RelaySocketCounters>().out_of_descriptors.value()},
       {"messages and connections came from networks that clients.allow and clients.deny do not permit",
        core.client_denied.value() + streams.denied.value() + associations.denied.value()}}};
}

}  // namespace

void BoundsLog::write_lines(const relay::Totals& totals, Time now) {
  const auto bounds = bounds_of(totals);
  static_assert(bounds.size() == kBounds);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    Said& said = said_[i];
    if (bounds[i].count <= said.count || now < said.next) continue;
    write_(std::to_string(bounds[i].count - said.count).append(" ").append(bounds[i].what));
    said.count = bounds[i].count;
    said.next = now + kBetweenLines;
  }
}

}  // namespace turnpike::daemon
