// Simulates a lack of memory: one call of operator new throws, and the next one works again. It works only in
// programs whose operator new calls fails_now(); see tests/unit/turn/memory_test.cpp.
#pragma once

#include <new>
#include <utility>

namespace turnpike::test {

class FailingNew {
 public:
  // During its life, calls of operator new on this thread count.
  class Counting {
   public:
    Counting() : before_(std::exchange(counts_, true)) {}
    ~Counting() { counts_ = before_; }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;

   private:
    bool before_;
  };
  // During its life, calls do not count, even inside of a Counting.
  class Pause {
   public:
    Pause() : before_(std::exchange(counts_, false)) {}
    ~Pause() { counts_ = before_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    bool before_;
  };

  // Makes the n-th call that counts fail; 0 means none.
  static void fail(unsigned n) { left_ = n; }
  // Whether that call has not happened yet.
  static bool is_pending() { return left_ != 0; }

  static bool fails_now() { return counts_ && left_ != 0 && --left_ == 0; }

 private:
  static inline thread_local bool counts_ = false;
  static inline thread_local unsigned left_ = 0;
};

}  // namespace turnpike::test
