// The counters of a node for its messages to and from other nodes.
#pragma once

#include "turnpike/base/counter.hpp"

namespace turnpike::cluster {

// The counters of rooms.
struct Counters {
  Counter sent;
  Counter received;
  Counter kept;
  Counter refused;
  Counter dropped;
  Counter snapshots;
  Counter disconnected;
};

}  // namespace turnpike::cluster

namespace turnpike {

template <>
inline constexpr auto kCounterList<cluster::Counters> = std::to_array<CounterRow<cluster::Counters>>({
    {"sent", &cluster::Counters::sent, "Messages about rooms between this node and the others.",
     "cluster_messages_total", R"(direction="out")"},
    {"received", &cluster::Counters::received, "Messages about rooms between this node and the others.",
     "cluster_messages_total", R"(direction="in")"},
    {"kept", &cluster::Counters::kept, "Messages kept in Redis for members whose node is gone.",
     "cluster_kept_total"},
    {"refused", &cluster::Counters::refused,
     "Messages and records of Redis that were not signed by a node of this cluster, or were malformed.",
     "cluster_refused_total"},
    {"dropped", &cluster::Counters::dropped,
     "Messages for members of other nodes that were lost, since Redis was away for too long or took too "
     "little.",
     "cluster_dropped_total"},
    {"snapshots", &cluster::Counters::snapshots, "How often all members of another node were read anew.",
     "cluster_snapshots_total"},
    {"disconnected", &cluster::Counters::disconnected, "How often a connection to Redis was lost.",
     "cluster_disconnected_total"},
});
static_assert(lists_all<cluster::Counters>());

}  // namespace turnpike
