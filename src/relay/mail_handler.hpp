// Carries out the mail of a worker, which other workers and the main thread have sent. It owns nothing: each
// kind of mail is for one of the worker's parts.
#pragma once

#include <memory>

#include "relay/clients.hpp"
#include "relay/mailbox.hpp"
#include "relay/roaming.hpp"
#include "relay/settings.hpp"
#include "relay/tcp_relays.hpp"
#include "turnpike/base/counter.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/server.hpp"

namespace turnpike::relay {

class MailHandler {
 public:
  // The worker.
  class Host {
   public:
    virtual ~Host() = default;
    // A message that another worker has sent back comes as if it had just been received.
    virtual void on_client(const FiveTuple& tuple, Bytes message, TimePoint now) = 0;
    virtual void on_settings(const std::shared_ptr<const Settings>& settings, TimePoint now) = 0;
  };

  // All references must outlive this object.
  struct Parts {
    turn::Server& server;
    turn::Output& output;
    Clients& clients;
    Roaming& roaming;
    TcpRelays& tcp_relays;
    Host& host;
    Counter& out_of_memory;
  };

  explicit MailHandler(const Parts& parts) : parts_(parts) {}

  // The output has views of the mail, so it has to be carried out before the mail is deleted. Mail that needs
  // memory when there is none is lost.
  void handle_all(const std::vector<Mail>& all, TimePoint now);

 private:
  void handle(const PeerClosed& mail, TimePoint now);
  void handle(const CloseDataConnection& mail, TimePoint now);
  void handle(const FromClient& mail, TimePoint now);
  void handle(const Returned& mail, TimePoint now);
  void handle(const ClientClosed& mail, TimePoint now);
  void handle(const ToClient& mail, TimePoint now);
  void handle(const FromRelays& mail, TimePoint now);
  void handle(const ForgetClient& mail, TimePoint now);
  void handle(const SettingsUpdate& mail, TimePoint now);
  void handle(const ListAllocations& mail, TimePoint now);
  void handle(const EndAllocation& mail, TimePoint now);
  void handle(const ShowLife& mail, TimePoint now);

  const Parts parts_;
};

}  // namespace turnpike::relay
