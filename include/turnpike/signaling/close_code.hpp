// The status codes that this server puts into a WebSocket's Close frame (RFC 6455 §7.4).
#pragma once

#include <cstdint>
#include <string_view>

namespace turnpike::signaling {

inline constexpr std::uint16_t kNormalClosure = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;
inline constexpr std::uint16_t kUnsupportedData = 1003;
inline constexpr std::uint16_t kPolicyViolation = 1008;
// A code of this server: the client has resumed its session with another WebSocket, so it need not connect
// again.
inline constexpr std::uint16_t kResumedElsewhere = 4000;

// The reason that stands beside kGoingAway when the server ends or starts again.
inline constexpr std::string_view kRestarting = "restarting";
// The same when a reload has ended the service.
inline constexpr std::string_view kNoLongerServed = "no longer served";
// The reason that stands beside kUnsupportedData: the protocol has no binary messages.
inline constexpr std::string_view kTextOnly = "this protocol is text";

}  // namespace turnpike::signaling
