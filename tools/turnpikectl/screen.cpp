#include "turnpikectl/screen.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "turnpike/base/printable.hpp"

namespace turnpike::turnpikectl {
namespace {

// ECMA-48, and private modes of xterm: the alternate screen, the cursor, and whether long lines are wrapped.
constexpr std::string_view kEnter = "\033[?1049h\033[?25l\033[?7l";
constexpr std::string_view kLeave = "\033[?7h\033[?25h\033[?1049l";
constexpr std::string_view kHome = "\033[H";
constexpr std::string_view kClearLine = "\033[K";  // clears from the cursor on, like the next one
constexpr std::string_view kClearRest = "\033[J";

constexpr std::array kEndings{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr Screen::Size kUsualSize{24, 80};  // when the terminal does not tell its size

// These are global, because a signal handler has no other data.
termios cooked;
termios raw;
bool has_raw = false;  // whether stdin is a terminal with these two modes

bool write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void enter() {
  if (has_raw) tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  write_all(kEnter);
}

void leave() {
  write_all(kLeave);
  if (has_raw) tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

extern "C" {
// The signal has its usual effect as soon as the handler returns, because of SA_RESETHAND.
static void on_ending(int signal) {
  leave();
  raise(signal);
}

static void on_pause(int) {
  const int error = errno;
  leave();
  raise(SIGSTOP);
  enter();
  errno = error;
}

// The signal interrupts poll(), so there is nothing to do.
static void on_resize(int) {}
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

}  // namespace

bool Screen::is_there() {
  const char* const kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && kind && kind != std::string_view("dumb");
}

Screen::Screen() : has_keys_(tcgetattr(STDIN_FILENO, &cooked) == 0) {
  has_raw = has_keys_;
  raw = cooked;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  for (const int signal : kEndings) handle(signal, on_ending, SA_RESETHAND);
  handle(SIGTSTP, on_pause, SA_RESTART);
  handle(SIGWINCH, on_resize, SA_RESTART);
  enter();
}

Screen::~Screen() {
  leave();
  for (const int signal : kEndings) handle(signal, SIG_DFL, 0);
  for (const int signal : {SIGTSTP, SIGWINCH}) handle(signal, SIG_DFL, 0);
}

Screen::Size Screen::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return kUsualSize;
  return {size.ws_row, size.ws_col};
}

void Screen::draw(const std::vector<std::string>& lines) const {
  const Size size = this->size();
  std::string page(kHome);
  for (std::size_t row = 0; row < std::min(size.rows, lines.size()); ++row) {
    const std::string line = shortened(lines[row], size.columns);
    page.append(row == 0 ? "" : "\r\n").append(line);
    // After a line that fills its row, the cursor is still on the last character, and clearing would delete
    // it.
    if (columns_of(line) < size.columns) page.append(kClearLine);
  }
  if (lines.size() < size.rows) page.append("\r\n").append(kClearRest);
  if (!write_all(page)) throw std::system_error(errno, std::generic_category(), "the terminal");
}

Screen::Event Screen::wait_until(std::chrono::steady_clock::time_point due) {
  using std::chrono::milliseconds;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(due - std::chrono::steady_clock::now());
    pollfd keys{has_keys_ ? STDIN_FILENO : -1, POLLIN, 0};
    const int ready = poll(&keys, 1, static_cast<int>(std::max(milliseconds(0), left).count()));
    if (ready < 0) return Event::resized;  // a signal has come
    if (ready == 0) return Event::due;
    char key = 0;
    if (read(STDIN_FILENO, &key, 1) != 1) has_keys_ = false;
    if (key == 'q' || key == 'Q') return Event::quit;
  }
}

}  // namespace turnpike::turnpikectl
