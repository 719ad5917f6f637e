// A table of things that come and go, each with a number by which it is found. The number has the index of a
// slot and the generation of the slot, so the number of something that has ended finds nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "relay/event_tag.hpp"

namespace turnpike::relay {

// Id is an enum of 64 bits, of which EventTag::kNumberBits are used.
template <class Thing, class Id>
class SlotMap {
 public:
  // Claims a free place, and returns its number. When this throws std::bad_alloc, nothing has changed; free()
  // never throws.
  Id claim() {
    if (free_.empty()) {
      // Room for all of them, so that free() needs no memory.
      if (free_.capacity() <= slots_.size()) free_.reserve(2 * slots_.size() + 16);
      slots_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return Id{std::uint64_t{slots_[index].generation} << kIndexBits | index};
  }

  // Puts something into a place that was claimed.
  template <class... Arguments>
  Thing& emplace(Id number, Arguments&&... arguments) {
    Slot& slot = slots_[index_of(number)];
    slot.thing = std::make_unique<Thing>(std::forward<Arguments>(arguments)...);
    return *slot.thing;
  }

  // Null when the thing of this number has ended, or when the number is not of this table.
  Thing* find(Id number) const {
    const std::size_t index = index_of(number);
    if (index >= slots_.size() || slots_[index].generation != generation_of(number)) return nullptr;
    return slots_[index].thing.get();
  }

  // Destroys the thing, if there is one, and makes the number invalid.
  void free(Id number) {
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
  static constexpr std::uint32_t kGenerationMask = (1U << (EventTag::kNumberBits - kIndexBits)) - 1;

  struct Slot {
    std::unique_ptr<Thing> thing;
    std::uint32_t generation = 0;
  };

  static std::size_t index_of(Id number) { return static_cast<std::uint64_t>(number) & 0xFFFFFFFF; }
  static std::uint64_t generation_of(Id number) { return static_cast<std::uint64_t>(number) >> kIndexBits; }

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace turnpike::relay
