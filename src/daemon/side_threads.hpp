// The threads beside the workers that a configuration may have: one for signaling, and one for a web server
// behind a listener. Workers hand connections over to both.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "config/config.hpp"
#include "daemon/certificates.hpp"
#include "daemon/heartbeat.hpp"
#include "daemon/own_names.hpp"
#include "daemon/signaling_thread.hpp"
#include "daemon/stop_watch.hpp"
#include "daemon/web_forwarder.hpp"
#include "relay/streams.hpp"

namespace turnpike::daemon {

// On the main thread.
class SideThreads {
 public:
  // `tls` and `handshakes` of `params` must outlive this object. Throws std::exception with a message for the
  // operator.
  void open_signaling(SignalingThread::Params params);
  // `tls` may be null; otherwise it must outlive this object. Does nothing the second time.
  void open_web(const config::Config& config, const Certificates* tls);

  // Null when the configuration has none.
  SignalingThread* signaling() const { return signaling_.get(); }
  const WebForwarder* web() const { return web_.get(); }

  // Sets how workers hand connections over. This object must outlive the workers' threads.
  void set_hand_overs(relay::Streams::Shared& streams);
  // Adds the questions for a sign of life, one for each thread. This object must outlive them.
  void add_questions(std::vector<Heartbeat::Question>& questions);

  void start();
  // Calls `begin` before it waits for the end of a thread, with the name of the thread and with what ends it
  // at once.
  void stop(const std::function<void(const char*, StopWatch::CutOff)>& begin);
  // Applies the parts of this configuration that can change while the daemon runs. See SignalingThread::use.
  void use(const config::Config& config, const std::map<IpAddress, IpAddress>& advertised,
           const std::optional<IpAddress>& default_address);

 private:
  std::unique_ptr<OwnNames> own_names_;  // null when no listener has a web server behind it
  std::unique_ptr<SignalingThread> signaling_;
  std::unique_ptr<WebForwarder> web_;
};

}  // namespace turnpike::daemon
