#include "turnpikectl/password.hpp"

#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "net/system_random.hpp"
#include "turnpike/base/printable.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::turnpikectl {
namespace {

constexpr std::size_t kMaxPassword = 1024;  // octets

volatile sig_atomic_t interrupted_by = 0;
void note_signal(int signal) { interrupted_by = signal; }

// While this object exists, the terminal does not show what is typed. Signals that end the program arrive
// only in wait(), and take effect when the terminal has its former mode again.
class Silence {
 public:
  Silence() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) throw std::system_error(errno, std::generic_category());
    interrupted_by = 0;
    struct sigaction action {};
    action.sa_handler = note_signal;
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : kSignals) sigaddset(&held, signal);
    sigprocmask(SIG_BLOCK, &held, &mask_);
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &handlers_[i]);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Silence() {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &handlers_[i], nullptr);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    if (interrupted_by != 0) raise(interrupted_by);
  }
  // Waits until there is something to read. Returns false when a signal has arrived.
  bool wait() const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ppoll(&input, 1, nullptr, &mask_) >= 0;
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  static constexpr std::array<int, 4> kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  termios before_{};
  sigset_t mask_{};
  std::array<struct sigaction, kSignals.size()> handlers_{};
};

// Returns the line without its end. It reads nothing after the line.
std::string read_line() {
  std::string line;
  for (char c = 0; line.size() <= kMaxPassword;) {
    const ssize_t count = read(STDIN_FILENO, &c, 1);
    if (count < 0) throw std::runtime_error("the password cannot be read");
    if (count == 0 || c == '\n') return line;
    line += c;
  }
  throw std::runtime_error("the password is longer than 1024 octets");
}

std::string ask(const std::string& question) {
  const Silence silence;
  std::cerr << printable(question) << ": " << std::flush;  // the answer is on the same line
  if (!silence.wait()) throw std::runtime_error("interrupted");
  std::string line = read_line();
  std::cerr << '\n';
  return line;
}

}  // namespace

std::string read_password(const std::string& name) {
  std::string password;
  if (isatty(STDIN_FILENO) == 0) {
    password = read_line();
    if (password.ends_with('\r')) password.pop_back();
  } else {
    password = ask("Password of " + name);
    if (!password.empty() && ask("Once more") != password) throw std::runtime_error("the passwords differ");
  }
  if (password.empty()) throw std::runtime_error("the password is empty");
  return password;
}

std::string make_password() {
  std::array<std::uint8_t, 18> octets;
  net::SystemRandom().fill(octets);
  return crypto::base64url_encode(octets);
}

}  // namespace turnpike::turnpikectl
