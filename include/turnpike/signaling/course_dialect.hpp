// What Socket.IO's events mean to front ends as WebRTC courses have them: rooms, nicknames, chat, and
// anything else that one client sends to another or to a room.
//
//   join_room, enter_room    (room[, ack]) or (room, nickname)
//   leave_room               (room[, ack])
//   nickname                 (name)
//   new_message              (text, room[, ack]): the others get "nickname: text"
//   chat                     (text, room): the others get the text
//   token                    (token[, ack]): a new one before the old one expires
//   any other                (data, target, ...): the target, a room or a socket, gets (data, sender, ...)
//
// A room, a name or a text may be wrapped: enter_room({"payload":"blue"}).
//
// Events that only the server says, such as token_revoked, are refused. What a member of another protocol
// says under such a name arrives as "signal" or "broadcast".
//
// When the server will end, those in rooms get going_away ({deadline}), and so does whoever joins a room
// then; calls go on until the deadline. When a token has expired, its owner gets token_expired (), and when
// it was revoked, token_revoked ().
//
// A request that is refused is acknowledged with {"error": code}. Where its client wants no acknowledgement,
// it is told by the event "error" with {event, code, message}; a full room is told by "reject_join" as well.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::signaling {

class CourseDialect final : public SocketIo::Application {
 public:
  // A list of all rooms, written whole to everybody at each change, is the dearest thing that a client can
  // cause. It is sent at once while lists cost no more than this; then changes are put together until the
  // last list is paid for.
  static constexpr std::uint64_t kListBytesPerSecond = 1 << 20;
  static constexpr Duration kListBurst = std::chrono::seconds(1);

  // `socket_io` outlives this.
  explicit CourseDialect(SocketIo& socket_io) : socket_io_(socket_io), hub_(socket_io.hub()) {}

  void on_event(SocketIo::Call& call) override;
  void on_told(SocketIo::Socket& socket, const Event& event, EngineIo::Output& out) override;
  void on_token_expired(SocketIo::Socket& socket, EngineIo::Output& out) override;
  void on_token_revoked(SocketIo::Socket& socket, EngineIo::Output& out) override;
  void on_end_announced(SocketIo::Socket& socket, WallTime deadline, EngineIo::Output& out) override;
  void on_rooms_changed(TimePoint now, EngineIo::Output& out) override;
  void on_timeout(TimePoint now, EngineIo::Output& out) override;
  SteadyTime next_deadline() const override;

 private:
  using Socket = SocketIo::Socket;
  using Call = SocketIo::Call;
  struct Handler;

  void join_room(Call& call);
  void leave_room(Call& call);
  void set_nickname(Call& call);
  void new_message(Call& call);
  void chat(Call& call);
  void take_token(Call& call);
  void relay(Call& call);

  std::optional<Refusal> say_in_room(Call& call, std::string_view room, Saying saying);
  void refuse_join(Call& call, Refusal refusal);
  void turn_down(Call& call, Refusal refusal);
  // Acknowledges, or turns down.
  void conclude(Call& call, std::optional<Refusal> refusal);

  SocketIo& socket_io_;
  Hub& hub_;
  bool rooms_changed_ = false;    // since they were last told
  SteadyTime list_paid_until_{};  // when all lists so far have been sent at kListBytesPerSecond
};

}  // namespace turnpike::signaling
