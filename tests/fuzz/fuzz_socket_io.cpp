// Fuzzes Engine.IO, Socket.IO and the plain protocol on one Hub: the input is a story of several clients,
// with one line for each step. Its first character names the client, and the second the event: `o` opens by
// polling, `w` by a WebSocket, `g` sends a GET, `p` posts the rest of the line (`|` means 0x1e), `P` begins
// another POST and `e` ends the last one that was begun, `r` is a POST that the owner refuses, `a` gives up
// the waiting GET, `u` opens a WebSocket for an upgrade, `U` one that accepts no binary frames, `f` is a text
// frame on the client's WebSocket, `F` on the probing one, `b` a binary one, `s` says that what its WebSocket
// was given is sent, `c` and `C` close these, `j` makes the client a plain member that sends the rest of the
// line, `k` cuts this member off, `~` with a number lets that many milliseconds pass (`!` does the same,
// without calling the server), and `x` closes all. In messages, <n> means the id of client n, and <pn> the id
// to recover it with. A first line `echo` or `recover` selects the server's settings.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <string>

#include "fuzz/expect.hpp"
#include "support/manual_clock.hpp"
#include "support/scripted_random.hpp"
#include "turnpike/base/text.hpp"
#include "turnpike/signaling/json_slice.hpp"
#include "turnpike/signaling/plain_protocol.hpp"
#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::fuzz {
namespace {

using namespace std::chrono_literals;
using namespace signaling;
using Output = EngineIo::Output;

constexpr std::size_t kClients = 5;
constexpr std::size_t kSteps = 120;
constexpr Limits kLimits{.members_per_room = 3,
                         .rooms_per_member = 2,
                         .rooms_per_address = 4,
                         .missed_messages = 4,
                         .missed_bytes = 256};

IceParams ice() {
  IceParams params;
  params.listeners = {{Transport::udp, *Endpoint::parse("0.0.0.0:3478")}};
  params.default_address = IpAddress::parse("192.0.2.1");
  params.secret = "north";
  return params;
}

class World {
 public:
  World(Preset preset, Duration recovery)
      : socket_io_(
            {.hub = hub_,
             .tokens = tokens_,
             .random = random_,
             .settings = {.preset = preset, .recovery = recovery, .list_rooms = preset == Preset::course}}),
        engine_({.max_waiting = 4096, .max_packets = 64}, random_, socket_io_),
        plain_({.hub = hub_, .ice_servers = ice_servers_, .tokens = tokens_, .minting = no_limit_}) {
    socket_io_.use(engine_);
  }

  void play(std::string_view story) {
    for (std::size_t steps = 0; steps < kSteps && !story.empty(); ++steps) {
      const std::size_t end = std::min(story.find('\n'), story.size());
      step(story.substr(0, end));
      story.remove_prefix(std::min(end + 1, story.size()));
      expect(engine_.sessions() == 0 || engine_.next_deadline() != SteadyTime::max(),
             "a session has a deadline");
    }
    for (Client& client : clients_) {
      Output out;
      if (client.plain != 0) plain_.on_closed(std::exchange(client.plain, 0), true, clock_.now(), said_);
      take(out);
    }
    Output out;
    engine_.close_all(clock_.now(), out);
    take(out);
    expect(engine_.sessions() == 0 && wires_.empty() && waiting_.empty(), "all are answered and closed");
    pass(10min);
    expect(hub_.members() == 0 && hub_.rooms() == 0, "in the end nothing is left");
    expect(next_deadline() == SteadyTime::max(), "and nothing is waited for");
  }

 private:
  struct Client {
    std::string sid = "nobody";
    std::string id = "nobody";
    std::string pid = "nothing";
    RequestId get = 0;    // the last
    RequestId begun = 0;  // likewise, a POST
    WebSocketId wire = 0;
    WebSocketId probing = 0;
    ConnectionId plain = 0;
  };

  void step(std::string_view line) {
    if (line.size() < 2) return;
    const std::size_t who = static_cast<unsigned char>(line[0] - '0') % kClients;
    const char what = line[1];
    const std::string text = with_ids(line.substr(2));
    Client& client = clients_[who];
    const TimePoint now = clock_.now();
    Output out;
    switch (what) {
      case 'o': engine_.open(request(who), opening(who), now, out); break;
      case 'w':
        client.wire = wire(who);
        engine_.open_web_socket(client.wire, opening(who), now, out);
        break;
      case 'g':
        client.get = request(who);
        engine_.get(client.sid, client.get, now, out);
        break;
      case 'p': posts(who, text, out); break;
      case 'P': {
        client.begun = ++last_request_;
        const bool may = engine_.begin_post(client.sid, client.begun, now, out);
        expect(may || !engine_.is_known(client.sid, now), "a second POST ends the session");
        break;
      }
      case 'e': return engine_.end_post(client.sid, client.begun);
      case 'r': engine_.on_post_refused(client.sid, now, out); break;
      case 'a':
        if (waiting_.erase(client.get) == 0) return;
        engine_.on_aborted(client.get, now, out);
        break;
      case 'u':
      case 'U': {
        const WebSocketId number = wire(who);
        const bool known = engine_.is_known(client.sid, now);
        engine_.upgrade(client.sid, number, what == 'U', now, out);
        const bool closed = std::ranges::find(out.closes, number) != out.closes.end();
        expect(known || closed, "nobody takes over what is not there");
        if (!closed) client.probing = number;
        break;
      }
      case 'f': frame(client.wire, text, false, out); break;
      case 'F':
        frame(client.probing, text, false, out);
        if (text == "5" && wires_.contains(client.probing)) client.wire = client.probing;
        break;
      case 'b': frame(client.wire, text, true, out); break;
      case 's': engine_.on_sent(client.wire, now, out); break;
      case 'c': closes(client.wire, text == "1", out); break;
      case 'C': closes(client.probing, false, out); break;
      case 'j':
        if (is_text(text)) says(who, text);
        break;
      case 'k':
        if (client.plain != 0) plain_.on_closed(std::exchange(client.plain, 0), false, now, said_);
        break;
      case 'x': engine_.close_all(now, out); break;
      case '~': return pass(duration(text));
      case '!': return clock_.advance(duration(text));
      default: return;
    }
    take(out);
  }

  // WebSocket text is valid UTF-8; here it is without control characters too.
  static bool is_text(std::string_view text) { return count_characters(text).has_value(); }

  void posts(std::size_t who, std::string text, Output& out) {
    std::ranges::replace(text, '|', '\x1e');
    const RequestId number = request(who);
    engine_.post(clients_[who].sid, number, text, clock_.now(), out);
    expect(std::ranges::count(out.answers, number, &Output::Answer::to) == 1, "a POST is answered at once");
  }
  void frame(WebSocketId number, const std::string& text, bool binary, Output& out) {
    if (!wires_.contains(number) || (!binary && !is_text(text))) return;
    engine_.on_frame(number, text, binary, clock_.now(), out);
  }
  void closes(WebSocketId number, bool clean, Output& out) {
    if (wires_.erase(number) == 0) return;
    engine_.on_web_socket_closed(number, clean, clock_.now(), out);
  }
  void says(std::size_t who, const std::string& text) {
    Client& client = clients_[who];
    if (client.plain == 0) {
      client.plain = ++last_plain_;
      plain_.on_open(client.plain, {.address = address(who), .host = {}, .token = {}}, clock_.now());
    }
    plain_.on_text(client.plain, text, clock_.now(), said_);
  }

  static IpAddress address(std::size_t who) {
    return IpAddress::v4(static_cast<std::uint32_t>(0xC6336401 + who / 2));
  }
  static EngineIo::Opening opening(std::size_t who) {
    return {.address = address(who), .host = {}, .token = {}};
  }
  RequestId request(std::size_t who) {
    waiting_.emplace(++last_request_, who);
    return last_request_;
  }
  WebSocketId wire(std::size_t who) {
    wires_.emplace(++last_wire_, who);
    return last_wire_;
  }

  static Duration duration(std::string_view digits) {
    std::uint32_t milliseconds = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
    return Duration(milliseconds % 1'000'000);
  }
  SteadyTime next_deadline() const {
    return std::min({engine_.next_deadline(), socket_io_.next_deadline(), plain_.next_deadline()});
  }
  void pass(Duration time) {
    const SteadyTime until = clock_.now().steady + time;
    for (SteadyTime next = next_deadline(); next <= until; next = next_deadline()) {
      clock_.advance(std::max(next - clock_.now().steady, Duration::zero()));
      Output out;
      plain_.on_timeout(clock_.now(), said_);
      socket_io_.on_timeout(clock_.now(), out);
      engine_.on_timeout(clock_.now(), out);
      take(out);
    }
    clock_.advance(until - clock_.now().steady);
  }

  // --- What must hold
  void take(Output& out) {
    plain_.deliver(socket_io_.take_foreign(), said_);
    socket_io_.deliver(std::exchange(said_.foreign, {}), out);
    expect(socket_io_.take_foreign().empty(), "what is heard makes nobody speak back");
    for (const auto& send : said_.sends) learn_plain(send);
    for (const auto& close : said_.closes) {
      for (Client& client : clients_) {
        if (client.plain == close.to) client.plain = 0;
      }
    }
    said_.clear();
    for (const auto& answer : out.answers) {
      const auto asked = waiting_.find(answer.to);
      expect(asked != waiting_.end(), "a request is answered once, and never when it was given up");
      expect(answer.status == 200 || answer.status == 400, "with one of two");
      if (answer.status == 200 && answer.body != "ok") {
        const auto packets = decode_payload(answer.body);
        expect(packets.has_value(), "every body decodes");
        for (const EngineIoPacket& packet : *packets) check(packet, asked->second);
      }
      waiting_.erase(asked);
    }
    for (const auto& frame : out.frames) {
      const auto to = wires_.find(frame.to);
      expect(to != wires_.end(), "no frame goes to a closed WebSocket");
      if (frame.binary) {
        check({EngineIoType::message, true, *frame.data}, to->second);
      } else {
        const auto packet = decode_packet(*frame.data);
        expect(packet.has_value(), "every frame decodes");
        check(*packet, to->second);
      }
    }
    for (const WebSocketId asked : out.asks_when_sent)
      expect(wires_.contains(asked), "nothing is asked of a closed WebSocket");
    for (const auto& closes : {out.closes, out.closes_after_next})
      for (const WebSocketId closed : closes) expect(wires_.erase(closed) == 1, "a WebSocket is closed once");
  }

  void check(const EngineIoPacket& packet, std::size_t who) {
    Client& client = clients_[who];
    if (packet.type == EngineIoType::open) client.sid = value_of(packet.data, "sid");
    if (packet.type != EngineIoType::message || packet.binary) return;
    const std::string& text = packet.data;
    if (text.starts_with('4')) return;  // of a namespace, as the client wrote it
    const auto inner = decode_socket_io(text);
    expect(inner.has_value(), "every packet decodes");
    if (inner->type == SocketIoType::connect) {
      client.id = value_of(text, "sid");
      if (text.find(R"("pid")") != std::string::npos) client.pid = value_of(text, "pid");
    }
    for (const std::string_view part : json_elements(inner->json)) {
      const bool ours = part.find(kMark) != std::string_view::npos;
      expect(!ours || part == kLetters || part.find(kLetters) != std::string_view::npos, "letter by letter");
    }
  }

  void learn_plain(const PlainProtocol::Output::Send& send) {
    const auto to = std::ranges::find(clients_, send.to, &Client::plain);
    expect(to != clients_.end(), "whoever is sent something is there");
    expect(is_text(*send.text), "what is sent is text");
    if (send.text->starts_with(R"({"type":"joined")")) to->id = value_of(*send.text, "self");
  }

  static std::string value_of(std::string_view text, const std::string& key) {
    const std::string head = '"' + key + R"(":")";
    const std::size_t at = text.find(head);
    expect(at != std::string_view::npos, "it is told what it is called");
    const std::size_t start = at + head.size();
    return std::string(text.substr(start, text.find('"', start) - start));
  }

  // <L> is a value that no writer would write like this.
  static constexpr std::string_view kMark = "1.10e";
  static constexpr std::string_view kLetters = R"({ "l" :1.10e0,"\u006c":[-0 ]})";

  std::string with_ids(std::string_view line) const {
    std::string text(line);
    for (std::size_t i = 0; i < kClients; ++i) {
      replace(text, '<' + std::to_string(i) + '>', clients_[i].id);
      replace(text, "<p" + std::to_string(i) + '>', clients_[i].pid);
    }
    replace(text, kMark, "1");
    replace(text, "<L>", kLetters);
    return text;
  }
  static void replace(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
      text.replace(at, what.size(), by);
  }

  test::ManualClock clock_;
  test::ScriptedRandom random_;
  Hub hub_{kLimits, random_};
  IceServers ice_servers_{ice()};
  TokenVerifier tokens_{{"south"}};
  AddressLimiter no_limit_{0, 0, HashKey{1, 0}};
  SocketIo socket_io_;
  EngineIo engine_;
  PlainProtocol plain_;
  PlainProtocol::Output said_;
  std::array<Client, kClients> clients_;
  std::map<RequestId, std::size_t> waiting_;  // and who asks
  std::map<WebSocketId, std::size_t> wires_;  // those that are open, and whose
  RequestId last_request_ = 0;
  WebSocketId last_wire_ = 0;
  ConnectionId last_plain_ = 0;
};

bool take_line(std::string_view& story, std::string_view line) {
  if (!story.starts_with(line)) return false;
  story.remove_prefix(line.size());
  return true;
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike;
  std::string_view story = as_text({data, size});
  const auto preset = fuzz::take_line(story, "echo\n") ? signaling::Preset::echo : signaling::Preset::course;
  const bool recovers = fuzz::take_line(story, "recover\n");
  fuzz::World(preset, recovers ? Duration(std::chrono::minutes(2)) : Duration::zero()).play(story);
  return 0;
}
