// The terminal as a page that is drawn again and again, as `top` does it.
#pragma once

#include <termios.h>

#include <chrono>
#include <string>
#include <vector>

namespace turnpike::turnpikectl {

// Uses the alternate screen of the terminal at stdout. The former contents come back with the destructor, or
// when a signal ends the program. There is only one such object at a time.
class Screen {
 public:
  // Whether stdout is a terminal.
  static bool is_there();

  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  struct Size {
    std::size_t rows = 0;
    std::size_t columns = 0;
  };
  Size size() const;  // the present size

  // Writes the lines over the former ones, and cuts what does not fit.
  void draw(const std::vector<std::string>& lines) const;

  enum class Event { due, resized, quit };
  // Waits until `due`, or until the size has changed or somebody has pressed `q`.
  Event wait_until(std::chrono::steady_clock::time_point due);

 private:
  bool has_keys_ = false;  // stdin is a terminal too
};

}  // namespace turnpike::turnpikectl
