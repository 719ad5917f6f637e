#include "cluster/own_orders.hpp"

#include <algorithm>
#include <utility>

namespace turnpike::cluster {

void OwnOrders::publish(const Order& order, WhenKnown then) {
  const TimePoint now = own_.clock();
  const std::uint64_t number = numbers_.next(now.wall);
  Pending& pending = pending_[number];
  for (std::string& name : known_.possibly_running()) {
    const bool is_there = records_.is_there(name);
    pending.unanswered.emplace(std::move(name), is_there);
  }
  pending.until = now.steady + kPatience;
  pending.then = std::move(then);
  if (!link_.is_linked() || link_.is_stopped()) return on_published(number, nullptr);
  const std::string sealed = sealed_.seal(number, order);
  if (order.kind != Order::Kind::revoke) kept_.keep(number, sealed);
  link_.commands().send({"PUBLISH", own_.orders, sealed},
                        [this, number](const redisReply* reply) { on_published(number, reply); });
}

void OwnOrders::on_published(std::uint64_t order, const redisReply* reply) {
  const auto found = pending_.find(order);
  if (found == pending_.end()) return;
  found->second.is_published = true;
  if (reply && reply->type == REDIS_REPLY_INTEGER) {
    found->second.reading = records_.read();
    return;
  }
  found->second.outcome.is_told = false;
  finish(order);
}

void OwnOrders::on_answer(const OrderAnswer& answer) {
  const auto found = pending_.find(answer.order);
  if (found == pending_.end() || !found->second.answered.insert(answer.node).second) return;
  Pending& pending = found->second;
  pending.unanswered.erase(answer.node);
  if (answer.result == OrderResult::done) {
    pending.outcome.done_elsewhere = true;
  } else if (answer.result != OrderResult::no_such_user) {
    pending.outcome.missed.push_back({answer.node, to_string(answer.result)});
  }
  finish_if_known(answer.order);
}

void OwnOrders::await_newcomers(std::uint64_t reading) {
  std::vector<std::uint64_t> checked;
  for (auto& [order, pending] : pending_) {
    if (!pending.is_published || pending.knows_newcomers || reading < pending.reading) continue;
    pending.knows_newcomers = true;
    for (const NodeRecord& other : records_.others()) {
      if (!pending.answered.contains(other.name)) pending.unanswered.emplace(other.name, true);
    }
    checked.push_back(order);
  }
  for (const std::uint64_t order : checked) finish_if_known(order);
}

void OwnOrders::finish_if_known(std::uint64_t order) {
  const Pending& pending = pending_.at(order);
  if (pending.is_published && pending.knows_newcomers && pending.unanswered.empty()) finish(order);
}

void OwnOrders::finish_overdue() {
  const SteadyTime now = own_.clock().steady;
  std::vector<std::uint64_t> overdue;
  for (const auto& [order, pending] : pending_) {
    if (now >= pending.until) overdue.push_back(order);
  }
  for (const std::uint64_t order : overdue) finish(order);
}

void OwnOrders::finish_all() {
  while (!pending_.empty()) finish(pending_.begin()->first);
}

void OwnOrders::finish(std::uint64_t order) {
  const Pending pending = std::move(pending_.extract(order).mapped());
  Outcome outcome = pending.outcome;
  for (const auto& [name, is_there] : pending.unanswered) {
    const char* const why = is_there ? "no-answer" : "gone";
    outcome.missed.push_back({name, outcome.is_told ? why : "no-redis"});
  }
  // One of them answers for both, and none heeds what one of its own name says.
  for (const std::string& name : records_.names_used_twice()) {
    if (std::ranges::find(outcome.missed, name, &Outcome::Missed::node) == outcome.missed.end())
      outcome.missed.push_back({name, "same-name"});
  }
  std::ranges::sort(outcome.missed, {}, &Outcome::Missed::node);
  pending.then(outcome);
}

}  // namespace turnpike::cluster
