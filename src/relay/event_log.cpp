#include "relay/event_log.hpp"

#include <spdlog/spdlog.h>

#include "relay/log_event.hpp"
#include "turnpike/base/shown_address.hpp"

namespace turnpike::relay {
namespace {

std::string_view name(stun::Method method) {
  switch (method) {
    case stun::Method::binding: return "Binding";
    case stun::Method::allocate: return "Allocate";
    case stun::Method::refresh: return "Refresh";
    case stun::Method::create_permission: return "CreatePermission";
    case stun::Method::channel_bind: return "ChannelBind";
    case stun::Method::connect: return "Connect";
    case stun::Method::connection_bind: return "ConnectionBind";
    default: return "request";
  }
}

LogEvent describe(const turn::Output::Refusal& refused) {
  const auto code = static_cast<unsigned>(refused.error);
  const std::string_view reason = refused.expired ? "Credentials expired" : reason_phrase(refused.error);
  LogEvent event("refused", std::string(name(refused.method)) + " refused");
  event.field("method", name(refused.method))
      .add("client", shown_address(refused.tuple.client))
      .add_quoted("user", refused.username)
      .say("error=" + std::to_string(code) + ' ' + std::string(reason))
      .field("code", code)
      .field("reason", reason)
      .field("transport", to_string(refused.tuple.transport));
  if (refused.peer) event.add("peer", shown_address(*refused.peer));
  return event;
}

std::string_view name(turn::Output::Lifetime::Kind kind) {
  using Kind = turn::Output::Lifetime::Kind;
  switch (kind) {
    case Kind::created: return "created";
    case Kind::moved: return "moved";
    case Kind::deleted: return "deleted";
  }
  return "";
}

}  // namespace

void NetworkHints::advise(const Prefix& network) {
  const std::lock_guard lock(mutex_);
  if (!known_.insert(network).second) return;
  const std::string shown = to_string(network);
  LogEvent(
      "network_closed",
      fmt::format("a client asked for a peer in {}, a network of this machine, which clients cannot reach; "
                  "to allow it, set peers: allow: [\"{}\"]",
                  shown, shown))
      .field("network", shown)
      .field("key", "peers.allow")
      .write(spdlog::level::info);
}

EventLog::~EventLog() { on_timeout(); }

void EventLog::log(std::span<const Lifetime> lifetimes) {
  if (!spdlog::should_log(spdlog::level::info)) return;
  for (const Lifetime& each : lifetimes) {
    const std::string_view what = name(each.kind);
    LogEvent event("allocation_" + std::string(what), "allocation " + std::string(what));
    event.add("client", shown_address(each.tuple.client))
        .add_quoted("user", each.username)
        .add("relayed", each.relayed.to_string())
        .add("transport", to_string(each.tuple.transport))
        .add("id", std::to_string(worker_) + '-' + std::to_string(each.number));
    if (each.kind == Lifetime::Kind::deleted) {
      event.add("reason", to_string(each.reason))
          .add("duration_s", static_cast<std::uint64_t>(each.age.count()))
          .add("rx_bytes", each.rx_bytes)
          .add("tx_bytes", each.tx_bytes)
          .add("rx_packets", each.rx_packets)
          .add("tx_packets", each.tx_packets)
          .add("peers", each.peers);
      if (each.dropped_packets != 0) event.add("dropped_packets", each.dropped_packets);
    }
    event.write(spdlog::level::info);
  }
}

void EventLog::log(std::span<const Refusal> refusals, SteadyTime now) {
  for (const Refusal& each : refusals) log_refusal(each, now);
}

void EventLog::log_refusal(const Refusal& refusal, SteadyTime now) {
  if (refusal.network) hints_.advise(*refusal.network);
  if (period_ends_ == SteadyTime::max()) period_ends_ = now + kPeriod;
  const IpAddress& address = refusal.tuple.client.address;
  auto source = sources_.find(address);
  if (source == sources_.end() && sources_.size() < kMaxAddresses)
    source = sources_.emplace(address, Source{}).first;
  const bool is_known = source != sources_.end();
  if (refusal.answered && is_known && source->second.lines < kLinesPerAddress && lines_ < kLinesPerPeriod) {
    ++source->second.lines;
    ++lines_;
    return describe(refusal).write(spdlog::level::info);
  }
  Unshown& unshown = is_known ? source->second.unshown : others_;
  ++unshown.count;
  if (!refusal.answered) ++unshown.not_answered;
  unshown.last = refusal;
}

// The number of requests comes last. It stands after the texts that the client has chosen, so it cannot be
// taken for a part of them.
void EventLog::log_unshown(const Unshown& unshown) {
  LogEvent event = describe(unshown.last);
  event.add("count", unshown.count);
  if (unshown.not_answered != 0)
    event.add("not_answered", unshown.not_answered).say("(limits.failures_per_second)");
  event.write(unshown.not_answered != 0 ? spdlog::level::warn : spdlog::level::info);
}

void EventLog::on_timeout() {
  for (const auto& [address, source] : sources_) {
    if (source.unshown.count != 0) log_unshown(source.unshown);
  }
  if (others_.count != 0) {
    LogEvent("more_refused",
             fmt::format(
                 "{} more requests, from other addresses, were refused; the next line is about the last one",
                 others_.count))
        .field("count", others_.count)
        .write(spdlog::level::info);
    describe(others_.last).write(spdlog::level::info);
  }
  period_ends_ = SteadyTime::max();
  lines_ = 0;
  sources_.clear();
  others_ = {};
}

}  // namespace turnpike::relay
