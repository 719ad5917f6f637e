// Counters, and the lists that declare them. A module keeps its counters in a struct of Counter members. A
// list beside the struct has one row for each counter: its name in logs, its series in metrics, and its
// meaning. Sums, logs and metrics are made from that list alone. A new counter therefore needs one member,
// one row, and the code that counts.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike {

// A number that one thread counts up while any thread may read it. Counting costs no more than with a plain
// integer: the only writer needs no locked instruction.
class Counter {
 public:
  constexpr Counter(std::uint64_t value = 0) noexcept : value_(value) {}
  Counter(const Counter& other) noexcept : value_(other.value()) {}
  Counter& operator=(const Counter& other) noexcept {
    value_.store(other.value(), std::memory_order_relaxed);
    return *this;
  }

  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }
  operator std::uint64_t() const noexcept { return value(); }

  Counter& operator+=(std::uint64_t more) noexcept {
    value_.store(value() + more, std::memory_order_relaxed);
    return *this;
  }
  Counter& operator++() noexcept { return *this += 1; }

 private:
  std::atomic<std::uint64_t> value_;
};

// One row of a list of counters.
template <class Counters>
struct CounterRow {
  std::string_view name;       // the key in log lines
  Counter Counters::*counter;  // the member
  // One sentence for operators. When the rows of a family have different ones, Prometheus gets that of
  // admin::help_of_family().
  std::string_view help;
  // The metric family and the labels of the counter's series, such as `dropped_total` and
  // `reason="malformed"`. Metrics put the prefix `turnpike_` in front. A counter without a family is part of
  // another series and appears only in logs.
  std::string_view family = {};
  std::string_view labels = {};
};

// The list of rows for a struct of counters. Each such struct has a specialization, and a static_assert
// checks it with lists_all().
template <class Counters>
inline constexpr auto kCounterList = nullptr;

// Whether the list has as many rows as the struct has members.
template <class Counters>
constexpr bool lists_all() {
  return kCounterList<Counters>.size() * sizeof(Counter) == sizeof(Counters);
}

// Adds each counter of `more` to the counter of the same name in `sum`.
template <class Counters>
void add_counters(Counters& sum, const Counters& more) {
  for (const CounterRow<Counters>& row : kCounterList<Counters>) sum.*row.counter += more.*row.counter;
}

// All counters of the list for a log line, as `name=value`, each followed by a space.
template <class Counters>
std::string describe_counters(const Counters& counters) {
  std::string text;
  for (const CounterRow<Counters>& row : kCounterList<Counters>) {
    text.append(row.name).append("=").append(std::to_string((counters.*row.counter).value())).append(" ");
  }
  return text;
}

}  // namespace turnpike
