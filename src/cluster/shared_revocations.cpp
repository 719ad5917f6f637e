#include "cluster/shared_revocations.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdint>
#include <utility>

#include "cluster/json_reader.hpp"
#include "cluster/redis_reply.hpp"
#include "turnpike/auth/params.hpp"

namespace turnpike::cluster {
namespace {

namespace json = boost::json;
using auth::Revocation;
using auth::Revocations;

constexpr std::array<std::string_view, Revocation::kKinds> kRevocationKinds{"token", "subject", "user"};
constexpr std::size_t kMaxKind = 16;                      // octets
constexpr std::uint64_t kLatestTime = 4'000'000'000'000;  // milliseconds since 1970
constexpr std::size_t kMaxTogether = 500;                 // commands at once

WallTime wall_now() {
  return WallTime(std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
}

std::string milliseconds(WallTime time) { return std::to_string(time.time_since_epoch().count()); }

WallTime to_time(std::uint64_t milliseconds) {
  return WallTime(Duration(static_cast<Duration::rep>(milliseconds)));
}

}  // namespace

SharedRevocations::SharedRevocations(RedisConnection& commands, Seal& seal, ClusterLog& log, std::string key,
                                     Hooks hooks)
    : commands_(commands), seal_(seal), log_(log), key_(std::move(key)), hooks_(std::move(hooks)) {}

void SharedRevocations::on_message(std::string_view sealed) {
  auto revocation = open(sealed);
  if (!revocation) {
    log_.ignore("a revocation is not signed with our secret, or is malformed");
    return;
  }
  hooks_.revoked({std::move(*revocation)});
}

void SharedRevocations::share(const Revocation& revocation, const std::function<void(bool)>& then) {
  std::vector<RedisConnection::Command> commands{expiry_command()};
  add_publication(revocation, commands);
  commands_.send_together(commands, [then](const redisReply* reply) { then(is_done(reply)); });
}

void SharedRevocations::synchronize() {
  const std::size_t most = Revocation::kKinds * Revocations::kMax;
  commands_.send(expiry_command());
  commands_.send({"ZREVRANGE", key_, "0", std::to_string(most - 1)}, [this](const redisReply* reply) {
    if (reply) merge(*reply);
  });
}

void SharedRevocations::check(SteadyTime now) {
  if (now < next_check_) return;
  next_check_ = now + kBetweenChecks;
  commands_.send({"ZCARD", key_}, [this](const redisReply* reply) {
    const bool is_short = reply && reply->type == REDIS_REPLY_INTEGER &&
                          static_cast<std::size_t>(reply->integer) < hooks_.list().size();
    if (is_short || is_wrong_type(reply)) synchronize();
  });
}

void SharedRevocations::merge(const redisReply& reply) {
  // The value is not a sorted set. It is deleted, and the revocations that are known here make a new one.
  if (is_wrong_type(&reply)) commands_.send({"UNLINK", key_});
  const std::size_t count = reply.type == REDIS_REPLY_ARRAY ? reply.elements : 0;
  const WallTime now = wall_now();
  Revocations there;
  std::vector<Revocation> revoked;
  for (std::size_t i = 0; i < count; ++i) {
    const auto sealed = text_of(reply.element[i]);
    auto one = sealed ? open(*sealed) : std::nullopt;
    if (!one) {
      log_.ignore("something at " + key_ + " is not signed with our secret, or is malformed");
    } else if (there.add(*one, now)) {
      revoked.push_back(std::move(*one));
    }
  }
  std::vector<RedisConnection::Command> missing;
  for (const Revocation& one : hooks_.list()) {
    if (!there.includes(one)) add_publication(one, missing);
    if (missing.size() >= kMaxTogether) commands_.send_together(std::exchange(missing, {}));
  }
  if (!missing.empty()) commands_.send_together(missing);
  if (!revoked.empty()) hooks_.revoked(std::move(revoked));
}

std::optional<Revocation> SharedRevocations::open(std::string_view sealed) {
  const auto text = seal_.open(key_, sealed);
  const auto value = text ? parse_strict(*text) : std::nullopt;
  if (!value) return std::nullopt;
  JsonReader reader(*value);
  const auto* const kind = std::ranges::find(kRevocationKinds, reader.text("kind", kMaxKind));
  const std::string name = reader.text("name", auth::kMaxUserName);
  const std::uint64_t since = reader.number("since");
  const std::uint64_t until = reader.number("until");
  reader.require(kind != kRevocationKinds.end() && !name.empty() && since <= kLatestTime &&
                 until <= kLatestTime);
  if (!reader.is_right()) return std::nullopt;
  return Revocation{static_cast<Revocation::Kind>(kind - kRevocationKinds.begin()), name, to_time(since),
                    to_time(until)};
}

std::string SharedRevocations::seal(const Revocation& revocation) {
  const json::object text{{"kind", std::string(kRevocationKinds[static_cast<std::size_t>(revocation.kind)])},
                          {"name", revocation.name},
                          {"since", revocation.since.time_since_epoch().count()},
                          {"until", revocation.until.time_since_epoch().count()}};
  return seal_.seal(key_, json::serialize(text));
}

void SharedRevocations::add_publication(const Revocation& revocation,
                                        std::vector<RedisConnection::Command>& commands) {
  const std::string sealed = seal(revocation);
  commands.push_back({"ZADD", key_, milliseconds(revocation.until), sealed});
  commands.push_back({"PUBLISH", key_, sealed});
}

RedisConnection::Command SharedRevocations::expiry_command() const {
  return {"ZREMRANGEBYSCORE", key_, "-inf", milliseconds(wall_now())};
}

}  // namespace turnpike::cluster
