// A queue for deadlines that usually move to a later time. Such a move costs nothing: the entry keeps its
// place, and when the old time comes, the owner examines the entry and gives it its new place.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstddef>

#include "turnpike/base/time.hpp"

namespace turnpike::relay {

// An entry of the queue derives from this.
class LazyDeadline : public boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
 private:
  template <class Entry>
  friend class LazyDeadlines;

  SteadyTime wake_at_ = SteadyTime::max();
};

// The caller owns the entries, and removes them from the queue before it destroys them.
template <class Entry>
class LazyDeadlines {
 public:
  LazyDeadlines() = default;
  LazyDeadlines(const LazyDeadlines&) = delete;
  LazyDeadlines& operator=(const LazyDeadlines&) = delete;
  ~LazyDeadlines() { queue_.clear(); }

  void add(Entry& entry, SteadyTime at) {
    entry.wake_at_ = at;
    queue_.insert(entry);
  }
  void remove(Entry& entry) { queue_.erase(queue_.iterator_to(entry)); }

  // Makes the entry due at `at` at the latest.
  void wake_by(Entry& entry, SteadyTime at) {
    if (at < entry.wake_at_) move(entry, at);
  }

  // The time at which an entry is due; SteadyTime::max() when none is.
  SteadyTime next() const { return queue_.empty() ? SteadyTime::max() : queue_.begin()->wake_at_; }
  // Returns an entry that is due, or null. The entry is not due again before wake_by() gives it a new time.
  Entry* take_due(SteadyTime now) {
    if (queue_.empty() || queue_.begin()->wake_at_ > now) return nullptr;
    Entry& entry = *queue_.begin();
    move(entry, SteadyTime::max());
    return &entry;
  }

  std::size_t size() const { return queue_.size(); }

 private:
  struct Earlier {
    bool operator()(const Entry& a, const Entry& b) const { return a.wake_at_ < b.wake_at_; }
  };

  void move(Entry& entry, SteadyTime at) {
    remove(entry);
    add(entry, at);
  }

  boost::intrusive::multiset<Entry, boost::intrusive::compare<Earlier>> queue_;
};

}  // namespace turnpike::relay
