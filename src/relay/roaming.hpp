// One worker's part in clients whose allocation is another worker's (RFC 8016): the kernel gives a client
// that has moved to whichever worker its new address hashes to, and the allocation stays where it was made.
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
  // `mailboxes` are those of all workers, of which this is number `worker`, and outlive this.
  Roaming(unsigned worker, std::deque<Mailbox>& mailboxes, const HashKey& key)
      : worker_(worker), mailboxes_(mailboxes), away_(0, KeyedHash(key)), guests_(0, KeyedHash(key)) {}

  // --- Clients that come here and belong to another worker
  // From now on all that this client sends goes there, beginning with this message. False when that was
  // dropped, and nothing has begun.
  bool begin(const turn::Output::Forward& forward);
  // True when the message was forwarded.
  bool forward(const FiveTuple& tuple, Bytes message) {
    return !away_.empty() && forward_if_away(tuple, message);
  }
  // True when the other worker was told.
  bool on_closed(const FiveTuple& tuple);
  // False when it was not away, or is another worker's by now.
  bool forget(const FiveTuple& tuple, unsigned worker);

  // --- Clients of this worker that come to another one
  void add_guest(const FiveTuple& tuple, unsigned worker) { guests_.insert_or_assign(tuple, worker); }
  // True when the message was handed to the worker that has the client's connection.
  bool send(const FiveTuple& tuple, Bytes head, Bytes payload, std::size_t padding, bool is_media) {
    return !guests_.empty() && send_if_guest(tuple, head, payload, padding, is_media);
  }
  // A message that is not for this worker after all.
  void send_back(const FromClient& mail);
  // Nobody here has anything to do with it any more.
  void part_with(const FiveTuple& tuple);

 private:
  bool post(unsigned worker, const FiveTuple& tuple, Bytes message, bool begins);
  bool forward_if_away(const FiveTuple& tuple, Bytes message);
  bool send_if_guest(const FiveTuple& tuple, Bytes head, Bytes payload, std::size_t padding, bool is_media);

  unsigned worker_;
  std::deque<Mailbox>& mailboxes_;
  boost::unordered_flat_map<FiveTuple, unsigned, KeyedHash> away_;    // and where their allocation is
  boost::unordered_flat_map<FiveTuple, unsigned, KeyedHash> guests_;  // and where they come
};

}  // namespace turnpike::relay
