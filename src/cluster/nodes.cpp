#include "cluster/nodes.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <set>
#include <utility>

#include "cluster/json_reader.hpp"
#include "turnpike/base/text.hpp"

namespace turnpike::cluster {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxUser = 1024;         // octets of a user name in an order
constexpr int kMaxKept = 1000;                 // orders, the latest ones
constexpr std::size_t kMaxResult = 32;         // octets of the answer to an order
const std::string kMaxRecord = "4194303";      // the last octet that is read of the value at a node's key
const std::string kLastRecordLives = "60000";  // ms
constexpr std::chrono::minutes kUsedTwice{1};  // how long it is reported that this node's name is used twice

constexpr std::pair<Order::Kind, const char*> kOrders[] = {
    {Order::Kind::end_user, "end_user"},
    {Order::Kind::remove_user, "remove_user"},
    {Order::Kind::revoke, "revoke"},
};

constexpr std::pair<OrderResult, const char*> kResults[] = {
    {OrderResult::done, "done"},       {OrderResult::no_such_user, "no-such-user"},
    {OrderResult::in_file, "in-file"}, {OrderResult::busy, "busy"},
    {OrderResult::clock, "clock"},     {OrderResult::failed, "failed"},
};

template <class Key, std::size_t Size>
const char* name_of(Key key, const std::pair<Key, const char*> (&table)[Size]) {
  return std::ranges::find(table, key, &std::pair<Key, const char*>::first)->second;
}

}  // namespace

Nodes::Nodes(boost::asio::io_context& io, const Params& params, Hooks hooks)
    : prefix_(params.prefix + ":"),
      own_name_(params.node),
      orders_channel_(prefix_ + "orders"),
      hooks_(std::move(hooks)),
      seal_(params.secrets),
      commands_(io, params, command_handlers()),
      orders_(io, params, order_handlers()),
      revocations_(commands_, seal_, prefix_,
                   {.revoked = hooks_.revoked,
                    .list = hooks_.list_revoked,
                    .refuse = [this](const std::string& what) { refuse(what); }}),
      timer_(io) {}

// --- Connections

RedisConnection::Handlers Nodes::command_handlers() {
  return {.up =
              [this] {
                announce();
                revocations_.synchronize();
                send_echo();
              },
          .down =
              [this](const std::string& why) {
                on_lost(why);
                others_.clear();
                hooks_.changed(others_);
              },
          .refused = [this](const std::string& error) { warn_of_refusal(error); },
          .message = [](std::string_view, std::string_view) {}};
}

RedisConnection::Handlers Nodes::order_handlers() {
  RedisConnection::Handlers handlers = command_handlers();
  handlers.up = [this] { subscribe(); };
  handlers.down = [this](const std::string& why) {
    is_subscribed_ = has_read_orders_ = false;
    waiting_orders_.clear();
    on_lost(why);
  };
  handlers.message = [this](std::string_view channel, std::string_view payload) {
    if (channel == revocations_.channel()) return revocations_.on_message(payload);
    return channel == orders_channel_ ? on_order(payload) : on_answer(payload);
  };
  return handlers;
}

// Redis may refuse this to a user to whom it allows everything else, so it is tried again later.
void Nodes::subscribe() {
  subscribe_at_ = now() + kRenewal;
  const std::vector<std::string> channels{orders_channel_, answers_of(own_name_), revocations_.channel()};
  const auto missing = std::make_shared<std::size_t>(channels.size());
  for (const std::string& channel : channels) {
    orders_.send({"SUBSCRIBE", channel}, [this, missing](const redisReply* reply) {
      if (!reply || reply->type == REDIS_REPLY_ERROR || --*missing != 0) return;
      is_subscribed_ = true;
      // Revocations between the last reading and this subscription were missed.
      if (commands_.is_up() && !stopped_) revocations_.synchronize();
      send_echo();
    });
  }
}

void Nodes::send_echo() {
  if (stopped_ || !commands_.is_up() || !is_subscribed_) return;
  next_echo_ = now() + kRenewal;
  const std::uint64_t number = next_number();
  echo_.send(number);
  answer(own_name_, number, OrderResult::done, [this, number](const redisReply* reply) {
    if (reply && reply->type == REDIS_REPLY_INTEGER) echo_.expect(number);
  });
}

// Both connections begin anew, since it is not known which of them reaches the right server.
void Nodes::look_for_echo() {
  if (!echo_.count_look()) {
    if (now() >= next_echo_) send_echo();
    return;
  }
  const std::string why(Echo::kMissing);
  if (now() >= next_echo_warning_) {
    next_echo_warning_ = now() + kBetweenWarnings;
    next_unreachable_ = {};  // so that this reason is reported, whatever was reported before
    // Rooms that are linked report their own connections alone.
    if (is_linked_ && !hooks_.disconnected)
      hooks_.warn("cluster: Redis is away for quotas and orders (" + why + ")");
  }
  orders_.start_anew(why);
  commands_.start_anew(why);
}

void Nodes::on_linked() {
  if (is_linked_ || stopped_ || !commands_.is_up() || !is_subscribed_) return;
  is_linked_ = true;
  if (hooks_.connected) hooks_.connected();
  if (!has_read_orders_) read_kept_orders();
}

// Usually both connections are lost, one after the other, and only the first loss is reported.
void Nodes::on_lost(const std::string& why) {
  echo_.reset();
  const bool was_linked = std::exchange(is_linked_, false);
  if (was_linked && hooks_.disconnected) hooks_.disconnected(why);
  if (!was_linked && now() < next_unreachable_) return;
  next_unreachable_ = now() + kBetweenWarnings;
  if (!was_linked && hooks_.unreachable) hooks_.unreachable(why);
}

void Nodes::start() {
  commands_.start();
  orders_.start();
  wait();
}

void Nodes::stop() {
  stopped_ = true;
  while (!pending_.empty()) finish(pending_.begin()->first);
  orders_.stop();
  if (!commands_.is_up()) {
    timer_.cancel();
    return commands_.stop();
  }
  NodeRecord last = hooks_.describe();
  last.ready = false;
  last.leaving = true;
  // The connection is closed when Redis has answered, or when the time for that is over.
  timer_.expires_after(kFarewell);
  timer_.async_wait([this](const boost::system::error_code&) { commands_.stop(); });
  commands_.send({"SET", key_of(own_name_), seal_record(std::move(last)), "PX", kLastRecordLives},
                 [this](const redisReply*) { timer_.cancel(); });
}

void Nodes::wait() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    wait();
    write();
    read_names();
    finish_overdue();
    look_for_echo();
    check_revocations();
    if (!orders_.is_up()) return;
    if (!is_subscribed_ && now() >= subscribe_at_) subscribe();
    orders_.send({"PING"});
  });
}

// --- Records

void Nodes::announce() {
  renew_at_ = {};
  if (stopped_) return;
  write();
  read_names();
}

// Traffic changes all the time, so a change of traffic alone causes no write.
void Nodes::write() {
  if (!commands_.is_up()) return;
  NodeRecord record = hooks_.describe();
  NodeRecord slow = record;
  slow.octets_per_second = 0;
  std::string text = to_json(slow);
  if (text == written_ && now() < renew_at_) return;
  written_ = std::move(text);
  renew_at_ = now() + kRenewal;
  const auto life = std::chrono::duration_cast<std::chrono::milliseconds>(KnownNodes::kLife).count();
  commands_.send_together(
      {{"SET", key_of(own_name_), seal_record(std::move(record)), "PX", std::to_string(life)},
       {"SADD", prefix_ + "nodes", own_name_}});
}

std::string Nodes::seal_record(NodeRecord record) {
  record.name = own_name_;
  record.began = began_;
  record.written_at = written_number_ = next_number();
  return seal_.seal(key_of(own_name_), to_json(record));
}

void Nodes::read_names() {
  commands_.send({"SMEMBERS", prefix_ + "nodes"}, [this, reading = ++last_reading_](const redisReply* reply) {
    if (!reply || stopped_) return;
    // the value is not a set; all nodes write their names into a new one
    if (is_wrong_type(reply)) {
      commands_.send({"UNLINK", prefix_ + "nodes"});
      renew_at_ = {};
      return;
    }
    if (reply->type != REDIS_REPLY_ARRAY) return;
    // Known nodes come first, so that names without a node do not take their places.
    std::vector<std::string> names{own_name_};
    for (const NodeRecord& known : others_) names.push_back(known.name);
    const std::set<std::string, std::less<>> before(names.begin(), names.end());
    std::vector<std::string> wrong;
    for (std::size_t i = 0; i < reply->elements; ++i) {
      const auto name = text_of(reply->element[i]);
      if (!name || before.contains(*name)) continue;
      if (!is_host(*name)) {
        if (wrong.size() < kMaxNodes) wrong.emplace_back(*name);
      } else if (names.size() < kMaxNodes) {
        names.emplace_back(*name);
      }
    }
    remove_names(wrong);
    read_records(std::move(names), reading);
  });
}

// The records are read one by one and only in part, since others may have written values of any length.
void Nodes::read_records(std::vector<std::string> names, std::uint64_t reading) {
  const auto found = std::make_shared<Reading>();
  for (const std::string& name : names) {
    const auto take = [this, found, name, is_last = name == names.back(), least = written_number_,
                       reading](const redisReply* reply) {
      const auto text = text_of(reply);
      found->texts[name] = text && !text->empty() ? std::optional<std::string>(*text) : std::nullopt;
      found->is_refused = found->is_refused || (!text && !is_wrong_type(reply));
      if (found->is_refused || !is_last || stopped_) return;
      on_records(found->texts, least);
      await_newcomers(reading);
    };
    commands_.send({"GETRANGE", key_of(name), "0", kMaxRecord}, take);
  }
}

void Nodes::on_records(const Texts& texts, std::uint64_t least) {
  std::vector<NodeRecord> records;
  // the names of nodes that are lost or never existed; a node adds its own name again
  std::vector<std::string> nobody;
  for (const auto& [name, sealed] : texts) {
    const bool is_own = name == own_name_;
    const auto record = sealed ? open_record(name, *sealed) : std::nullopt;
    if (is_own && record) {
      check_own_record(*record, least);
    } else if (is_own) {
      renew_at_ = {};  // somebody has overwritten or deleted the record
    } else if (!record && !known_.latest_of(name, now())) {
      nobody.push_back(name);
    } else {
      const auto verdict = record ? known_.accept(*record, hooks_.clock()) : KnownNodes::Verdict::old;
      if (record && verdict == KnownNodes::Verdict::old)
        refuse("an old record of node " + name + " was written again");
      // When somebody has overwritten or deleted a record, or Redis has evicted it, its last valid version
      // stays in use; the node will soon write again.
      const bool is_there = verdict == KnownNodes::Verdict::fresh || verdict == KnownNodes::Verdict::old;
      if (is_there) add_latest(name, records);
    }
  }
  remove_names(nobody);
  known_.forget_long_gone(now());
  others_ = std::move(records);
  hooks_.changed(others_);
}

std::optional<NodeRecord> Nodes::open_record(const std::string& name, std::string_view sealed) {
  const std::string key = key_of(name);
  const auto text = seal_.open(key, sealed);
  auto record = text ? parse_node_record(*text) : std::nullopt;
  if (record && record->name == name) return record;
  refuse("the text at " + key + " is not signed with our secret, or is malformed");
  return std::nullopt;
}

void Nodes::add_latest(const std::string& name, std::vector<NodeRecord>& records) const {
  const NodeRecord* const latest = known_.latest_of(name, now());
  if (latest && !latest->leaving) records.push_back(*latest);
}

void Nodes::check_own_record(const NodeRecord& record, std::uint64_t least) {
  if (record.written_at < least) renew_at_ = {};  // somebody has written an old record again
  if (record.began == began_ || record.written_at < began_) return;
  if (now() >= used_twice_until_) {
    hooks_.warn("cluster: another server is node " + own_name_ +
                " too: each server needs its own cluster.node");
  }
  used_twice_until_ = now() + kUsedTwice;
  renew_at_ = {};  // so that the other server notices it as well, whenever each of them writes
}

void Nodes::remove_names(const std::vector<std::string>& names) {
  if (names.empty()) return;
  RedisConnection::Command command{"SREM", prefix_ + "nodes"};
  command.insert(command.end(), names.begin(), names.end());
  commands_.send(command);
}

std::vector<std::string> Nodes::names_used_twice() const {
  std::vector<std::string> names{own_name_};
  for (const NodeRecord& other : others_) names.push_back(other.name);
  std::erase_if(names, [this](const std::string& name) { return !is_used_twice(name); });
  return names;
}

bool Nodes::is_used_twice(const std::string& node) const {
  return node == own_name_ ? now() < used_twice_until_ : known_.is_used_twice(node, now());
}

// --- Orders

void Nodes::publish(const Order& order, WhenKnown then) {
  const std::uint64_t number = order_numbers_.next(hooks_.clock().wall);
  Pending& pending = pending_[number];
  for (std::string& name : known_.possibly_running()) {
    const bool is_there = std::ranges::find(others_, name, &NodeRecord::name) != others_.end();
    pending.unanswered.emplace(std::move(name), is_there);
  }
  pending.until = now() + kPatience;
  pending.then = std::move(then);
  if (!is_linked_ || stopped_) return on_published(number, nullptr);
  const json::object text{
      {"node", own_name_}, {"number", number}, {name_of(order.kind, kOrders), order.name}};
  const std::string sealed = seal_.seal(orders_channel_, json::serialize(text));
  if (order.kind != Order::Kind::revoke) keep(number, sealed);
  commands_.send({"PUBLISH", orders_channel_, sealed},
                 [this, number](const redisReply* reply) { on_published(number, reply); });
}

// These are not in one transaction with the PUBLISH, which works even when Redis is full.
void Nodes::keep(std::uint64_t number, const std::string& sealed) {
  const auto day = static_cast<std::uint64_t>(std::chrono::milliseconds(KnownNodes::kKept).count());
  commands_.send({"ZREMRANGEBYSCORE", orders_channel_, "-inf", std::to_string(number - day)});
  commands_.send({"ZADD", orders_channel_, std::to_string(number), sealed});
  commands_.send({"ZREMRANGEBYRANK", orders_channel_, "0", std::to_string(-1 - kMaxKept)});
}

void Nodes::read_kept_orders() {
  const auto take = [this](const redisReply* reply) {
    if (!reply || stopped_) return;
    has_read_orders_ = true;
    on_kept_orders(*reply);
    for (const std::string& payload : std::exchange(waiting_orders_, {})) on_order(payload);
  };
  commands_.send({"ZREVRANGE", orders_channel_, "0", std::to_string(kMaxKept - 1)}, take);
}

void Nodes::on_kept_orders(const redisReply& reply) {
  // the value is not a sorted set
  if (is_wrong_type(&reply)) commands_.send({"UNLINK", orders_channel_});
  const std::size_t count = reply.type == REDIS_REPLY_ARRAY ? reply.elements : 0;
  for (std::size_t i = count; i-- > 0;) {  // the list begins with the latest order
    const auto sealed = text_of(reply.element[i]);
    // An order that was also heard is left to on_order(), which answers it.
    const bool is_waiting = sealed && std::ranges::find(waiting_orders_, *sealed) != waiting_orders_.end();
    auto given = sealed && !is_waiting ? open_order(*sealed) : std::nullopt;
    if (!given || given->node == own_name_) continue;
    if (known_.accept_kept_order(given->node, given->number, hooks_.clock()) != KnownNodes::Verdict::fresh)
      continue;
    const auto margin = static_cast<std::uint64_t>(std::chrono::milliseconds(KnownNodes::kMaxAge).count());
    const bool was_running = given->number + margin >= began_;
    given->order.given = WallTime(Duration(static_cast<Duration::rep>(given->number)));
    if (!was_running && given->order.kind == Order::Kind::end_user) continue;
    const OrderResult result = hooks_.carry_out(given->order);
    // Who has given it may still wait, where this node has just come.
    const Duration passed = hooks_.clock().wall - *given->order.given;
    if (passed < 2 * kPatience) answer(given->node, given->number, result);
  }
}

// Redis may have evicted the revocations, and then a node that comes later would not know them.
void Nodes::check_revocations() {
  if (!is_linked_ || now() < next_check_) return;
  next_check_ = now() + kBetweenChecks;
  revocations_.check();
}

// The order reaches the other nodes after the revocation, by the same connection. So their answers show that
// they know the revocation.
void Nodes::share(const auth::Revocation& revocation, WhenKnown then) {
  revocations_.share(revocation, [this, then = std::move(then)](bool is_done) {
    if (!then) return;
    if (is_done) {
      return publish({Order::Kind::revoke, "all"}, [then](Outcome outcome) {
        outcome.is_kept = true;
        then(outcome);
      });
    }
    Outcome outcome;
    outcome.is_told = false;
    for (std::string& name : known_.possibly_running())
      outcome.missed.push_back({std::move(name), "no-redis"});
    then(outcome);
  });
}

void Nodes::on_published(std::uint64_t order, const redisReply* reply) {
  const auto found = pending_.find(order);
  if (found == pending_.end()) return;
  found->second.is_published = true;
  if (reply && reply->type == REDIS_REPLY_INTEGER) {
    found->second.reading = last_reading_ + 1;
    return read_names();
  }
  found->second.outcome.is_told = false;
  finish(order);
}

// A node may have come since the names were last read, and may have heard the order or not.
void Nodes::await_newcomers(std::uint64_t reading) {
  std::vector<std::uint64_t> checked;
  for (auto& [order, pending] : pending_) {
    if (!pending.is_published || pending.knows_newcomers || reading < pending.reading) continue;
    pending.knows_newcomers = true;
    for (const NodeRecord& other : others_) {
      if (!pending.answered.contains(other.name)) pending.unanswered.emplace(other.name, true);
    }
    checked.push_back(order);
  }
  for (const std::uint64_t order : checked) finish_if_known(order);
}

void Nodes::finish_if_known(std::uint64_t order) {
  const Pending& pending = pending_.at(order);
  if (pending.is_published && pending.knows_newcomers && pending.unanswered.empty()) finish(order);
}

void Nodes::finish_overdue() {
  std::vector<std::uint64_t> overdue;
  for (const auto& [order, pending] : pending_) {
    if (now() >= pending.until) overdue.push_back(order);
  }
  for (const std::uint64_t order : overdue) finish(order);
}

void Nodes::finish(std::uint64_t order) {
  const Pending pending = std::move(pending_.extract(order).mapped());
  Outcome outcome = pending.outcome;
  for (const auto& [name, is_there] : pending.unanswered) {
    const char* const why = is_there ? "no-answer" : "gone";
    outcome.missed.push_back({name, outcome.is_told ? why : "no-redis"});
  }
  // One of them answers for both, and none heeds what one of its own name says.
  for (const std::string& name : names_used_twice()) {
    if (std::ranges::find(outcome.missed, name, &Outcome::Missed::node) == outcome.missed.end())
      outcome.missed.push_back({name, "same-name"});
  }
  std::ranges::sort(outcome.missed, {}, &Outcome::Missed::node);
  pending.then(outcome);
}

std::optional<Nodes::GivenOrder> Nodes::open_order(std::string_view sealed) {
  const auto text = seal_.open(orders_channel_, sealed);
  const auto value = text ? parse_strict(*text) : std::nullopt;
  if (!value) {
    refuse("an order is not signed with our secret");
    return std::nullopt;
  }
  JsonReader reader(*value);
  GivenOrder given{reader.text("node", NodeRecord::kMaxName), reader.number("number"), {}};
  const auto* kind =
      std::ranges::find_if(kOrders, [&](const auto& known) { return reader.has(known.second); });
  const bool is_known = kind != std::ranges::end(kOrders);
  if (is_known) given.order = {kind->first, reader.text(kind->second, kMaxUser)};
  if (is_known && reader.is_right() && !given.order.name.empty() && !given.node.empty()) return given;
  refuse("an order is malformed");
  return std::nullopt;
}

void Nodes::on_order(std::string_view payload) {
  if (!has_read_orders_) {
    if (waiting_orders_.size() < kMaxKept) waiting_orders_.emplace_back(payload);
    return;
  }
  const auto given = open_order(payload);
  if (!given || given->node == own_name_) return;  // our own order was carried out when it was given
  const auto& [node, number, order] = *given;
  switch (known_.accept_order(node, number, hooks_.clock())) {
    case KnownNodes::Verdict::fresh: return answer(node, number, hooks_.carry_out(order));
    case KnownNodes::Verdict::untimely:
      refuse("an order of node " + node +
             " has a wrong time: it was sent again, or the clocks of the two nodes differ by more than five "
             "minutes");
      return answer(node, number, OrderResult::clock);
    case KnownNodes::Verdict::old: return refuse("an old order of node " + node + " was sent again");
    default: return;
  }
}

void Nodes::answer(const std::string& node, std::uint64_t order, OrderResult result,
                   RedisConnection::Answer published) {
  const std::string channel = answers_of(node);
  const json::object text{{"node", own_name_}, {"to", order}, {"result", name_of(result, kResults)}};
  commands_.send({"PUBLISH", channel, seal_.seal(channel, json::serialize(text))}, std::move(published));
}

void Nodes::on_answer(std::string_view payload) {
  const auto text = seal_.open(answers_of(own_name_), payload);
  const auto value = text ? parse_strict(*text) : std::nullopt;
  if (!value) return refuse("an answer to an order is not signed with our secret");
  JsonReader reader(*value);
  const std::string node = reader.text("node", NodeRecord::kMaxName);
  const std::uint64_t order = reader.number("to");
  const std::string result = reader.text("result", kMaxResult);
  if (!reader.is_right() || node.empty()) return refuse("an answer to an order is malformed");
  if (node == own_name_) {
    if (echo_.hear(order)) on_linked();
    return;
  }
  const auto found = pending_.find(order);
  if (found == pending_.end() || !found->second.answered.insert(node).second) return;
  Pending& pending = found->second;
  pending.unanswered.erase(node);
  const auto* known = std::ranges::find_if(kResults, [&](const auto& one) { return result == one.second; });
  const OrderResult order_result = known == std::ranges::end(kResults) ? OrderResult::failed : known->first;
  pending.outcome.done_elsewhere = pending.outcome.done_elsewhere || order_result == OrderResult::done;
  if (order_result != OrderResult::done && order_result != OrderResult::no_such_user)
    pending.outcome.missed.push_back({node, name_of(order_result, kResults)});
  finish_if_known(order);
}

void Nodes::warn_of_refusal(const std::string& error) {
  if (now() < next_refusal_) return;
  next_refusal_ = now() + kBetweenWarnings;
  hooks_.warn("cluster: Redis refuses a command: " + error);
}

void Nodes::refuse(const std::string& what) {
  ++refused_;
  if (now() < next_warning_) return;
  next_warning_ = now() + kBetweenWarnings;
  hooks_.warn("cluster: " + what + ": it is ignored");
}

}  // namespace turnpike::cluster
