// Forwards the messages of clients between the worker that receives them and the worker of their allocation
// (RFC 8016). The kernel gives a client that has moved to the worker to which its new address hashes, and the
// allocation stays where it was made.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>

#include "relay/mailbox.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::relay {

class Roaming {
 public:
  // `mailboxes` are those of all workers and must outlive this object. `worker` is the number of this worker.
  Roaming(unsigned worker, std::deque<Mailbox>& mailboxes, const HashKey& key)
      : worker_(worker), mailboxes_(mailboxes), away_(0, KeyedHash(key)), guests_(0, KeyedHash(key)) {}

  // --- Clients that come here and belong to another worker
  // Forwards this message and all later messages of the client to the other worker. Returns false, and begins
  // nothing, when the message was dropped.
  bool begin(const turn::Output::Forward& forward);
  // True when the message was forwarded.
  bool forward(const FiveTuple& tuple, Bytes message) {
    return !away_.empty() && forward_if_away(tuple, message);
  }
  // The connection of the client has ended. Returns true when the client belonged to another worker, which
  // was told.
  bool on_closed(const FiveTuple& tuple);
  // Stops forwarding for this client. Returns false when it was not forwarded to `worker`.
  bool forget(const FiveTuple& tuple, unsigned worker);

  // --- Clients of this worker that come to another one
  void add_guest(const FiveTuple& tuple, unsigned worker) { guests_.insert_or_assign(tuple, worker); }
  // True when the message was handed to the worker that has the client's connection.
  bool send(const FiveTuple& tuple, Bytes head, Bytes payload, std::size_t padding, bool is_media) {
    return !guests_.empty() && send_if_guest(tuple, head, payload, padding, is_media);
  }
  // Returns a message that is not for this worker to its sender.
  void send_back(const FromClient& mail);
  // Forgets a client of this worker that came to another one, and tells that worker.
  void forget_guest(const FiveTuple& tuple);

 private:
  bool post(unsigned worker, const FiveTuple& tuple, Bytes message, bool begins);
  bool forward_if_away(const FiveTuple& tuple, Bytes message);
  bool send_if_guest(const FiveTuple& tuple, Bytes head, Bytes payload, std::size_t padding, bool is_media);

  unsigned worker_;
  std::deque<Mailbox>& mailboxes_;
  // Clients that come here -> the worker of their allocation.
  boost::unordered_flat_map<FiveTuple, unsigned, KeyedHash> away_;
  // Clients of this worker -> the worker that receives from them.
  boost::unordered_flat_map<FiveTuple, unsigned, KeyedHash> guests_;
};

}  // namespace turnpike::relay
