#include "server/mailbox.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

namespace turnpike::server {
namespace {

constexpr std::size_t kMostMedia = 2 << 20;  // bytes; hundredths of a second of a busy worker
constexpr std::size_t kMost = 4 << 20;
constexpr std::size_t kOverhead = 256;  // of a message

}  // namespace

Mailbox::Mailbox() : ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ready_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Mailbox::post(Mail mail) {
  const std::lock_guard lock(mutex_);
  add(std::move(mail));
}

bool Mailbox::post(Mail mail, std::size_t size, bool is_media) {
  const std::lock_guard lock(mutex_);
  if (bytes_ + size + kOverhead > (is_media ? kMostMedia : kMost)) return false;
  bytes_ += size + kOverhead;
  add(std::move(mail));
  return true;
}

void Mailbox::add(Mail mail) {
  if (mail_.empty()) eventfd_write(ready_.get(), 1);
  mail_.push_back(std::move(mail));
}

std::vector<Mail> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  eventfd_t count = 0;
  eventfd_read(ready_.get(), &count);
  bytes_ = 0;
  return std::exchange(mail_, {});
}

}  // namespace turnpike::server
