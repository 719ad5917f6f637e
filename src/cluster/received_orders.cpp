#include "cluster/received_orders.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "cluster/own_orders.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::cluster {

ReceivedOrders::ReceivedOrders(const OwnNode& own, SealedOrders& sealed, NodeLink& link, ClusterLog& log,
                               KnownNodes& known, KeptOrders& kept, CarryOut carry_out)
    : own_(own),
      sealed_(sealed),
      link_(link),
      log_(log),
      known_(known),
      kept_(kept),
      carry_out_(std::move(carry_out)) {}

void ReceivedOrders::receive(std::string_view sealed) {
  if (!has_caught_up_) {
    if (waiting_.size() < KeptOrders::kMax) waiting_.emplace_back(sealed);
    return;
  }
  const auto given = sealed_.open(sealed);
  if (!given || given->node == own_.name) return;  // our own order was carried out when it was given
  switch (known_.accept_order(given->node, given->number, own_.clock())) {
    case KnownNodes::Verdict::fresh: return answer(*given, carry_out_(given->order));
    case KnownNodes::Verdict::untimely:
      log_.ignore("an order of node " + given->node +
                  " has a wrong time: it was sent again, or the clocks of the two nodes differ by more than "
                  "five minutes");
      return answer(*given, OrderResult::clock);
    case KnownNodes::Verdict::old:
      log_.ignore("an old order of node " + given->node + " was sent again");
      return;
    default: return;
  }
}

void ReceivedOrders::on_unsubscribed() {
  has_caught_up_ = false;
  waiting_.clear();
  ++interruptions_;
}

void ReceivedOrders::catch_up(std::uint64_t began) {
  if (has_caught_up_) return;
  kept_.read([this, began, before = interruptions_](const std::vector<std::string_view>& kept) {
    // Orders may have come since Redis has answered, so all is read again when the channel is heard.
    if (interruptions_ != before) return;
    has_caught_up_ = true;
    for (const std::string_view sealed : kept) carry_out_kept(sealed, began);
    for (const std::string& sealed : std::exchange(waiting_, {})) receive(sealed);
  });
}

void ReceivedOrders::carry_out_kept(std::string_view sealed, std::uint64_t began) {
  // An order that was also heard is left to receive(), which answers it.
  if (std::ranges::find(waiting_, sealed) != waiting_.end()) return;
  auto given = sealed_.open(sealed);
  if (!given || given->node == own_.name) return;
  if (known_.accept_kept_order(given->node, given->number, own_.clock()) != KnownNodes::Verdict::fresh)
    return;
  const auto margin = static_cast<std::uint64_t>(std::chrono::milliseconds(KnownNodes::kMaxAge).count());
  const bool was_running = given->number + margin >= began;
  given->order.given = WallTime(Duration(static_cast<Duration::rep>(given->number)));
  if (!was_running && given->order.kind == Order::Kind::end_user) return;
  const OrderResult result = carry_out_(given->order);
  // Who has given it may still wait, where this node has just come.
  const Duration passed = own_.clock().wall - *given->order.given;
  if (passed < 2 * OwnOrders::kPatience) answer(*given, result);
}

void ReceivedOrders::answer(const GivenOrder& given, OrderResult result) {
  link_.commands().send(sealed_.answer(given.node, given.number, result));
}

}  // namespace turnpike::cluster
