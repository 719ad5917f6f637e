#include "relay/associations.hpp"

#include <algorithm>
#include <new>

#include "net/tls_wire.hpp"

namespace turnpike::relay {
namespace {

// RFC 6347 §4.1: content type, version, epoch, number and length.
constexpr std::size_t kRecordHeaderSize = 13;
constexpr std::size_t kEpochAt = 3;

// OpenSSL uses another clock. This wait prevents a busy loop when the two clocks differ.
constexpr Duration kMinWait{10};

// Returns whether the record may be part of a handshake. Encrypted alerts and data come only after a
// handshake.
bool may_begin_handshake(Bytes datagram) {
  const std::uint8_t type = datagram[0];
  return load_u16(&datagram[kEpochAt]) == 0 || (type != net::kAlert && type != net::kApplicationData);
}

}  // namespace

Associations::Associations(const Ways& ways, const Shared& shared, const StreamLimits& limits,
                           crypto::Random& random, net::SendCounters& sends)
    : ways_(ways),
      shared_(shared),
      limits_(limits),
      cookies_(digester_, random),
      sender_(ways, sends),
      book_(shared.idle),
      places_(crypto::draw_hash_key(random)) {}

Associations::~Associations() {
  book_.for_each([this](Association& association) { end(association); });
  remove_ended();
}

void Associations::use(const Settings& settings) {
  limits_ = settings.streams;
  clients_ = settings.clients.get();
  book_.for_each([this](Association& association) {
    if (!turn::admits(clients_, association.tuple.client.address)) end(association);
  });
}

// --- What clients send

Associations::Received Associations::receive(PathId udp_path, const net::ReceivedDatagram& datagram,
                                             TimePoint now) {
  messages_.clear();
  if (!turn::admits(clients_, datagram.from.address)) {
    ++counters_.denied;
    return {};
  }
  const ListenerSocket& listener = ways_.listeners[ProxiedClients::listener_of(udp_path)];
  const FiveTuple key{datagram.from, listener.reached_by(datagram), Transport::dtls, udp_path};
  if (const auto hello = net::parse_dtls_hello(datagram.payload)) {
    return on_hello(key, *hello, datagram.payload, now);
  }
  Association* association = datagram.payload.size() < kRecordHeaderSize
                                 ? nullptr
                                 : places_.choose(key, [&] { return may_begin_handshake(datagram.payload); });
  if (!association) {
    ++counters_.unmatched;
    return {};
  }
  sender_.make_room();
  const State state = association->dtls.receive(datagram.slot.first(datagram.payload.size()), messages_);
  return {association->tuple, messages_, apply_state(*association, state, now)};
}

// Finishes each step of an association: sends its datagrams and sets its deadlines. Returns the 5-tuple of
// the association that it has replaced, if any.
std::optional<FiveTuple> Associations::apply_state(Association& association, State state, TimePoint now) {
  sender_.transmit(association.udp_path, association.tuple);
  std::optional<FiveTuple> replaced;
  if (association.is_handshake && association.dtls.is_established()) replaced = establish(association, now);
  if (!messages_.empty() && !association.has_allocation) {
    association.deadline = now.steady + limits_.idle_timeout;
  }
  if (association.is_handshake) {
    const std::optional<Duration> wait = association.dtls.retransmits_in();
    association.retransmit_at = wait ? now.steady + std::max(*wait, kMinWait) : SteadyTime::max();
  } else {
    now_ = now.steady;
    note_activity(association);
  }
  update_wake_time(association);
  if (state == State::ended) end(association);
  return replaced;
}

std::optional<FiveTuple> Associations::establish(Association& association, TimePoint now) {
  ++counters_.established;
  association.retransmit_at = SteadyTime::max();
  association.deadline = now.steady + limits_.connect_timeout;
  Association* before = places_.establish(association);
  if (!before) return std::nullopt;
  end(*before);
  return before->tuple;
}

// --- How clients begin

Associations::Received Associations::on_hello(const FiveTuple& key, const net::DtlsHello& hello,
                                              Bytes datagram, TimePoint now) {
  if (places_.has_begun_with(key, hello)) return {};
  if (!cookies_.verify(key.client, key.server, hello, now.steady)) {
    answer_hello(key, hello, now);
    return {};
  }
  Association* association = begin(key, hello, now);
  if (!association) return {};
  sender_.make_room();
  const State state = association->dtls.start(datagram);
  return {association->tuple, {}, apply_state(*association, state, now)};
}

void Associations::answer_hello(const FiveTuple& key, const net::DtlsHello& hello, TimePoint now) {
  const IpAddress& client = key.client.address;
  if (!turn::is_exempt(clients_, client) &&
      !shared_.limiters.unauthenticated.take_unproven(client, now.steady)) {
    ++counters_.hellos_withheld;
    return;
  }
  ++counters_.hellos_answered;
  sender_.make_room();
  sender_.buffers().add(
      net::make_hello_verify(hello, cookies_.make(key.client, key.server, hello, now.steady)));
  sender_.transmit(key.path, key);
}

Associations::Association* Associations::begin(const FiveTuple& key, const net::DtlsHello& hello,
                                               TimePoint now) {
  if (begun_in_pass_ == kBegunPerPass) return nullptr;
  // A cookie stays valid for some time and each handshake costs a signature, so handshakes need a limit. It
  // is not the limit for unauthenticated answers, because others can exhaust that one by forging the client's
  // address.
  const IpAddress& client = key.client.address;
  const bool is_exempt = turn::is_exempt(clients_, client);
  if (!is_exempt && !shared_.limiters.handshakes.take(client, now.steady)) {
    ++counters_.handshakes_withheld;
    return nullptr;
  }
  if (!shared_.idle.take(client, is_exempt)) {
    ++counters_.refused;
    return nullptr;
  }
  ++begun_in_pass_;
  Association* made = make(key, hello);
  if (!made) return nullptr;
  ++counters_.begun;
  if (Association* before = places_.handshake_at(key)) {
    end(*before);
  } else if (places_.handshakes() >= kMaxHandshakes) {
    ++counters_.evicted;
    end(places_.oldest_handshake());
  }
  Association& association = *made;
  book_.add(association, now.steady + limits_.connect_timeout);
  places_.add_handshake(key, association);
  return &association;
}

// Returns null, and leaves nothing behind, when there is no memory for the association.
Associations::Association* Associations::make(const FiveTuple& key, const net::DtlsHello& hello) {
  const auto prepare = [&](Association& association, PathId number) {
    association.is_counted = true;
    association.tuple = key;
    association.tuple.path = number;
    association.udp_path = key.path;
    ways_.proxied.hold(key.path);
    return true;
  };
  try {
    places_.reserve(key);
    return book_.make(prepare, *shared_.dtls->get(), hello, sender_.buffers());
  } catch (const std::bad_alloc&) {
    ++counters_.out_of_memory;
    places_.drop_if_empty(key);
    shared_.idle.release(key.client.address);
    return nullptr;
  }
}

// --- What clients get

void Associations::add(const turn::Output::ToClient& message, Bytes head) {
  Association* association = book_.find_last(message.tuple);
  if (!association) return;
  sender_.make_room();
  association->dtls.send(head, message.payload, message.padding);
  note_activity(*association);
  sender_.transmit(association->udp_path, association->tuple);
}

void Associations::send() { sender_.send(); }

// --- The books

void Associations::end(Association& association) {
  if (book_.end(association)) places_.remove(association);
}

void Associations::remove_ended() {
  begun_in_pass_ = 0;
  if (book_.ended().empty()) return;
  book_.remove_ended([this](Association& association) {
    sender_.make_room();
    association.dtls.send_close_notify();
    sender_.transmit(association.udp_path, association.tuple);
    ways_.proxied.release(association.udp_path);
  });
  send();
}

// --- How long they stay

void Associations::set_allocation(const FiveTuple& tuple, bool has_allocation, TimePoint now) {
  Association* association = book_.set_allocation(tuple, has_allocation, now.steady + limits_.idle_timeout);
  if (association) update_wake_time(*association);
}

// This is called for every datagram, so it only notes the time while the queue of deadlines has the
// association anyway.
void Associations::note_activity(Association& association) {
  association.busy_until = now_ + kQuiet;
  if (association.rest_at != SteadyTime::max() || association.has_ended || association.is_handshake) return;
  association.rest_at = association.busy_until;
  update_wake_time(association);
}

void Associations::update_wake_time(Association& association) {
  book_.deadlines().wake_by(association,
                            std::min({association.deadline, association.retransmit_at, association.rest_at}));
}

void Associations::on_timeout(TimePoint now) {
  messages_.clear();
  now_ = now.steady;
  while (Association* due = book_.deadlines().take_due(now.steady)) {
    Association& association = *due;
    if (association.has_ended) continue;
    if (association.deadline <= now.steady) {
      ++counters_.timed_out;
      end(association);
    } else if (association.retransmit_at <= now.steady) {
      sender_.make_room();
      apply_state(association, association.dtls.on_timeout(), now);
    } else {
      if (association.rest_at <= now.steady) free_buffers_if_quiet(association, now.steady);
      update_wake_time(association);
    }
  }
}

void Associations::free_buffers_if_quiet(Association& association, SteadyTime now) {
  const bool is_quiet = association.busy_until <= now;
  if (is_quiet) association.dtls.free_buffers();
  association.rest_at = is_quiet ? SteadyTime::max() : association.busy_until;
}

void Associations::add_counters_to(Totals& totals) const {
  totals.add(counters_);
  totals.add(sender_.buffers().counters);
  totals.add(WorkerCounters{.out_of_memory = {}, .dtls_lost = sender_.buffers().lost()});
}

}  // namespace turnpike::relay
