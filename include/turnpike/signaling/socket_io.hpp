// The server's side of Socket.IO 5 over Engine.IO: namespaces, events, acknowledgements, binary attachments
// and recovery. An Application, which the preset chooses, decides what the events mean. Each socket is a
// member of the hub, so it can share rooms with members of other protocols.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
  using Attachments = std::vector<MemberMessage::Attachment>;
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
    // The only room that its token allows; nothing means that it allows all.
    std::optional<std::string> allowed_room;
    std::string pid;                 // its secret for recovery; empty when recovery is off
    std::vector<std::string> rooms;  // as clients call them
    std::deque<Sent> sent;
    std::size_t sent_bytes = 0;
    std::uint64_t last_offset = 0;
    SteadyTime deadline{};               // while it is cut off
    std::optional<WallTime> good_until;  // the expiry of its token; nothing when no token is required
    SteadyTime token_deadline{};         // the time to tell the client that its token has expired
  };

  // An event of a client, for the application. It views the message that had the event.
  struct Call {
    Socket& socket;
    std::string_view name;
    std::vector<std::string_view> arguments;  // JSON
    Attachments& attachments;
    std::optional<std::uint64_t> ack;
    TimePoint now;
    EngineIo::Output& out;
  };

  // Decides what the events mean. From within these functions it may call the functions "for applications" of
  // SocketIo.
  class Application {
   public:
    virtual ~Application() = default;
    // Whether clients may connect to this namespace.
    virtual bool has_namespace(std::string_view nsp) const { return nsp == "/"; }
    // A socket has connected; `auth` is the JSON that its client sent along, which may be empty.
    virtual void on_connect(Socket&, std::string_view /*auth*/, EngineIo::Output&) {}
    virtual void on_event(Call& call) = 0;
    // Another member, which may use any protocol, has sent this event to the socket.
    virtual void on_hub_event(Socket& socket, const Event& event, EngineIo::Output& out) = 0;
    virtual void on_token_expired(Socket&, EngineIo::Output&) {}
    // The socket is disconnected after this call.
    virtual void on_token_revoked(Socket&, EngineIo::Output&) {}
    // The server will end, at `deadline` at the latest, and this socket is in some room.
    virtual void on_end_announced(Socket&, WallTime /*deadline*/, EngineIo::Output&) {}
    // Rooms may have begun or ended without an event of this application.
    virtual void on_rooms_changed(TimePoint, EngineIo::Output&) {}
    virtual void on_timeout(TimePoint, EngineIo::Output&) {}
    // SteadyTime::max() when nothing is waited for.
    virtual SteadyTime next_deadline() const { return SteadyTime::max(); }
  };

  // What may change while clients are connected.
  struct Settings {
    Access access = Access::open;  // for those who join
    Preset preset = Preset::course;
    Duration connect_timeout = std::chrono::seconds(45);
    Duration recovery{};  // 0: off. A recoverable event carries its offset as one more argument.
    bool list_rooms = false;
    // What new clients are told as EngineIo::Params::max_payload. An event whose attachments have more octets
    // together ends the session; 2.5 MiB are always accepted.
    std::size_t max_payload = 0;
  };
  struct Params {
    Hub& hub;
    TokenVerifier& tokens;
    crypto::Random& random;
    Settings settings{};
  };

  struct Counters {
    std::uint64_t room_lists = 0;          // room lists that were sent
    std::uint64_t room_lists_put_off = 0;  // changes that wait for a later list
  };

  explicit SocketIo(const Params& params);
  ~SocketIo() override;

  // Call this once, before all other functions. SocketIo and EngineIo refer to each other.
  void use(EngineIo& engine) { engine_ = &engine; }

  void on_session(SessionKey session, const EngineIo::Opening& opening, TimePoint now) override;
  void on_message(SessionKey session, std::string_view data, bool binary, TimePoint now,
                  EngineIo::Output& out) override;
  void on_session_closed(SessionKey session, bool clean, TimePoint now, EngineIo::Output& out) override;

  // Sends what members of any protocol have sent to sockets.
  void deliver(std::span<const Delivery> deliveries, EngineIo::Output& out);
  // Tells the sockets of members that were removed with their tokens, and disconnects them.
  void close_revoked(std::span<const ConnectionId> connections, TimePoint now, EngineIo::Output& out);
  // Rooms have begun or ended on other nodes.
  void on_rooms_changed(TimePoint now, EngineIo::Output& out) { application_->on_rooms_changed(now, out); }
  // Returns what sockets have sent to members of other protocols since the last call.
  std::vector<Delivery> take_foreign() { return std::exchange(foreign_, {}); }
  // Returns what was refused since the last call, for the log.
  std::vector<Refused> take_refused() { return std::exchange(refused_, {}); }
  // Changes the settings. If list_rooms has become true, the list is sent. If the preset changes, all
  // sessions must have ended before.
  void set(const Settings& settings, TimePoint now, EngineIo::Output& out);

  // Tells the sockets in rooms that the server will end, at `deadline` at the latest. One that is cut off is
  // told when it comes back.
  void announce_end(WallTime deadline, EngineIo::Output& out);

  const Counters& counters() const { return counters_; }

  // --- For applications
  // Sends an event. `arguments` are JSON, with commas between them.
  void emit(Socket& socket, std::string_view name, std::string_view arguments, const Attachments& attachments,
            EngineIo::Output& out);
  // Answers a call whose client has asked for it. `arguments` are a JSON array.
  void acknowledge(const Call& call, std::string_view arguments, const Attachments& attachments = {});
  // Records for the log that a request of the client of this session was refused.
  void report_refused(Refusal why, SessionKey session);
  // Lets the socket do what this grant allows, and no more.
  void apply_grant(Socket& socket, const Grant& grant, TimePoint now);
  // Why the socket may not join rooms now; nothing when it may. It has no token when it connected before a
  // reload made tokens necessary.
  std::optional<Refusal> check_token(const Socket& socket, TimePoint now) const;
  // All sockets whose clients are connected.
  template <class Visitor>
  void for_each_socket(Visitor&& visit) {
    for (auto& [number, socket] : sockets_) {
      if (socket.session != 0) visit(socket);
    }
  }
  const Settings& settings() const { return settings_; }
  // When the server will end at the latest; nothing while no end is announced.
  std::optional<WallTime> announced_end() const { return end_; }
  Hub& hub() { return hub_; }
  // What the hub tells because of an application's call; it is delivered when the call has returned.
  Hub::Output& from_hub() { return from_hub_; }
  TokenVerifier& tokens() { return tokens_; }
  Counters& mutable_counters() { return counters_; }

  void on_timeout(TimePoint now, EngineIo::Output& out);
  SteadyTime next_deadline() const;

 private:
  // The client of an Engine.IO session, with or without sockets.
  struct Client {
    SessionKey session = 0;
    EngineIo::Opening opening;
    std::map<std::string, SocketNumber> sockets;  // by namespace
    // The namespaces that it was put out of, and may not have heard of it.
    std::set<std::string> put_out;
    bool connected = false;  // whether it has ever connected to a namespace
    SteadyTime deadline{};   // the latest time to connect to a namespace
    // A packet whose attachments are still to come.
    std::string partial;
    std::uint32_t missing = 0;
    Attachments attachments;
    std::size_t attachment_bytes = 0;
    std::size_t most_attached = 0;  // the limit of attachment_bytes
  };

  void handle_packet(Client& client, const SocketIoPacket& packet, Attachments attachments, TimePoint now,
                     EngineIo::Output& out);
  void connect(Client& client, const SocketIoPacket& packet, TimePoint now, EngineIo::Output& out);
  void open_socket(Client& client, const SocketIoPacket& packet, const Grant& grant, TimePoint now,
                   EngineIo::Output& out);
  bool recover(Client& client, const SocketIoPacket& packet, const Grant& grant, TimePoint now,
               EngineIo::Output& out);
  void watch_token(Socket& socket, TimePoint now);
  void refuse(const Client& client, std::string_view nsp, std::string_view message, EngineIo::Output& out);
  void disconnect(Client& client, std::string_view nsp, TimePoint now, EngineIo::Output& out);
  void close_socket(Socket& socket, TimePoint now, EngineIo::Output& out);
  void send(const Socket& socket, const SocketIoPacket& packet, const Attachments& attachments,
            EngineIo::Output& out);
  void flush_hub(EngineIo::Output& out);

  Hub& hub_;
  TokenVerifier& tokens_;
  crypto::Random& random_;
  Settings settings_;
  std::optional<WallTime> end_;
  EngineIo* engine_ = nullptr;
  std::unique_ptr<Application> application_;
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
  Counters counters_;
};

}  // namespace turnpike::signaling
