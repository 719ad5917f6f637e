// Socket.IO 5 as a server, over Engine.IO: namespaces, events, acknowledgements, binary attachments and
// recovery; and the applications that it carries. A socket is a member of the hub, so that it meets whoever
// is in the same room by whatever protocol.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "turnpike/base/deadlines.hpp"
#include "turnpike/signaling/engine_io.hpp"
#include "turnpike/signaling/hub.hpp"
#include "turnpike/signaling/socket_io_packet.hpp"
#include "turnpike/signaling/token.hpp"

namespace turnpike::signaling {

class SocketIo : public EngineIo::Application {
 public:
  // What may change while clients are connected.
  struct Settings {
    Access access = Access::open;  // for those who join
    Preset preset = Preset::course;
    Duration connect_timeout = std::chrono::seconds(45);
    Duration recovery{};  // 0: off. A recoverable event carries its offset as one more argument.
    bool list_rooms = false;
  };
  struct Params {
    Hub& hub;
    TokenVerifier& tokens;
    crypto::Random& random;
    Settings settings{};
  };

  // A list of all rooms, written whole to everybody at each change, is the dearest thing that a client can
  // cause. It is sent at once while lists cost no more than this; then changes are put together until the
  // last list is paid for.
  static constexpr std::uint64_t kListBytesPerSecond = 1 << 20;
  static constexpr Duration kListBurst = std::chrono::seconds(1);

  struct Counters {
    std::uint64_t room_lists = 0;          // that were written
    std::uint64_t room_lists_put_off = 0;  // changes that wait for a later list
  };

  explicit SocketIo(const Params& params);

  // To be called once, before anything else: the two need each other.
  void use(EngineIo& engine) { engine_ = &engine; }

  void on_session(SessionKey session, const EngineIo::Opening& opening, TimePoint now) override;
  void on_message(SessionKey session, std::string_view data, bool binary, TimePoint now,
                  EngineIo::Output& out) override;
  void on_session_closed(SessionKey session, bool clean, TimePoint now, EngineIo::Output& out) override;

  // What members of any protocol tell sockets.
  void deliver(std::span<const Delivery> deliveries, EngineIo::Output& out);
  // Rooms have come or gone on other nodes.
  void on_rooms_changed(TimePoint now, EngineIo::Output& out) { tell_rooms(now, out); }
  // What sockets told members of other protocols since this was last called.
  std::vector<Delivery> take_foreign() { return std::exchange(foreign_, {}); }
  // What was refused since this was last called, for the log.
  std::vector<Refused> take_refused() { return std::exchange(refused_, {}); }
  // From now on these settings hold. A list of rooms that is now wanted is sent. When the preset changes, all
  // sessions must have ended before.
  void set(const Settings& settings, TimePoint now, EngineIo::Output& out);

  const Counters& counters() const { return counters_; }

  void on_timeout(TimePoint now, EngineIo::Output& out);
  SteadyTime next_deadline() const;

 private:
  using Attachments = std::vector<Saying::Attachment>;
  using SocketNumber = ConnectionId;  // with kSocketIoBit

  // An event that may have to be sent again.
  struct Sent {
    std::uint64_t offset;
    std::string text;
    Attachments attachments;
  };

  struct Socket {
    SocketNumber number = 0;
    SessionKey session = 0;  // 0: cut off, and may be recovered
    std::string nsp;
    MemberId member;
    std::string nickname;
    std::optional<std::string> allowed_room;  // that its token is for
    std::string pid;                          // its secret for recovery; empty where that is off
    std::vector<std::string> rooms;           // as clients call them
    std::deque<Sent> sent;
    std::size_t sent_bytes = 0;
    std::uint64_t last_offset = 0;
    SteadyTime deadline{};               // while it is cut off
    std::optional<WallTime> good_until;  // of its token; nothing where none is asked for
    SteadyTime token_deadline{};         // to be told at that the token has expired
  };

  struct Client {
    SessionKey session = 0;
    EngineIo::Opening opening;
    std::map<std::string, SocketNumber> sockets;  // by namespace
    bool connected = false;                       // has been in some namespace
    SteadyTime deadline{};                        // to be in one by
    // A packet whose attachments are still to come.
    std::string partial;
    std::uint32_t missing = 0;
    Attachments attachments;
    std::size_t attachment_bytes = 0;
  };

  // An event on its way to an application. Views what it came in.
  struct Call {
    Socket& socket;
    std::string_view name;
    std::vector<std::string_view> arguments;  // JSON
    Attachments& attachments;
    std::optional<std::uint64_t> ack;
    TimePoint now;
    EngineIo::Output& out;
  };

  void take(Client& client, const SocketIoPacket& packet, Attachments attachments, TimePoint now,
            EngineIo::Output& out);
  void connect(Client& client, const SocketIoPacket& packet, TimePoint now, EngineIo::Output& out);
  void open_socket(Client& client, const SocketIoPacket& packet, const Grant& grant, TimePoint now,
                   EngineIo::Output& out);
  bool recover(Client& client, const SocketIoPacket& packet, const Grant& grant, TimePoint now,
               EngineIo::Output& out);
  static bool is_expired(const Socket& socket, TimePoint now);
  void hold_to(Socket& socket, const Grant& grant, TimePoint now);
  void watch_token(Socket& socket, TimePoint now);
  void note(Refusal why, SessionKey session);
  void refuse(const Client& client, std::string_view nsp, std::string_view message, EngineIo::Output& out);
  void disconnect(Client& client, std::string_view nsp, TimePoint now, EngineIo::Output& out);
  void close_socket(Socket& socket, TimePoint now, EngineIo::Output& out);
  void send(const Socket& socket, const SocketIoPacket& packet, const Attachments& attachments,
            EngineIo::Output& out);
  void emit(Socket& socket, std::string_view name, std::string_view arguments, const Attachments& attachments,
            EngineIo::Output& out);
  void acknowledge(const Call& call, std::string_view arguments, const Attachments& attachments = {});
  void flush_hub(EngineIo::Output& out);

  // The course dialect.
  struct CourseEvent;
  void on_course_event(Call& call);
  void join_room(Call& call);
  void leave_room(Call& call);
  void set_nickname(Call& call);
  void new_message(Call& call);
  void chat(Call& call);
  void take_token(Call& call);
  void relay(Call& call);
  std::string scoped(const Socket& socket, std::string_view room) const;
  std::optional<Refusal> say_in_room(Call& call, std::string_view room, Saying saying);
  void turn_down(Call& call, Refusal refusal);
  // Acknowledges, or turns down.
  void conclude(Call& call, std::optional<Refusal> refusal);
  SteadyTime list_due() const;
  void tell_rooms(TimePoint now, EngineIo::Output& out);

  void on_echo_event(Call& call);

  Hub& hub_;
  TokenVerifier& tokens_;
  crypto::Random& random_;
  Settings settings_;
  EngineIo* engine_ = nullptr;
  std::vector<std::string> namespaces_;
  Hub::Output from_hub_;
  std::vector<Delivery> foreign_;
  SocketNumber last_number_ = kSocketIoBit;
  std::unordered_map<SessionKey, Client> clients_;
  std::unordered_map<SocketNumber, Socket> sockets_;
  std::unordered_map<std::string, SocketNumber> by_pid_;
  // Of clients that are in no namespace yet, by session, and of sockets that are cut off, by number.
  Deadlines<std::uint64_t> deadlines_;
  Deadlines<std::uint64_t> token_deadlines_;  // of sockets
  std::vector<Refused> refused_;
  bool rooms_changed_ = false;    // since they were last told
  SteadyTime list_paid_until_{};  // when all lists so far have been sent at kListBytesPerSecond
  Counters counters_;
};

}  // namespace turnpike::signaling
