// The plain JSON protocol of /ws. Each text frame is an object with a `type`. This class translates messages
// of connections to calls of the hub, and events of the hub to messages. It has no connection and no clock.
//
//   → join {room, name?, token?}    ← joined {room, self, peers, iceServers, expiresAt, resume}
//   → signal {to, data, event?}     ← signal {from, data, event?, rest?}: event is what Socket.IO calls it
//   → broadcast {data, event?}      ← broadcast {from, data, event?, rest?}
//   → leave                         ← peer-joined {peer}, peer-left {id, reason}: of others
//                                   ← peer-renamed {id, name}: another has a nickname, by Socket.IO
//   → resume {resume}               ← joined {..., resumed: true}, then what was missed
//   → ping {id}                     ← ack {id}: whether the line still lives
//   → ice-servers                   ← ice-servers {iceServers, expiresAt}: also unasked, before the old ones
//   expire
//   → token {token}                 ← ack: a fresh one in place of the one that the client came with
//                                   ← going-away {deadline}: the server ends then at the latest; calls go on
//
// When a token has expired, its owner is told by error {code: "token-expired"} without an id. It stays in its
// room, and gets no more credentials until it brings a fresh token. Those who joined before a reload made
// tokens necessary are told "token-required" when they would get their next credentials.
//
// `data` is passed on unchanged. When a Socket.IO client sends arguments after the target, the array `rest`
// has them. Binary attachments of such a client appear in both as {"base64":"AQID"}.
//
// A request with an `id` is answered by ack or error with the same id, after whatever else belongs to the
// answer.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "turnpike/base/address_limiter.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/signaling/hub.hpp"
#include "turnpike/signaling/ice_servers.hpp"
#include "turnpike/signaling/token.hpp"

namespace turnpike::signaling {

class PlainProtocol {
 public:
  static constexpr std::size_t kDeepest = 32;  // the deepest nesting of JSON

  // All references must outlive the protocol.
  struct Params {
    Hub& hub;
    IceServers& ice_servers;
    TokenVerifier& tokens;
    AddressLimiter& minting;  // limits how many credentials one address gets
    Access access = Access::open;
    Duration connect_timeout = std::chrono::seconds(45);  // the time in which a connection must join a room
  };

  // What is known of a connection before it says anything.
  struct Opening {
    IpAddress address;
    std::string host;   // the host that the client asked for; see IceServers::host_for
    std::string token;  // of an Authorization header
  };

  struct Output {
    struct Send {
      ConnectionId to;
      std::shared_ptr<const std::string> text;
    };
    struct Close {
      ConnectionId to;
      std::uint16_t code;  // RFC 6455 §7.4
      std::string_view reason;
    };
    std::vector<Send> sends;
    std::vector<Close> closes;      // after the sends
    std::vector<Delivery> foreign;  // for members that speak another protocol
    std::vector<Refused> refused;   // for the log
    void clear();
  };

  explicit PlainProtocol(const Params& params) : params_(params) {}

  // Changes the access for clients that join later, and the timeout for connections that open later.
  void set(Access access, Duration connect_timeout) {
    params_.access = access;
    params_.connect_timeout = connect_timeout;
  }
  // Tells all members, and every client that joins later, that the server will end at `deadline` or earlier.
  void announce_end(WallTime deadline, Output& out);

  // A WebSocket was opened. It is closed when it has not joined a room within connect_timeout.
  void on_open(ConnectionId connection, Opening opening, TimePoint now);
  // `text` is valid UTF-8.
  void on_text(ConnectionId connection, std::string_view text, TimePoint now, Output& out);
  // `clean` when the other side closed properly, not when it was cut off.
  void on_closed(ConnectionId connection, bool clean, TimePoint now, Output& out);

  // Closes the connections of members that have come back elsewhere.
  void close_replaced(std::span<const ConnectionId> connections, Output& out);
  // Tells the clients of members that were removed with their tokens, and closes the connections.
  void close_revoked(std::span<const ConnectionId> connections, Output& out);
  // Sends what members of other protocols have sent to members of this protocol.
  void deliver(std::span<const Delivery> deliveries, Output& out);

  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const;

 private:
  struct Session {
    ConnectionId connection = 0;
    Opening opening;
    MemberId member;         // nobody until it has joined
    std::string room;        // empty until then
    std::string quota_user;  // whom the relay's quota counts
    SteadyTime deadline{};   // the latest time to join; after that, the time of the next credentials
    // The expiry of the token with which it has joined. Nothing when no token is required.
    std::optional<WallTime> good_until;
    SteadyTime token_deadline{};     // the time to tell the client that its token has expired
    bool lacks_credentials = false;  // they were due, and there was no valid token
  };
  struct Request;

  std::optional<Refusal> carry_out(Request& request);
  std::optional<Refusal> join(Request& request);
  std::optional<Refusal> resume(Request& request);
  std::optional<Refusal> leave(Request& request);
  std::optional<Refusal> signal(Request& request);
  std::optional<Refusal> broadcast(Request& request);
  std::optional<Refusal> renew_credentials(Request& request);
  std::optional<Refusal> renew_token(Request& request);

  Result<Grant, Refusal> admit(const Request& request, std::string_view room);
  static std::optional<MemberMessage> read_message(const Request& request);
  void apply_grant(Session& session, const Grant& grant, TimePoint now);
  std::optional<Refusal> check_token(const Session& session, TimePoint now) const;
  void watch_token(Session& session, TimePoint now);
  static void send_token_error(Session& session, Refusal lack, Output& out);
  static void send_error(const Session& session, Refusal why, Output& out);
  void welcome(Session& session, bool resumed, TimePoint now, Output& out);
  void send_credentials(Session& session, TimePoint now, Output& out);
  void add_credentials(Session& session, TimePoint now, boost::json::object& to);
  void flush_hub(Output& out);
  void forget(Session& session);

  Params params_;
  std::shared_ptr<const std::string> end_;  // what members are told of it; null while no end is announced
  Hub::Output from_hub_;
  std::unordered_map<ConnectionId, Session> sessions_;
  Deadlines<ConnectionId> deadlines_;
  Deadlines<ConnectionId> token_deadlines_;
};

}  // namespace turnpike::signaling
