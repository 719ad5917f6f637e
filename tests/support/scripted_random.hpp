// Random octets that are the same on every run: first the script of the test, then a fixed sequence.
#pragma once

#include <deque>

#include "turnpike/crypto/random.hpp"

namespace turnpike::test {

class ScriptedRandom : public crypto::Random {
 public:
  explicit ScriptedRandom(std::uint64_t seed = 1) : state_(seed) {}

  // Adds octets to the script.
  void script(Bytes octets) { script_.insert(script_.end(), octets.begin(), octets.end()); }

  void fill(MutableBytes bytes) override {
    for (std::uint8_t& b : bytes) b = next_octet();
  }

 private:
  std::uint8_t next_octet() {
    if (!script_.empty()) {
      const std::uint8_t octet = script_.front();
      script_.pop_front();
      return octet;
    }
    // The generator SplitMix64 (Steele, Lea and Flood).
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return static_cast<std::uint8_t>(z ^ z >> 31);
  }

  std::deque<std::uint8_t> script_;
  std::uint64_t state_;
};

}  // namespace turnpike::test
