#include "cluster/sealed_orders.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "cluster/json_reader.hpp"
#include "cluster/node_record.hpp"

namespace turnpike::cluster {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxUser = 1024;  // octets of a user name in an order
constexpr std::size_t kMaxResult = 32;  // octets of the result in an answer

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

const char* to_string(OrderResult result) { return name_of(result, kResults); }

std::string SealedOrders::seal(std::uint64_t number, const Order& order) {
  const json::object text{
      {"node", own_.name}, {"number", number}, {name_of(order.kind, kOrders), order.name}};
  return seal_.seal(own_.orders, json::serialize(text));
}

std::optional<GivenOrder> SealedOrders::open(std::string_view sealed) {
  const auto text = seal_.open(own_.orders, sealed);
  const auto value = text ? parse_strict(*text) : std::nullopt;
  if (!value) return refuse("an order is not signed with our secret");
  JsonReader reader(*value);
  GivenOrder given{reader.text("node", NodeRecord::kMaxName), reader.number("number"), {}};
  const auto* kind =
      std::ranges::find_if(kOrders, [&](const auto& known) { return reader.has(known.second); });
  const bool is_known = kind != std::ranges::end(kOrders);
  if (is_known) given.order = {kind->first, reader.text(kind->second, kMaxUser)};
  if (is_known && reader.is_right() && !given.order.name.empty() && !given.node.empty()) return given;
  return refuse("an order is malformed");
}

RedisConnection::Command SealedOrders::answer(const std::string& to, std::uint64_t order,
                                              OrderResult result) {
  const std::string channel = own_.answers_channel(to);
  const json::object text{{"node", own_.name}, {"to", order}, {"result", to_string(result)}};
  return {"PUBLISH", channel, seal_.seal(channel, json::serialize(text))};
}

std::optional<OrderAnswer> SealedOrders::open_answer(std::string_view sealed) {
  const auto text = seal_.open(own_.answers_channel(own_.name), sealed);
  const auto value = text ? parse_strict(*text) : std::nullopt;
  if (!value) return refuse("an answer to an order is not signed with our secret");
  JsonReader reader(*value);
  OrderAnswer answer{reader.text("node", NodeRecord::kMaxName), reader.number("to"), OrderResult::failed};
  const std::string result = reader.text("result", kMaxResult);
  if (!reader.is_right() || answer.node.empty()) return refuse("an answer to an order is malformed");
  const auto* known = std::ranges::find_if(kResults, [&](const auto& one) { return result == one.second; });
  if (known != std::ranges::end(kResults)) answer.result = known->first;
  return answer;
}

std::nullopt_t SealedOrders::refuse(const char* what) {
  log_.ignore(what);
  return std::nullopt;
}

}  // namespace turnpike::cluster
