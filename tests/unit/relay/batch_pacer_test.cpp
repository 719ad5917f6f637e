#include "relay/batch_pacer.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

namespace turnpike::relay {
namespace {

using Pause = BatchPacer::Pause;
constexpr Pause kNone{0};

// A worker that makes a pass each millisecond and finds `per_pass` datagrams.
class Worker {
 public:
  explicit Worker(std::uint64_t per_pass) {
    for (int pass = 0; pass < 20; ++pass, clock_.advance(Duration(1))) pause_after(per_pass);
  }
  // How long it is to pause after one more pass, at once.
  Pause pause_after(std::uint64_t found) { return gathering_.pause(relayed_ += found, clock_.now().steady); }

 private:
  test::ManualClock clock_;
  BatchPacer gathering_;
  std::uint64_t relayed_ = 0;
};

TEST_CASE("A pause pays where datagrams come often, and few at a time", "[pacer]") {
  CHECK(Worker(0).pause_after(0) == kNone);
  CHECK(Worker(3).pause_after(3) == kNone);
  CHECK(Worker(4).pause_after(4) == BatchPacer::kPause);
  CHECK(Worker(99).pause_after(63) == BatchPacer::kPause);
  CHECK(Worker(99).pause_after(64) == kNone);
  CHECK(Worker(150).pause_after(63) == BatchPacer::kBusyPause);
  CHECK(Worker(1000).pause_after(1000) == kNone);
}

TEST_CASE("What a pass found counts for itself alone", "[pacer]") {
  Worker worker(200);
  CHECK(worker.pause_after(64) == kNone);
  CHECK(worker.pause_after(63) == BatchPacer::kBusyPause);
  CHECK(worker.pause_after(0) == BatchPacer::kBusyPause);
  CHECK(worker.pause_after(200) == kNone);
}

TEST_CASE("A flow that ends is no reason to go on pausing", "[pacer]") {
  test::ManualClock clock;
  BatchPacer pacer;
  pacer.pause(0, clock.now().steady);
  clock.advance(BatchPacer::kWindow);
  CHECK(pacer.pause(30, clock.now().steady) == BatchPacer::kPause);
  clock.advance(BatchPacer::kWindow);
  CHECK(pacer.pause(31, clock.now().steady) == kNone);
}

}  // namespace
}  // namespace turnpike::relay
