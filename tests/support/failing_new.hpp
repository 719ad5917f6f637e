// Memory that runs out when a test says so: one call of operator new throws, and the next one works again.
// Only programs whose operator new asks fails_now() do so; see tests/unit/turn/memory_test.cpp.
#pragma once

#include <new>
#include <utility>

namespace turnpike::test {

class FailingNew {
 public:
  // While it lives, calls of operator new on this thread count.
  class Counting {
   public:
    Counting() : before_(std::exchange(counts_, true)) {}
    ~Counting() { counts_ = before_; }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;

   private:
    bool before_;
  };
  // And while this lives, inside of a Counting, they do not.
  class Pause {
   public:
    Pause() : before_(std::exchange(counts_, false)) {}
    ~Pause() { counts_ = before_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    bool before_;
  };

  // The n-th one that counts from now on fails; 0: none.
  static void fail(unsigned n) { left_ = n; }
  // Whether that is still to come.
  static bool is_pending() { return left_ != 0; }

  static bool fails_now() { return counts_ && left_ != 0 && --left_ == 0; }

 private:
  static inline thread_local bool counts_ = false;
  static inline thread_local unsigned left_ = 0;
};

}  // namespace turnpike::test
