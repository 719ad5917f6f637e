// Socket.IO over Engine.IO in one test, with members of the plain protocol in the same rooms. The lines of
// EngineIoScenario have one more form, for messages to these members: "pat> {...}". <ann> is the id of a
// socket, and <ann's pid> the id by which it can be recovered.
#pragma once

#include <string>
#include <string_view>

#include "support/engine_io_scenario.hpp"
#include "turnpike/signaling/plain_protocol.hpp"
#include "turnpike/signaling/socket_io.hpp"

namespace turnpike::test {

struct SocketIoSetup {
  signaling::Limits limits = {};
  signaling::Access access = signaling::Access::open;
  std::vector<std::string> token_secrets = {};
  signaling::Preset preset = signaling::Preset::course;
  Duration recovery{};
  bool list_rooms = false;
  signaling::EngineIo::Params engine = {};
};

struct SocketIoParts {
  explicit SocketIoParts(const SocketIoSetup& setup)
      : hub(setup.limits, random),
        tokens(setup.token_secrets),
        socket_io({.hub = hub,
                   .tokens = tokens,
                   .random = random,
                   .settings = {.access = setup.access,
                                .preset = setup.preset,
                                .recovery = setup.recovery,
                                .list_rooms = setup.list_rooms,
                                .max_payload = setup.engine.max_payload}}),
        plain({.hub = hub, .ice_servers = ice_servers, .tokens = tokens, .minting = no_limit}) {}

  ScriptedRandom random;
  signaling::Hub hub;
  signaling::TokenVerifier tokens;
  signaling::SocketIo socket_io;
  signaling::IceServers ice_servers{{.listeners = {{Transport::udp, endpoint("0.0.0.0:3478")}},
                                     .host = "turn.example.org",
                                     .certificate_name = {},
                                     .advertise = {},
                                     .default_address = {},
                                     .secret = "north"}};
  AddressLimiter no_limit{0, 0, HashKey{1, 0}};
  signaling::PlainProtocol plain;
};

class SocketIoScenario : public SocketIoParts, public EngineIoScenario {
 public:
  explicit SocketIoScenario(const SocketIoSetup& setup = {})
      : SocketIoParts(setup), EngineIoScenario(socket_io, random, setup.engine) {
    socket_io.use(engine());
  }
  // When all connections have ended, the server must have no state left.
  ~SocketIoScenario() override {
    step(0, [&](Output&) {
      for (const auto& [name, number] : plain_) plain.on_closed(number, true, now(), said_);
    });
    all_closed(0);
    advance(10min, 0);
    CHECK(engine().sessions() == 0);
    CHECK(hub.members() == 0);
    CHECK(hub.rooms() == 0);
    CHECK(next_deadline() == SteadyTime::max());
  }

  // Connects to a namespace over a WebSocket.
  Lines connects(const std::string& name, const std::string& auth = {}, int line = __builtin_LINE()) {
    opens_wire(name, {}, line);
    return frames(name, "40" + auth, false, line);
  }
  Lines emits(const std::string& name, const std::string& event, int line = __builtin_LINE()) {
    return frames(name, "42" + event, false, line);
  }
  void join(const std::string& room, std::initializer_list<std::string> names) {
    for (const std::string& name : names) {
      connects(name, {}, 0);
      emits(name, R"(["join_room",")" + room + "\"]", 0);
    }
  }

  // A member of the plain protocol.
  Lines plain_joins(const std::string& name, const std::string& room, int line = __builtin_LINE()) {
    plain_[name] = plain_.size() + 1;
    plain.on_open(plain_[name], {.address = address("198.51.100.2"), .host = {}, .token = {}}, now());
    return plain_says(name, R"({"type":"join","room":")" + room + R"(","name":")" + name + "\"}", line);
  }
  Lines plain_says(const std::string& name, const std::string& text, int line = __builtin_LINE()) {
    return step(line, [&](Output&) { plain.on_text(plain_.at(name), with_ids(text), now(), said_); });
  }
  Lines plain_drops(const std::string& name, int line = __builtin_LINE()) {
    const auto number = plain_.extract(name).mapped();
    return step(line, [&](Output&) { plain.on_closed(number, false, now(), said_); });
  }

  Lines announces_end(WallTime deadline, int line = __builtin_LINE()) {
    return step(line, [&](Output& out) {
      plain.announce_end(deadline, said_);
      socket_io.announce_end(deadline, out);
    });
  }

  SteadyTime next_deadline() const override {
    return std::min({EngineIoScenario::next_deadline(), socket_io.next_deadline(), plain.next_deadline()});
  }

 protected:
  void wake(Output& out) override {
    plain.on_timeout(now(), said_);
    socket_io.on_timeout(now(), out);
    EngineIoScenario::wake(out);
  }

  // Does the same as SignalingSite::flush.
  void settle(Output& out) override {
    plain.deliver(socket_io.take_foreign(), said_);
    const std::vector<signaling::Delivery> foreign = std::exchange(said_.foreign, {});
    socket_io.deliver(foreign, out);
    for (const auto& send : said_.sends) {
      const auto to = std::ranges::find(plain_, send.to, [](const auto& entry) { return entry.second; });
      if (to == plain_.end()) continue;
      std::string text = *send.text;
      if (text.starts_with(R"({"type":"joined")")) {
        learn(to->first, value_of(text, "self"));
        text = R"({"type":"joined"})";
      }
      note(to->first + "> " + text);
    }
    said_.clear();
  }

  void read(const std::string& name, std::string_view packet) override {
    if (!packet.starts_with("40")) return;
    learn(name, value_of(packet, "sid"));
    if (packet.find(R"("pid")") != std::string_view::npos) learn(name + "'s pid", value_of(packet, "pid"));
  }

 private:
  static std::string value_of(std::string_view text, const std::string& key) {
    const std::string head = '"' + key + R"(":")";
    const std::size_t at = text.find(head) + head.size();
    return std::string(text.substr(at, text.find('"', at) - at));
  }

  signaling::PlainProtocol::Output said_;
  std::map<std::string, signaling::ConnectionId> plain_;
};

}  // namespace turnpike::test
