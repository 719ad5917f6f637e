// Which associations each 5-tuple has, and all handshakes in the order in which they began. When a client has
// restarted on the same port, its new handshake runs while the old association still exists, since only the
// end of the handshake proves that it is the same client.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <utility>

#include "net/dtls_hello.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"

namespace turnpike::relay {

// `Association` has `tuple`, `udp_path`, `dtls` and `is_handshake`, and is derived from list_base_hook<>.
template <class Association>
class AssociationPlaces {
 public:
  explicit AssociationPlaces(const HashKey& key) : places_(0, KeyedHash(key)) {}

  // Returns the association that a datagram with this 5-tuple is for; null when there is none.
  // `may_begin_handshake` tells whether the datagram can be of a handshake whose end is not proved yet.
  template <class Predicate>
  Association* choose(const FiveTuple& key, Predicate&& may_begin_handshake) const {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    const Place& place = found->second;
    const bool in_handshake = place.handshake && may_begin_handshake();
    return in_handshake || !place.established ? place.handshake : place.established;
  }

  // Returns whether an association began with this hello. Then the network has duplicated the hello, or the
  // client has repeated it because the answer is still on its way or was lost; the association repeats that
  // answer by its own timer.
  bool has_begun_with(const FiveTuple& key, const net::DtlsHello& hello) const {
    const auto found = places_.find(key);
    if (found == places_.end()) return false;
    const auto began_with_it = [&](const Association* association) {
      return association && association->dtls.began_with(hello);
    };
    return began_with_it(found->second.established) || began_with_it(found->second.handshake);
  }

  // Makes a place for what begins next. Throws std::bad_alloc.
  void reserve(const FiveTuple& key) { places_.try_emplace(key); }
  // Call this when no association could begin.
  void drop_if_empty(const FiveTuple& key) {
    const auto found = places_.find(key);
    if (found != places_.end() && !found->second.established && !found->second.handshake)
      places_.erase(found);
  }

  // Call these two after reserve().
  Association* handshake_at(const FiveTuple& key) const { return places_.find(key)->second.handshake; }
  void add_handshake(const FiveTuple& key, Association& association) {
    handshakes_.push_back(association);
    places_[key].handshake = &association;
  }
  std::size_t handshakes() const { return handshakes_.size(); }
  Association& oldest_handshake() { return handshakes_.front(); }

  // Call this when its handshake has ended well. Returns the association that it replaces, which has to end;
  // null when there is none.
  Association* establish(Association& association) {
    handshakes_.erase(handshakes_.iterator_to(association));
    association.is_handshake = false;
    Place& place = places_.find(key_of(association))->second;
    return std::exchange(place.established, std::exchange(place.handshake, nullptr));
  }

  // Call this when the association ends.
  void remove(Association& association) {
    if (association.is_handshake) handshakes_.erase(handshakes_.iterator_to(association));
    const auto found = places_.find(key_of(association));
    if (found == places_.end()) return;
    Place& place = found->second;
    if (place.established == &association) place.established = nullptr;
    if (place.handshake == &association) place.handshake = nullptr;
    if (!place.established && !place.handshake) places_.erase(found);
  }

 private:
  struct Place {
    Association* established = nullptr;
    Association* handshake = nullptr;
  };

  // The 5-tuple with what it came by for its path: the same for all associations that the client had.
  static FiveTuple key_of(const Association& association) {
    FiveTuple key = association.tuple;
    key.path = association.udp_path;
    return key;
  }

  boost::unordered_flat_map<FiveTuple, Place, KeyedHash> places_;
  boost::intrusive::list<Association> handshakes_;  // the oldest first
};

}  // namespace turnpike::relay
