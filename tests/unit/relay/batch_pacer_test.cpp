#include "relay/batch_pacer.hpp"

#include <catch2/catch.hpp>

namespace turnpike::relay {
namespace {

using namespace std::chrono_literals;

constexpr BatchPacer::Time kNone{0};

// A worker that makes a pass after every `distance` and relays `found` datagrams in each of them, each of
// another flow.
class Worker {
 public:
  explicit Worker(std::chrono::microseconds delay = 100us) : pacer_(delay) {}

  BatchPacer::Time pass(std::uint64_t found, std::chrono::microseconds distance) {
    return pass_of({found, found}, distance);
  }
  BatchPacer::Time pass_of(BatchPacer::Pass pass, std::chrono::microseconds distance) {
    now_ += distance;
    return pacer_.pause(pass, now_);
  }
  BatchPacer::Time passes(int count, std::uint64_t found, std::chrono::microseconds distance) {
    BatchPacer::Time last{};
    for (int i = 0; i < count; ++i) last = pass(found, distance);
    return last;
  }
  BatchPacer& pacer() { return pacer_; }

 private:
  BatchPacer pacer_;
  BatchPacer::Time now_ = 1h;
};

TEST_CASE("A pause pays where another datagram can be expected in it", "[pacer]") {
  CHECK(Worker().passes(100, 1, 50us) == 100us);   // 20,000 a second
  CHECK(Worker().passes(100, 1, 150us) == 100us);  // 6,667
  CHECK(Worker().passes(100, 1, 200us) == kNone);  // 5,000
  CHECK(Worker().passes(100, 4, 200us) == 100us);  // 20,000, four at a time
}

TEST_CASE("A pass that found a batch is followed by no pause", "[pacer]") {
  Worker worker;
  CHECK(worker.passes(100, 15, 100us) == 100us);
  CHECK(worker.pass(16, 100us) == kNone);
  CHECK(worker.pass(15, 100us) == 100us);
}

TEST_CASE("A pause follows a batch with several datagrams of one flow, until the batch is full", "[pacer]") {
  Worker worker;
  worker.passes(100, 16, 100us);
  CHECK(worker.pass_of({25, 20}, 100us) == 100us);
  CHECK(worker.pass_of({24, 20}, 100us) == kNone);
  CHECK(worker.pass_of({16, 1}, 100us) == 100us);
  CHECK(worker.pass_of({255, 1}, 100us) == 100us);
  CHECK(worker.pass_of({256, 1}, 100us) == kNone);
}

TEST_CASE("A pass without datagrams is followed by no pause, and says nothing about their rate", "[pacer]") {
  Worker worker;
  worker.passes(100, 1, 50us);
  CHECK(worker.passes(5, 0, 1us) == kNone);
  CHECK(worker.pass(1, 45us) == 100us);
}

TEST_CASE("A flow that begins has pauses within two dozen passes, and one that ends within one", "[pacer]") {
  Worker worker;
  CHECK(worker.passes(24, 1, 25us) == 100us);
  CHECK(worker.pass(1, 2s) == kNone);
}

TEST_CASE("The delay can change, and 0 turns pauses off", "[pacer]") {
  Worker worker(0us);
  CHECK(worker.passes(100, 1, 10us) == kNone);
  worker.pacer().set_delay(250us);
  CHECK(worker.pass(1, 10us) == 250us);
}

}  // namespace
}  // namespace turnpike::relay
