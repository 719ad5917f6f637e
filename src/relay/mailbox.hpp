// The messages between workers, and from the main thread to workers. Two kinds of them carry relayed data.
// The first kind is what a client sends that has moved to another worker (RFC 8016), since its allocation
// stays where it is. The second kind is datagrams from a relayed address of one worker to one of another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
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

// For the worker of the allocation: a connection with a peer, which another worker had bound, has ended (RFC
// 6062).
struct PeerClosed {
  turn::ConnectionId connection{};
};
// For the worker that has bound a connection with a peer: it has to close the connection.
struct CloseDataConnection {
  turn::ConnectionId connection{};
};
// A message of a client, from the worker that receives it to the worker of its allocation. It may be dropped.
struct FromClient {
  unsigned worker = 0;
  bool begins = false;  // a Refresh whose ticket names the other worker
  FiveTuple tuple;
  std::vector<std::uint8_t> message;
};
// The answer to FromClient: that worker has no allocation of this client, or no longer has one. When too much
// mail waits, this comes without the message.
struct Returned {
  unsigned worker = 0;
  FiveTuple tuple;
  std::vector<std::uint8_t> message;
};
// For the worker of the allocation: the client's connection at another worker has ended.
struct ClientClosed {
  FiveTuple tuple;
};
// A message to a client, from the worker of its allocation to the worker that can send to it (see
// Clients::has_connection). It may be dropped.
struct ToClient {
  FiveTuple tuple;
  std::vector<std::uint8_t> message;
};
// The datagrams of one pass from relayed addresses of one worker to those of another. They may be dropped.
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
// For the worker that receives from this client: do not forward its messages any longer.
struct ForgetClient {
  unsigned worker = 0;  // that says so
  FiveTuple tuple;
};

// From the main thread: new settings, which replace those that the worker had.
struct SettingsUpdate {
  std::shared_ptr<const Settings> settings;
};
// From the main thread: list all allocations, or only those that the settings `ended_by` would end. The
// worker calls `answer` once.
struct ListAllocations {
  std::function<void(std::vector<turn::AllocationInfo>)> answer;
  std::shared_ptr<const Settings> ended_by{};  // null: all allocations are listed
};
// From the main thread: end an allocation. The worker calls `answer` once, with false when it has no
// allocation of that number.
struct EndAllocation {
  std::uint64_t number = 0;
  std::function<void(bool)> answer;
};

// From the main thread: a sign of life is wanted. The worker calls `answer` once, in its next pass.
struct ShowLife {
  std::function<void()> answer;
};

using Mail = std::variant<PeerClosed, CloseDataConnection, FromClient, Returned, ClientClosed, ToClient,
                          FromRelays, ForgetClient, SettingsUpdate, ListAllocations, EndAllocation, ShowLife>;

// The mailbox of one worker. Thread-safe.
//
// What waits is bounded. For messages of clients and relayed datagrams the octets are limited; more of them
// are dropped and counted. All other mail is never dropped, since it reports events, and the number of events
// is limited: each kind is sent once for a connection with a peer, or once for a client that has moved and
// whose first message was accepted here. The main thread sends the rest.
class Mailbox {
 public:
  // Throws std::system_error.
  Mailbox();

  // Readable while there is mail.
  int fd() const { return ready_.get(); }
  // Posts mail that is never dropped.
  void post(Mail mail);
  // Posts a message of a client. Returns false, and drops it, when the queue is so long that media would be
  // late, or that clients would have abandoned their requests.
  bool post(Mail mail, std::size_t size, bool is_media);
  // Posts relayed datagrams, which are media. When there is no room, this drops them, counts each of them,
  // and returns false.
  bool post(FromRelays mail);
  // Posts this in any case, but without its message when there is no room.
  void post(Returned mail);
  // Takes all mail, in the order of posting.
  std::vector<Mail> take_mail();

  // Only the thread that holds the lock writes these. Any thread may read them.
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
