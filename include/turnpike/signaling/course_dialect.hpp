// Gives Socket.IO's events the meaning that the front ends of WebRTC courses expect: rooms, nicknames, chat,
// and any other event that one client sends to another or to a room.
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
// A client may not send an event that only the server sends, such as token_revoked. When a member of another
// protocol uses such a name, the event arrives here as "signal" or "broadcast".
//
// When the server is about to end, the members of rooms get going_away ({deadline}), and so does every client
// that joins a room later. Calls go on until the deadline. When a token expires, its owner gets token_expired
// (). When a token is revoked, its owner gets token_revoked ().
//
// A refused request is acknowledged with {"error": code}. A client that wants no acknowledgement gets the
// event "error" with {event, code, message} instead. For a full room it gets "reject_join" as well.
#pragma once

#include <optional>
#include <string_view>

#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::signaling {

class CourseDialect final : public SocketIo::Application {
 public:
  // A change of the rooms sends the list of all rooms to every client. This costs more than anything else
  // that one client can cause. A list is sent at once while all lists together cost at most this many bytes a
  // second. Otherwise later changes are combined, and one list is sent when the earlier ones are paid for.
  static constexpr std::uint64_t kListBytesPerSecond = 1 << 20;
  static constexpr Duration kListBurst = std::chrono::seconds(1);

  // `socket_io` outlives this.
  explicit CourseDialect(SocketIo& socket_io) : socket_io_(socket_io), hub_(socket_io.hub()) {}

  void on_event(SocketIo::Call& call) override;
  void on_hub_event(SocketIo::Socket& socket, const Event& event, EngineIo::Output& out) override;
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
  void renew_token(Call& call);
  void relay(Call& call);

  std::optional<Refusal> say_in_room(Call& call, std::string_view room, MemberMessage message);
  void refuse_join(Call& call, Refusal refusal);
  void refuse(Call& call, Refusal refusal);
  // Acknowledges the call when `refusal` is empty; refuses the call otherwise.
  void conclude(Call& call, std::optional<Refusal> refusal);

  SocketIo& socket_io_;
  Hub& hub_;
  bool rooms_changed_ = false;    // whether rooms have changed since the last list was sent
  SteadyTime list_paid_until_{};  // when all lists so far have been sent at kListBytesPerSecond
};

}  // namespace turnpike::signaling
