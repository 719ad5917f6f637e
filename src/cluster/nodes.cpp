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

constexpr std::chrono::hours kMemory{24};     // of nodes that are gone
constexpr std::size_t kMaxUser = 1024;        // octets of a user name in an order
const std::string kMaxRecord = "4194303";     // the last octet that is read of what stands at a node's key
constexpr std::chrono::minutes kNamesake{1};  // how long it is told that a name is used twice
constexpr std::chrono::minutes kMaxAge{5};    // of an order; clocks of nodes may differ by so much

constexpr std::pair<Order::Kind, const char*> kOrders[] = {
    {Order::Kind::end_user, "end_user"},
    {Order::Kind::remove_user, "remove_user"},
};

const char* name_of(Order::Kind kind) {
  const auto* found = std::ranges::find(kOrders, kind, &std::pair<Order::Kind, const char*>::first);
  return found->second;
}

std::uint64_t milliseconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// A node that has just started does not know what it has heard before.
bool is_old(std::uint64_t order) {
  const auto age = static_cast<std::uint64_t>(std::chrono::milliseconds(kMaxAge).count());
  return order + age < milliseconds_since_1970();
}

std::string orders_channel(const std::string& prefix) { return prefix + "orders"; }

}  // namespace

Nodes::Nodes(boost::asio::io_context& io, const Params& params, Hooks hooks)
    : prefix_(params.prefix + ":"),
      own_name_(params.node),
      hooks_(std::move(hooks)),
      seal_(params.secrets),
      commands_(
          io, params.redis,
          {.up =
               [this] {
                 was_up_ = true;
                 if (hooks_.came) hooks_.came();
                 announce();
                 if (is_up()) revocations_.agree();
               },
           .down =
               [this](const std::string& why) {
                 others_.clear();
                 hooks_.changed(others_);
                 if (std::exchange(was_up_, false) && hooks_.went) hooks_.went(why);
               },
           .refused =
               [this](std::string_view error) { refuse("Redis refuses a command: " + std::string(error)); },
           .message = [](std::string_view, std::string_view) {}}),
      orders_(
          io, params.redis,
          {.up =
               [this] {
                 orders_.send({"SUBSCRIBE", orders_channel(prefix_)});
                 // What comes between reading and subscribing would be missed.
                 orders_.send({"SUBSCRIBE", revocations_.channel()}, [this](const redisReply* reply) {
                   if (reply && !stopped_ && is_up()) revocations_.agree();
                 });
               },
           .down = [](const std::string&) {},
           .refused =
               [this](std::string_view error) { refuse("Redis refuses a command: " + std::string(error)); },
           .message =
               [this](std::string_view channel, std::string_view payload) {
                 if (channel == revocations_.channel()) {
                   revocations_.on_message(payload);
                 } else {
                   on_order(channel, payload);
                 }
               }}),
      revocations_(commands_, seal_, prefix_,
                   {.revoked = hooks_.revoked,
                    .list = hooks_.list_revoked,
                    .refuse = [this](const std::string& what) { refuse(what); }}),
      timer_(io) {}

void Nodes::start() {
  commands_.start();
  orders_.start();
  wait();
}

void Nodes::stop() {
  stopped_ = true;
  timer_.cancel();
  // The connection is closed once Redis has answered, or is found to be away.
  if (commands_.is_up()) {
    commands_.send({"DEL", key_of(own_name_)}, [this](const redisReply*) { commands_.stop(); });
  } else {
    commands_.stop();
  }
  orders_.stop();
}

void Nodes::wait() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    write();
    read_names();
    if (orders_.is_up()) orders_.send({"PING"});
    wait();
  });
}

void Nodes::announce() {
  renew_at_ = {};
  if (stopped_) return;
  write();
  read_names();
}

// What changes all the time, such as traffic, is written with the rest.
void Nodes::write() {
  if (!commands_.is_up()) return;
  NodeRecord record = hooks_.describe();
  record.name = own_name_;
  NodeRecord slow = record;
  slow.octets_per_second = 0;
  std::string text = to_json(slow);
  const auto now = std::chrono::steady_clock::now();
  if (text == written_ && now < renew_at_) return;
  written_ = std::move(text);
  renew_at_ = now + kRenewal;
  record.began = began_;
  record.written_at = next_number();
  const std::string key = key_of(own_name_);
  const auto life = std::chrono::duration_cast<std::chrono::milliseconds>(kLife).count();
  commands_.send_together({{"SET", key, seal_.seal(key, to_json(record)), "PX", std::to_string(life)},
                           {"SADD", prefix_ + "nodes", own_name_}});
}

void Nodes::read_names() {
  commands_.send({"SMEMBERS", prefix_ + "nodes"}, [this](const redisReply* reply) {
    if (!reply || stopped_) return;
    if (reply->type == REDIS_REPLY_ERROR) {  // it is no set; every node writes its name into a new one
      commands_.send({"UNLINK", prefix_ + "nodes"});
      renew_at_ = {};
      return;
    }
    if (reply->type != REDIS_REPLY_ARRAY) return;
    // Those that are known come first, so that names of nobody do not take their place.
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
    read_records(std::move(names));
  });
}

// One by one, since whoever can write there may have written something of any length.
void Nodes::read_records(std::vector<std::string> names) {
  const auto texts = std::make_shared<Texts>();
  for (const std::string& name : names) {
    commands_.send({"GETRANGE", key_of(name), "0", kMaxRecord},
                   [this, texts, name, is_last = name == names.back()](const redisReply* reply) {
                     const auto text = text_of(reply);
                     (*texts)[name] =
                         text && !text->empty() ? std::optional<std::string>(*text) : std::nullopt;
                     if (reply && is_last && !stopped_) on_records(*texts);
                   });
  }
}

void Nodes::on_records(const Texts& texts) {
  std::vector<NodeRecord> records;
  std::vector<std::string> nobody;  // it is gone, or never was; a node comes back by itself
  for (const auto& [name, sealed] : texts) {
    const bool is_own = name == own_name_;
    if (!sealed) {
      if (!is_own) nobody.push_back(name);
      continue;
    }
    const std::string key = key_of(name);
    const auto text = seal_.open(key, *sealed);
    auto record = text ? parse_node_record(*text) : std::nullopt;
    if (!record || record->name != name) {
      refuse("the text at " + key + " is not signed with our secret, or makes no sense");
      // Somebody has written over it; the node itself writes again at once.
      const NodeRecord* latest = latest_of(name);
      if (is_own) {
        renew_at_ = {};
      } else if (latest) {
        records.push_back(*latest);
      } else {
        nobody.push_back(name);
      }
    } else if (is_own) {
      look_for_namesake(*record);
    } else if (is_fresh(*record)) {
      look_for_namesake(*record);
      last_heard_[name].good = *record;
      records.push_back(std::move(*record));
    }
  }
  remove_names(nobody);
  forget_long_gone();
  others_ = std::move(records);
  hooks_.changed(others_);
}

const NodeRecord* Nodes::latest_of(const std::string& name) const {
  const auto found = last_heard_.find(name);
  const bool is_there = found != last_heard_.end() && found->second.good &&
                        std::chrono::steady_clock::now() - found->second.since < kLife;
  return is_there ? &*found->second.good : nullptr;
}

void Nodes::remove_names(const std::vector<std::string>& names) {
  if (names.empty()) return;
  RedisConnection::Command command{"SREM", prefix_ + "nodes"};
  command.insert(command.end(), names.begin(), names.end());
  commands_.send(command);
}

// A record that stays the same is that of a node which does not write any more, even where its key lives on.
bool Nodes::is_fresh(const NodeRecord& record) {
  if (last_heard_.size() >= kMaxNodes && !last_heard_.contains(record.name)) return false;
  LastHeard& last = last_heard_[record.name];
  const auto now = std::chrono::steady_clock::now();
  if (record.written_at < last.record) {
    refuse("an old record of node " + record.name + " was written again");
    return false;
  }
  if (record.written_at > last.record) {
    last.record = record.written_at;
    last.since = now;
  }
  return now - last.since < kLife;
}

// A server that is started anew takes the place of its former run for good. Two that write in turn are two.
void Nodes::look_for_namesake(const NodeRecord& record) {
  LastHeard& last = last_heard_[record.name];
  const auto now = std::chrono::steady_clock::now();
  if (record.name == own_name_) {
    if (record.began == began_ || record.written_at < began_) return;
    if (now >= last.used_twice_until) {
      hooks_.warn("cluster: another server is node " + own_name_ +
                  " as well: cluster.node has to be another one on each");
    }
    last.used_twice_until = now + kNamesake;
    renew_at_ = {};  // so that the other one hears of it as well, whenever the two of them write
  } else if (record.began != last.began[0]) {
    if (record.began == last.began[1]) last.used_twice_until = now + kNamesake;
    last.began = {record.began, last.began[0]};
  }
}

bool Nodes::is_used_twice(const std::string& node) const {
  const auto found = last_heard_.find(node);
  return found != last_heard_.end() && std::chrono::steady_clock::now() < found->second.used_twice_until;
}

void Nodes::forget_long_gone() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(last_heard_, [&](const auto& entry) {
    return entry.first != own_name_ && now - entry.second.since > kMemory;
  });
}

std::uint64_t Nodes::next_number() { return numbers_.next(WallTime(Duration(milliseconds_since_1970()))); }

bool Nodes::give(const Order& order) {
  if (!is_up()) return false;
  const std::string channel = orders_channel(prefix_);
  const json::object text{{"node", own_name_}, {"number", next_number()}, {name_of(order.kind), order.name}};
  commands_.send({"PUBLISH", channel, seal_.seal(channel, json::serialize(text))});
  return true;
}

bool Nodes::share(const auth::Revocation& revocation) {
  if (!is_up()) return false;
  revocations_.share(revocation);
  return true;
}

void Nodes::on_order(std::string_view channel, std::string_view payload) {
  const auto text = seal_.open(channel, payload);
  const auto value = text ? parse_strict(*text) : std::nullopt;
  if (!value) return refuse("an order is not signed with our secret");
  JsonReader reader(*value);
  const std::string node = reader.text("node", NodeRecord::kMaxName);
  const std::uint64_t number = reader.number("number");
  const auto* kind =
      std::ranges::find_if(kOrders, [&](const auto& known) { return reader.has(known.second); });
  if (kind == std::ranges::end(kOrders)) return refuse("an order makes no sense");
  const Order order{kind->first, reader.text(kind->second, kMaxUser)};
  if (!reader.is_right() || order.name.empty() || node.empty()) return refuse("an order makes no sense");
  if (node == own_name_) return;  // it was done when it was given
  if (last_heard_.size() >= kMaxNodes && !last_heard_.contains(node)) return;
  LastHeard& last = last_heard_[node];
  if (number <= last.order || is_old(number))
    return refuse("an old order of node " + node + " was given again");
  last.order = number;
  last.since = std::max(last.since, std::chrono::steady_clock::now() - kLife);  // it is no record
  hooks_.obey(order);
}

void Nodes::refuse(const std::string& what) {
  ++refused_;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_warning_) return;
  next_warning_ = now + kBetweenWarnings;
  hooks_.warn("cluster: " + what + ": it is ignored");
}

}  // namespace turnpike::cluster
