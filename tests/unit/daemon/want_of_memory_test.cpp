// Tests that work which lasts as long as the daemon continues after a moment without memory.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <new>

#include "daemon/credentials.hpp"
#include "daemon/heartbeat.hpp"
#include "daemon/signal_reader.hpp"
#include "support/process.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::daemon {
namespace {

using namespace std::chrono_literals;

// Runs one step like run_loop(). Returns whether there was anything to do.
bool run_a_step(boost::asio::io_context& io) {
  try {
    return io.run_one_for(10s) != 0;
  } catch (const std::bad_alloc&) {
    return true;
  }
}

TEST_CASE("the heartbeat continues without memory, and asks those again that it could not ask", "[daemon]") {
  REQUIRE(setenv("WATCHDOG_USEC", "3000", 1) == 0);
  boost::asio::io_context io;
  int beats = 0;
  int asked = 0;
  const auto ask = [&](const std::function<void()>& answer) {
    if (++asked == 1) throw std::bad_alloc();
    answer();
  };
  const auto describe = [&]() -> std::string {
    if (++beats == 2) throw std::bad_alloc();
    return "well";
  };
  Heartbeat heart(io, {ask, ask}, describe);
  while (beats < 4 && run_a_step(io)) continue;
  CHECK(beats == 4);
  CHECK(asked == 8);  // twice at each beat, since every part that was asked has answered by the next beat
  heart.stop();
  unsetenv("WATCHDOG_USEC");
}

TEST_CASE("a signal is read though there was no memory for what the last one began", "[daemon]") {
  boost::asio::io_context io;
  int taken = 0;
  SignalReader reader(io, {SIGWINCH}, [&](const signalfd_siginfo&) {
    if (++taken == 1) throw std::bad_alloc();
  });
  for (int sent = 1; sent <= 3; ++sent) {
    pthread_kill(pthread_self(), SIGWINCH);
    CHECK(run_a_step(io));
    CHECK(taken == sent);
  }
  reader.stop();
}

// Takes all memory that malloc() can still give to this process, for good.
void take_all_memory() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_AS, &none) != 0) _exit(2);
  for (std::size_t size = 1 << 20; size >= 16; size = size > 4096 ? size / 2 : size - 16) {
    void* volatile taken = malloc(size);
    while (taken) taken = malloc(size);
  }
}

// Runs in a process of its own.
[[noreturn]] void drop_credentials_without_memory() {
  boost::asio::io_context io;
  crypto::Digester digester;
  auth::Params params;
  params.realm = "example.org";
  params.secrets = {"a secret for this test"};
  Credentials::Snapshot last = Credentials(io, auth::CredentialStore(params, digester)).now();
  take_all_memory();
  last.reset();
  _exit(0);
}

TEST_CASE(
    "the last owner of credentials can drop them when there is no memory to have another thread free them",
    "[daemon]") {
  if (test::has_sanitizer(getpid())) return;  // it cannot work with so little memory
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) drop_credentials_without_memory();
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

}  // namespace
}  // namespace turnpike::daemon
