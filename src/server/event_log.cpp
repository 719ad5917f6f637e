#include "server/event_log.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unictype.h>
#include <unistr.h>

namespace turnpike::server {
namespace {

constexpr std::size_t kLongestQuoted = 512;  // bytes of the text, as long as a user name may be

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

void log_event(const turn::Output::Event& event) {
  using Kind = turn::Output::Event::Kind;
  const std::string client = event.tuple.client.to_string();
  switch (event.kind) {
    case Kind::allocation_created:
      return spdlog::info("allocation created client={} user={} relayed={}", client, quoted(event.username),
                          event.relayed.to_string());
    case Kind::allocation_moved:
      return spdlog::info("allocation moved client={} user={} relayed={}", client, quoted(event.username),
                          event.relayed.to_string());
    case Kind::allocation_deleted:
      return spdlog::info("allocation deleted client={} user={} relayed={}", client, quoted(event.username),
                          event.relayed.to_string());
    case Kind::request_refused:
      return spdlog::info("{} refused client={} user={} error={} {}", name(event.method), client,
                          quoted(event.username), static_cast<unsigned>(event.error),
                          reason_phrase(event.error));
  }
}

}  // namespace

void log_events(std::span<const turn::Output::Event> events) {
  if (!spdlog::should_log(spdlog::level::info)) return;
  for (const turn::Output::Event& event : events) log_event(event);
}

std::string quoted(std::string_view text) {
  text = text.substr(0, kLongestQuoted);
  std::string result = "\"";
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto* end = at + text.size();
  while (at < end) {
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

}  // namespace turnpike::server
