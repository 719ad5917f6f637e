// What workers tell each other, and the main thread them. Two things on the relayed path come through here.
// The first is what a client sends that has moved to another worker (RFC 8016), since its allocation stays
// where it is. The second are datagrams from a relayed address of one worker to one of another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "net/fd.hpp"
#include "relay/counters.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/allocation_info.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_connections.hpp"

namespace turnpike::relay {

struct Settings;

// To the allocation's worker: a peer's connection that another worker had bound has ended (RFC 6062).
struct PeerClosed {
  turn::ConnectionId connection{};
};
// To the worker that has bound a peer's connection.
struct CloseDataConnection {
  turn::ConnectionId connection{};
};
// To the worker that has the client's allocation, from the one that the client comes to. May be dropped.
struct FromClient {
  unsigned worker = 0;
  bool begins = false;  // a Refresh with a ticket of the other worker's
  FiveTuple tuple;
  std::vector<std::uint8_t> message;
};
// And back: that worker has nothing to do with this client, or not any more. Where too much waits already it
// comes without the message.
struct Returned {
  unsigned worker = 0;
  FiveTuple tuple;
  std::vector<std::uint8_t> message;
};
struct ClientClosed {
  FiveTuple tuple;
};
// And back, where a client has a connection, or comes through a load balancer: over plain UDP every worker
// can send to it. May be dropped.
struct ToClient {
  FiveTuple tuple;
  std::vector<std::uint8_t> message;
};
// Datagrams from relayed addresses of one worker to those of another, as one pass has collected them. They
// may be dropped.
class FromRelays {
 public:
  struct Datagram {
    Endpoint relayed;  // both in their local form
    Endpoint from;
    std::size_t at = 0;  // where the payload begins
    std::size_t size = 0;
  };

  void add(const turn::Output::ToRelay& message) {
    const std::size_t at = payloads_.size();
    payloads_.insert(payloads_.end(), message.payload.begin(), message.payload.end());
    datagrams_.push_back({message.relayed, message.from, at, message.payload.size()});
  }
  // In the order in which they were added.
  const std::vector<Datagram>& datagrams() const { return datagrams_; }
  Bytes payload(const Datagram& datagram) const {
    return Bytes(payloads_).subspan(datagram.at, datagram.size);
  }
  // All payloads together, in octets.
  std::size_t size() const { return payloads_.size(); }

 private:
  std::vector<Datagram> datagrams_;
  std::vector<std::uint8_t> payloads_;
};
// Nothing from this client is to be forwarded any more.
struct ForgetClient {
  unsigned worker = 0;  // that says so
  FiveTuple tuple;
};

// From the main thread: what holds from now on, in place of what a worker had before.
struct SettingsUpdate {
  std::shared_ptr<const Settings> settings;
};
// From the main thread: which allocations there are, or which of them these settings would end. The worker
// calls `answer` once.
struct ListAllocations {
  std::function<void(std::vector<turn::AllocationInfo>)> answer;
  std::shared_ptr<const Settings> ended_by{};  // null: all allocations are listed
};
// From the main thread: an allocation is to end. The worker calls `answer` with whether there was one of that
// number.
struct EndAllocation {
  std::uint64_t number = 0;
  std::function<void(bool)> answer;
};

// From the main thread: whether the worker still makes its passes. It calls `answer` once.
struct ShowLife {
  std::function<void()> answer;
};

using Mail = std::variant<PeerClosed, CloseDataConnection, FromClient, Returned, ClientClosed, ToClient,
                          FromRelays, ForgetClient, SettingsUpdate, ListAllocations, EndAllocation, ShowLife>;

// One worker's. Thread-safe.
//
// What waits in it is bounded. Messages of clients and relayed datagrams are, by their octets: beyond, they
// are dropped and counted. Of everything else nothing is ever dropped, since it tells of something that has
// happened, and there is no more of it than there are things to tell of: each of these is told once of a
// connection with a peer or of a client that has moved, whose first message was accepted here, and what comes
// from the main thread by the main thread alone.
class Mailbox {
 public:
  // Throws std::system_error.
  Mailbox();

  // Readable while there is mail.
  int fd() const { return ready_.get(); }
  void post(Mail mail);
  // A message, unless so much of them waits already that media would come too late, and requests that were
  // not sent again are given up. False when it was dropped.
  bool post(Mail mail, std::size_t size, bool is_media);
  // They are media. When there is no room for them, each of them is counted as dropped.
  bool post(FromRelays mail);
  // Always, if need be without its message.
  void post(Returned mail);
  // In the order of posting.
  std::vector<Mail> take();

  // Whoever holds the lock writes them, one at a time.
  const MailCounters& counters() const { return counters_; }

 private:
  bool has_room(std::size_t size, bool is_media) const;
  void add(Mail mail);

  net::Fd ready_;
  std::mutex mutex_;
  std::vector<Mail> mail_;
  std::size_t bytes_ = 0;  // of messages
  MailCounters counters_;
};

}  // namespace turnpike::relay
