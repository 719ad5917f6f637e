// Engine.IO 4 as a server: sessions that begin as HTTP requests or as a WebSocket, move from the one to the
// other, and are kept alive by pings. No socket and no clock: requests and frames come in with the time, what
// to answer and to send goes out, and messages go to an application.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/source_counter.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/signaling/engine_io_packet.hpp"

namespace turnpike::signaling {

// Numbers given by whoever owns the connections, never twice; 0 is none.
using RequestId = std::uint64_t;  // an HTTP request that waits for its answer
using WireId = std::uint64_t;     // a WebSocket
using SessionKey = std::uint64_t;

// What a refused request is told, as a body of HTTP 400.
enum class EngineIoError : std::uint8_t {
  transport_unknown = 0,
  session_unknown = 1,
  bad_handshake_method = 2,
  bad_request = 3,
  unsupported_version = 5,
};
std::string to_json(EngineIoError error);

class EngineIo {
 public:
  struct Params {
    Duration ping_interval = std::chrono::seconds(25);
    Duration ping_timeout = std::chrono::seconds(20);
    std::uint32_t max_payload = 64 << 10;    // bytes that a client may send at once
    std::uint32_t max_waiting = 1 << 20;     // bytes that may wait for a client that does not ask for them
    std::uint32_t max_packets = 16 << 10;    // likewise, packets
    std::uint32_t sessions_per_address = 0;  // 0: no limit; an IPv6 /64 counts as one
    Duration upgrade_timeout = std::chrono::seconds(10);
  };

  // What is known of a client when its session begins.
  struct Opening {
    IpAddress address;
    std::string host;     // see IceServers::host_for
    std::string token;    // of an Authorization header
    bool base64 = false;  // takes binary messages as text only, over a WebSocket too (b64=1)
  };

  struct Output {
    struct Answer {
      RequestId to;
      unsigned status;
      std::string body;  // text, or JSON of an error
    };
    struct Frame {
      WireId to;
      std::shared_ptr<const std::string> data;
      bool binary;
    };
    std::vector<Answer> answers;
    std::vector<Frame> frames;
    std::vector<WireId> closes;        // after the frames
    std::vector<IpAddress> crowded{};  // addresses that have too many sessions to begin another, for the log
    std::vector<IpAddress> slow{};     // addresses of sessions that took too little of what they were sent
    void clear();
  };

  // Whom the messages are for. It may send and close from within these calls.
  class Application {
   public:
    virtual ~Application() = default;
    virtual void on_session(SessionKey session, const Opening& opening, TimePoint now) = 0;
    virtual void on_message(SessionKey session, std::string_view data, bool binary, TimePoint now,
                            Output& out) = 0;
    // `clean` when the client closed properly.
    virtual void on_session_closed(SessionKey session, bool clean, TimePoint now, Output& out) = 0;
  };

  // From now on these hold. A session keeps the ping interval and timeout that its client was told.
  void set_params(const Params& params);

  // References outlive this.
  EngineIo(const Params& params, crypto::Random& random, Application& application)
      : params_(params),
        random_(random),
        application_(application),
        sessions_from_(params.sessions_per_address) {}

  // Over HTTP. Each request is answered exactly once in some Output, unless it was aborted.
  void open(RequestId request, const Opening& opening, TimePoint now, Output& out);
  void get(std::string_view sid, RequestId request, TimePoint now, Output& out);
  void post(std::string_view sid, RequestId request, std::string_view body, TimePoint now, Output& out);
  // A POST has begun, and its body is still to come; end_post() follows in any case. Returns false when
  // another one of the session has not ended yet. Then the session has ended.
  bool begin_post(std::string_view sid, RequestId request, TimePoint now, Output& out);
  void end_post(std::string_view sid, RequestId request);
  // The client went away while its request was waiting.
  void on_aborted(RequestId request, TimePoint now, Output& out);

  // Over a WebSocket.
  void open_wire(WireId wire, const Opening& opening, TimePoint now, Output& out);
  // A WebSocket that wants to take the session over; closed where another has, or is about to. `base64` as in
  // Opening.
  void upgrade(std::string_view sid, WireId wire, bool base64, TimePoint now, Output& out);
  void on_frame(WireId wire, std::string_view data, bool binary, TimePoint now, Output& out);
  void on_wire_closed(WireId wire, bool clean, TimePoint now, Output& out);

  // Whether there is such a session.
  bool is_known(std::string_view sid, TimePoint now) const;
  // Whether an address has as many sessions as it may, and what it is told then, as a body of HTTP 429.
  bool is_full(const IpAddress& address) const { return sessions_from_.is_full(address); }
  static std::string too_many_sessions();

  // By the application; a session that is gone is left alone.
  void send(SessionKey session, std::string_view data, bool binary, Output& out);
  // The application hears of it in time.
  void close(SessionKey session);

  void close_all(TimePoint now, Output& out);
  void on_timeout(TimePoint now, Output& out);
  SteadyTime next_deadline() const { return deadlines_.next(); }
  std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session {
    SessionKey key = 0;
    IpAddress source;
    std::string sid;
    WireId wire = 0;      // 0 while it polls
    WireId probing = 0;   // a WebSocket that wants to take over
    bool probed = false;  // it has asked, and was answered
    bool base64 = false;  // no binary frames, see Opening
    Duration ping_interval{};
    Duration ping_timeout{};
    RequestId waiting_get = 0;
    RequestId begun_post = 0;
    std::vector<EngineIoPacket> waiting;
    std::size_t waiting_bytes = 0;
    bool expects_pong = false;
    bool closing = false;   // to be ended as soon as the call that did it returns
    SteadyTime ping_due{};  // the next ping, or the last moment for a pong
    SteadyTime upgrade_due{};
    SteadyTime deadline{};
  };

  // Null where its address has too many already.
  Session* begin(const Opening& opening, TimePoint now);
  std::string handshake(const Session& session) const;
  Session* find(std::string_view sid, TimePoint now, Output& out);
  Session* find(SessionKey key);
  void take(Session& session, const EngineIoPacket& packet, TimePoint now, Output& out);
  void take_probe(Session& session, const EngineIoPacket& packet, Output& out);
  void send_packet(Session& session, EngineIoPacket packet, Output& out);
  void release_get(Session& session, Output& out);
  void drop_probe(Session& session, Output& out);
  // What a held GET is told at the end of its session.
  void end(Session& session, EngineIoType last_word, bool clean, TimePoint now, Output& out);
  void end_if_closing(SessionKey key, TimePoint now, Output& out);
  void set_deadline(Session& session);

  Params params_;
  crypto::Random& random_;
  Application& application_;
  SessionKey last_key_ = 0;
  std::unordered_map<SessionKey, Session> sessions_;
  SourceCounter sessions_from_;
  std::unordered_map<std::string, SessionKey> by_sid_;
  std::unordered_map<WireId, SessionKey> by_wire_;
  std::unordered_map<RequestId, SessionKey> by_get_;
  Deadlines<SessionKey> deadlines_;
};

}  // namespace turnpike::signaling
