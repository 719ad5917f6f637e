#include "cluster/room_outbox.hpp"

#include <string>
#include <utility>

#include "cluster/room_message.hpp"

namespace turnpike::cluster {
namespace {

using signaling::MemberId;
using signaling::Outgoing;

std::size_t octets_of(const Outgoing& message) {
  const std::size_t octets = sizeof message + message.to.size() * sizeof(MemberId);
  return message.event ? octets + message.event->message.size() : octets;
}

}  // namespace

void RoomOutbox::send(const Outgoing& message) {
  const std::string* name = others_.name_of(message.node);
  const bool must_wait = !link_.is_linked() || own_members_.is_writing() ||
                         (name && !others_.was_heard_since(*name, link_.linked_since()));
  if (must_wait) return add_to_waiting(message);
  if (!name) return redirect(message);
  RoomMessage text{.kind = message.event ? RoomMessage::Kind::said : RoomMessage::Kind::mark,
                   .node = {},
                   .run = {},
                   .said = message};
  if (!message.event) {
    const std::string* origin =
        message.origin == signaling::kThisNode ? &own_.name : others_.name_of(message.origin);
    if (!origin) return;
    text.origin = *origin;
  }
  link_.publisher().publish(own_.channel_of(*name), std::move(text),
                            [this, message](const redisReply* reply) {
                              if (!reply || reply->type != REDIS_REPLY_INTEGER) {
                                ++dropped_;
                              } else if (reply->integer == 0) {
                                redirect(message);  // nobody listens there any more
                              }
                            });
}

// The message waits until Redis is back and has all members of this node, so that no node gets a message from
// a member that it does not know. It also waits until its destination is known to be back, or is lost.
void RoomOutbox::add_to_waiting(const Outgoing& message) {
  waiting_.push_back(message);
  waiting_octets_ += octets_of(message);
  while (waiting_.size() > kMaxWaiting || waiting_octets_ > kMaxWaitingOctets) {
    waiting_octets_ -= octets_of(waiting_.front());
    waiting_.pop_front();
    ++dropped_;
  }
}

void RoomOutbox::send_waiting() {
  waiting_octets_ = 0;
  for (const Outgoing& message : std::exchange(waiting_, {})) send(message);
}

// The destination is lost, so what was said is kept in Redis. When the member belongs to another node by now,
// the message goes there; but if this node also sends a mark, the new node fetches the message when the mark
// arrives. See HubCluster::has_company_here.
void RoomOutbox::redirect(const Outgoing& message) {
  for (const MemberId& member : message.to) {
    const auto node = local_.hub().node_of(member);
    if (!node) continue;
    const bool is_here = node == signaling::kThisNode;
    const bool is_elsewhere = !is_here && node != message.node && others_.name_of(*node);
    Outgoing one = message;
    one.node = *node;
    one.to = {member};
    one.forwarded = message.event ? message.forwarded + 1 : 0;
    if (is_elsewhere && (!message.event || !local_.hub().has_company_here(member))) {
      send(one);
    } else if (message.event) {
      missed_.keep(member, message.event);
    } else if (is_here) {
      missed_.fetch(member, [this, one] { local_.receive(one); });
    }
  }
}

}  // namespace turnpike::cluster
