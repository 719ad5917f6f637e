// Things of one worker that come and go, each with a number by which it is found again: a place that is given
// out many times, and how often it was, so that a number that is over finds nobody.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace turnpike::relay {

template <class Thing>
class SlotMap {
 public:
  // The number of a free place, which is taken from now on. It has no more than 61 bits. When this throws
  // std::bad_alloc, nothing has changed; free() never does.
  std::uint64_t take() {
    if (free_.empty()) {
      // Room for all of them, so that free() needs no memory.
      if (free_.capacity() <= slots_.size()) free_.reserve(2 * slots_.size() + 16);
      slots_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return std::uint64_t{slots_[index].generation} << kIndexBits | index;
  }

  // Puts something into a place that was taken.
  template <class... Arguments>
  Thing& emplace(std::uint64_t number, Arguments&&... arguments) {
    Slot& slot = slots_[index_of(number)];
    slot.thing = std::make_unique<Thing>(std::forward<Arguments>(arguments)...);
    return *slot.thing;
  }

  // Null for a number that is over, or another worker's.
  Thing* find(std::uint64_t number) const {
    const std::size_t index = index_of(number);
    if (index >= slots_.size() || slots_[index].generation != number >> kIndexBits) return nullptr;
    return slots_[index].thing.get();
  }

  // Ends what is there, if anything is, and its number.
  void free(std::uint64_t number) {
    Slot& slot = slots_[index_of(number)];
    slot.thing.reset();
    slot.generation = (slot.generation + 1) & kGenerationMask;
    free_.push_back(static_cast<std::uint32_t>(index_of(number)));
  }

  template <class Visitor>
  void for_each(Visitor&& visit) {
    for (const Slot& slot : slots_) {
      if (slot.thing) visit(*slot.thing);
    }
  }

 private:
  static constexpr int kIndexBits = 32;
  static constexpr std::uint32_t kGenerationMask = 0x1FFFFFFF;

  struct Slot {
    std::unique_ptr<Thing> thing;
    std::uint32_t generation = 0;
  };

  static std::size_t index_of(std::uint64_t number) { return number & 0xFFFFFFFF; }

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace turnpike::relay
