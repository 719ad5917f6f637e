// The server's side of Engine.IO 4. A session begins with HTTP requests or as a WebSocket, can change from
// HTTP to a WebSocket, and is kept alive by pings. This class has no socket and no clock: the caller passes
// requests, frames and the time, finds the results in an Output, and an Application gets the messages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/source_counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/engine_io_packet.hpp"
#include "turnpike/signaling/engine_io_queue.hpp"

namespace turnpike::signaling {

// The owner of the connections chooses these numbers and uses none of them twice. 0 means none.
using RequestId = std::uint64_t;    // an HTTP request that waits for its answer
using WebSocketId = std::uint64_t;  // a WebSocket
using SessionKey = std::uint64_t;

// Why a request is refused. to_json() writes the body of the answer, whose status is 400, or 403 for
// `forbidden`.
enum class EngineIoError : std::uint8_t {
  transport_unknown = 0,
  session_unknown = 1,
  bad_handshake_method = 2,
  bad_request = 3,
  forbidden = 4,
  unsupported_version = 5,
};
std::string to_json(EngineIoError error);

class EngineIo {
 public:
  struct Params {
    Duration ping_interval = std::chrono::seconds(25);
    Duration ping_timeout = std::chrono::seconds(20);
    std::uint32_t max_payload = 64 << 10;  // bytes that a client may send at once
    // Bytes and packets that may be queued for a client that polls. More may be queued while it fetches, see
    // below.
    std::uint32_t max_waiting = 1 << 20;
    std::uint32_t max_packets = 16 << 10;
    std::uint32_t sessions_per_address = 0;  // 0: no limit; an IPv6 /64 counts as one
    Duration upgrade_timeout = std::chrono::seconds(10);
  };

  // More than max_waiting does not end a session at once (see EngineIoQueue): the client has this time to
  // fetch something, and again after each answer that leaves too much behind. One answer has max_waiting at
  // most, or one packet. A WebSocket that takes the session over meanwhile gets what waits in parts as well,
  // each when the one before was sent.
  static constexpr Duration kFetchTime = std::chrono::seconds(10);

  // What is known of a client when its session begins.
  struct Opening {
    IpAddress address;
    std::string host;     // see IceServers::host_for
    std::string token;    // the token of the Authorization header; empty when there is none
    bool base64 = false;  // takes binary messages as text only, over a WebSocket too (b64=1)
  };

  struct Output {
    struct Answer {
      RequestId to;
      unsigned status;
      std::string body;  // text, or JSON of an error
    };
    struct Frame {
      WebSocketId to;
      std::shared_ptr<const std::string> data;
      bool binary;
    };
    std::vector<Answer> answers;
    std::vector<Frame> frames;
    std::vector<WebSocketId> closes;  // the owner closes these after it has sent the frames
    // The owner closes these when their client's next message has come: a client whose probe was answered
    // says first that it takes the WebSocket, and notices only afterwards that it ends.
    std::vector<WebSocketId> closes_after_next;
    // The owner calls on_sent() when what was sent to these until now is on its way.
    std::vector<WebSocketId> asks_when_sent{};
    std::vector<IpAddress> crowded{};  // addresses that have too many sessions to begin another, for the log
    // Addresses of sessions that were ended because their clients read too slowly.
    std::vector<IpAddress> slow{};
    void clear();
  };

  // The receiver of the messages. It may call send() and close() from within these functions.
  class Application {
   public:
    virtual ~Application() = default;
    virtual void on_session(SessionKey session, const Opening& opening, TimePoint now) = 0;
    virtual void on_message(SessionKey session, std::string_view data, bool binary, TimePoint now,
                            Output& out) = 0;
    // `clean` is true when the client has closed the session properly, and false when the connection was
    // lost.
    virtual void on_session_closed(SessionKey session, bool clean, TimePoint now, Output& out) = 0;
  };

  // Changes the parameters. An existing session keeps the ping interval, the ping timeout and the max_payload
  // that its client was told.
  void set_params(const Params& params);

  // All references must outlive this object.
  EngineIo(const Params& params, crypto::Random& random, Application& application)
      : params_(params),
        random_(random),
        application_(application),
        queues_{params.max_waiting, params.max_packets},
        sessions_from_(params.sessions_per_address) {}
  EngineIo(const EngineIo&) = delete;
  EngineIo& operator=(const EngineIo&) = delete;

  // Requests over HTTP. Each of them gets exactly one answer, in this Output or in a later one, unless
  // on_aborted() was called for it.
  void open(RequestId request, const Opening& opening, TimePoint now, Output& out);
  void get(std::string_view sid, RequestId request, TimePoint now, Output& out);
  void post(std::string_view sid, RequestId request, std::string_view body, TimePoint now, Output& out);
  // Call this when the headers of a POST have arrived, before its body is read, and call end_post()
  // afterwards in any case. Returns false, and ends the session, when another POST of the session has not
  // ended yet.
  bool begin_post(std::string_view sid, RequestId request, TimePoint now, Output& out);
  void end_post(std::string_view sid, RequestId request);
  // The owner has refused a POST of this session. The session ends, since what was in the POST is missing.
  void on_post_refused(std::string_view sid, TimePoint now, Output& out);
  // Call this when the client has disconnected while its request was waiting for an answer.
  void on_aborted(RequestId request, TimePoint now, Output& out);

  // Over a WebSocket.
  void open_web_socket(WebSocketId web_socket, const Opening& opening, TimePoint now, Output& out);
  // A WebSocket asks to take over the session. It is closed when another WebSocket has the session or has
  // asked for it before. `base64` has the same meaning as in Opening. One that sends no probe in time is
  // closed. One whose probe was answered may take longer, because its client has stopped polling and only
  // waits for the answers to its last requests; it is closed when the client polls nevertheless.
  void upgrade(std::string_view sid, WebSocketId web_socket, bool base64, TimePoint now, Output& out);
  void on_frame(WebSocketId web_socket, std::string_view data, bool binary, TimePoint now, Output& out);
  // See Output::asks_when_sent.
  void on_sent(WebSocketId web_socket, TimePoint now, Output& out);
  void on_web_socket_closed(WebSocketId web_socket, bool clean, TimePoint now, Output& out);

  // Whether a session with this id exists and has not expired.
  bool is_known(std::string_view sid, TimePoint now) const;
  // The bytes that the client of this session was told it may send at once; 0 when there is no such session.
  std::uint32_t max_payload(std::string_view sid) const;
  // is_full() says whether the address has reached its limit of sessions. too_many_sessions() is the body of
  // the answer for that case, whose status is 429.
  bool is_full(const IpAddress& address) const { return sessions_from_.is_full(address); }
  static std::string too_many_sessions();

  // The application calls send() and close(). Both do nothing when the session has ended.
  void send(SessionKey session, std::string_view data, bool binary, Output& out);
  // The session ends when the present call of this class returns; on_session_closed() tells the application.
  void close(SessionKey session);

  // Ends all sessions. The application is told when none is left, so no client hears from it that another one
  // has gone.
  void close_all(TimePoint now, Output& out);
  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const { return deadlines_.next(); }
  std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session {
    explicit Session(EngineIoQueue::Common& queues) : waiting(queues) {}

    SessionKey key = 0;
    IpAddress source;
    std::string sid;
    WebSocketId web_socket = 0;  // 0 while it polls
    WebSocketId probing = 0;     // a WebSocket that wants to take over
    bool probed = false;         // whether its probe was answered
    bool base64 = false;         // no binary frames, see Opening
    Duration ping_interval{};
    Duration ping_timeout{};
    std::uint32_t max_payload = 0;
    RequestId waiting_get = 0;
    RequestId answered_get = 0;  // the latest; its answer may still be in the Output, at `answer`
    std::size_t answer = 0;
    RequestId begun_post = 0;
    EngineIoQueue waiting;
    SteadyTime fetch_due{};  // the last moment to fetch some of it; see kFetchTime
    bool expects_pong = false;
    bool closing = false;   // to be ended as soon as the call that did it returns
    SteadyTime ping_due{};  // the next ping, or the last moment for a pong
    SteadyTime upgrade_due{};
    SteadyTime deadline{};

    // Whether the time for the upgrade has passed since the probe was answered.
    bool is_overdue() const { return probed && upgrade_due == SteadyTime::max(); }
  };

  // Returns null when the address has reached its limit of sessions.
  Session* begin(const Opening& opening, TimePoint now);
  static std::string handshake(const Session& session);
  Session* find(std::string_view sid, TimePoint now, Output& out);
  Session* find(SessionKey key);
  void handle_packet(Session& session, const EngineIoPacket& packet, TimePoint now, Output& out);
  void handle_probe(Session& session, const EngineIoPacket& packet, TimePoint now, Output& out);
  void send_packet(Session& session, EngineIoPacket packet, Output& out);
  static void send_frame(const Session& session, EngineIoPacket packet, Output& out);
  void send_waiting(Session& session, TimePoint now, Output& out);
  void send_ping(Session& session, Output& out);
  void release_get(Session& session, Output& out);
  void check_fetching(Session& session, TimePoint now, Output& out);
  void drop(Session& session, Output& out);
  bool add_to_answer(const Session& session, const EngineIoPacket& packet, Output& out) const;
  void on_upgrade_due(Session& session, Output& out);
  void drop_probe(Session& session, Output& out);
  // Ends a session. A GET that is waiting is answered with a packet of type `last_word`.
  void end(Session& session, EngineIoType last_word, bool clean, TimePoint now, Output& out);
  // The same without telling the application.
  void forget(Session& session, EngineIoType last_word, bool clean, Output& out);
  void end_if_closing(SessionKey key, TimePoint now, Output& out);
  void set_deadline(Session& session);

  Params params_;
  crypto::Random& random_;
  Application& application_;
  SessionKey last_key_ = 0;
  EngineIoQueue::Common queues_;
  std::unordered_map<SessionKey, Session> sessions_;
  SourceCounter sessions_from_;
  std::unordered_map<std::string, SessionKey> by_sid_;
  std::unordered_map<WebSocketId, SessionKey> by_web_socket_;
  std::unordered_map<RequestId, SessionKey> by_get_;
  Deadlines<SessionKey> deadlines_;
};

}  // namespace turnpike::signaling
