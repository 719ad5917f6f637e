#include "daemon/orders.hpp"

#include <algorithm>
#include <utility>

#include "relay/clock.hpp"

namespace turnpike::daemon {

http::Awaitable<boost::json::object> Orders::end_user_everywhere(std::string user) {
  workers_.end_user(user);
  cluster::Order order{cluster::Order::Kind::end_user, std::move(user)};
  const cluster::Outcome outcome = co_await clustering_.publish_order(std::move(order));
  co_return to_json(outcome);
}

cluster::OrderResult Orders::carry_out(const cluster::Order& order) {
  // Allocations that began after the order was given stay.
  const WallTime now = relay::read_clocks().wall;
  const auto passed = order.given ? std::max(Duration::zero(), now - *order.given) : Duration::zero();
  switch (order.kind) {
    case cluster::Order::Kind::end_user: workers_.end_user(order.name, passed); break;
    case cluster::Order::Kind::remove_user: return changes_.remove_as_ordered(order);
    case cluster::Order::Kind::revoke: break;
  }
  return cluster::OrderResult::done;
}

}  // namespace turnpike::daemon
