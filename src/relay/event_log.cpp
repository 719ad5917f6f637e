#include "relay/event_log.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unictype.h>
#include <unistr.h>

namespace turnpike::relay {
namespace {

constexpr std::size_t kMaxQuoted = 64;  // characters, or octets that are none

bool is_plain(ucs4_t c) {
  if (c == '"' || c == '\\') return false;
  return c == ' ' ||
         uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
                                                 UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S);
}

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

std::string describe(const turn::Output::Refusal& refused) {
  return fmt::format("client={} user={} error={} {}", refused.tuple.client.to_string(),
                     quoted(refused.username), static_cast<unsigned>(refused.error),
                     reason_phrase(refused.error));
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
  spdlog::info(
      "a client asked for a peer in {}, which is a network of this machine and closed; "
      "where clients may reach it: peers: allow: [\"{}\"]",
      to_string(network), to_string(network));
}

EventLog::~EventLog() { on_timeout(); }

void EventLog::log(std::span<const Lifetime> lifetimes) {
  for (const Lifetime& each : lifetimes) {
    spdlog::info("allocation {} client={} user={} relayed={}{}", name(each.kind),
                 each.tuple.client.to_string(), quoted(each.username), each.relayed.to_string(),
                 each.was_too_old ? " reason=allocation_age" : "");
  }
}

void EventLog::log(std::span<const Refusal> refusals, SteadyTime now) {
  for (const Refusal& each : refusals) log_refusal(each, now);
}

void EventLog::log_refusal(const Refusal& refusal, SteadyTime now) {
  if (refusal.network) hints_.advise(*refusal.network);
  if (period_ends_ == SteadyTime::max()) period_ends_ = now + kPeriod;
  if (refusal.answered && lines_ < kLinesPerPeriod) {
    ++lines_;
    return spdlog::info("{} refused {}", name(refusal.method), describe(refusal));
  }
  ++not_shown_;
  if (!refusal.answered) ++not_answered_;
  last_ = refusal;
}

void EventLog::on_timeout() {
  if (not_answered_ != 0) {
    spdlog::warn(
        "{} more requests refused, {} of them not answered (limits.failures_per_second); the last: {} {}",
        not_shown_, not_answered_, name(last_.method), describe(last_));
  } else if (not_shown_ != 0) {
    spdlog::info("{} more requests refused; the last: {} {}", not_shown_, name(last_.method),
                 describe(last_));
  }
  period_ends_ = SteadyTime::max();
  lines_ = 0;
  not_shown_ = not_answered_ = 0;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto* end = at + text.size();
  for (std::size_t shown = 0; at < end; ++shown) {
    if (shown == kMaxQuoted) return result + "\"...";
    ucs4_t c = 0;
    const int size = u8_mbtoucr(&c, at, static_cast<std::size_t>(end - at));
    if (size <= 0) {
      result += fmt::format("\\x{:02x}", *at++);
    } else {
      if (is_plain(c)) {
        result.append(reinterpret_cast<const char*>(at), static_cast<std::size_t>(size));
      } else {
        result += fmt::format("\\u{{{:x}}}", c);
      }
      at += size;
    }
  }
  return result + '"';
}

}  // namespace turnpike::relay
