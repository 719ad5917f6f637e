// Bare Engine.IO that echoes every message, as the protocol's test suite expects. It is used only with
// Preset::echo.
#pragma once

#include <string_view>

#include "turnpike/signaling/engine_io.hpp"

namespace turnpike::http {

class EngineEcho : public signaling::EngineIo::Application {
 public:
  // Call this before the first message. The engine and this object refer to each other.
  void use(signaling::EngineIo& engine) { engine_ = &engine; }

  void on_session(signaling::SessionKey, const signaling::EngineIo::Opening&, TimePoint) override {}
  void on_message(signaling::SessionKey session, std::string_view data, bool binary, TimePoint,
                  signaling::EngineIo::Output& out) override {
    engine_->send(session, data, binary, out);
  }
  void on_session_closed(signaling::SessionKey, bool, TimePoint, signaling::EngineIo::Output&) override {}

 private:
  signaling::EngineIo* engine_ = nullptr;
};

}  // namespace turnpike::http
