#include "relay/mailbox.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>

namespace turnpike::relay {
namespace {

constexpr std::size_t kMaxMedia = 2 << 20;  // bytes; some hundredths of a second of work
constexpr std::size_t kMax = 4 << 20;
constexpr std::size_t kOverhead = 256;  // the assumed size of a message without its data

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
  if (!has_room(size + kOverhead, is_media)) {
    ++counters_.dropped;
    return false;
  }
  add(std::move(mail));
  bytes_ += size + kOverhead;
  return true;
}

bool Mailbox::post(FromRelays mail) {
  const std::lock_guard lock(mutex_);
  const std::size_t datagrams = mail.datagrams().size();
  const std::size_t size = mail.size() + datagrams * kOverhead;
  if (!has_room(size, true)) {
    counters_.dropped += datagrams;
    return false;
  }
  add(std::move(mail));
  bytes_ += size;
  return true;
}

void Mailbox::post(Returned mail) {
  const std::lock_guard lock(mutex_);
  const std::size_t size = mail.message.size() + kOverhead;
  const bool whole = has_room(size, false);
  if (!whole) {
    ++counters_.dropped;
    mail.message.clear();
  }
  add(std::move(mail));
  if (whole) bytes_ += size;
}

bool Mailbox::has_room(std::size_t size, bool is_media) const {
  return bytes_ + size <= (is_media ? kMaxMedia : kMax);
}

// The worker is woken for the first message only, after it was added.
void Mailbox::add(Mail mail) {
  mail_.push_back(std::move(mail));
  if (mail_.size() == 1) eventfd_write(ready_.get(), 1);
}

std::vector<Mail> Mailbox::take_mail() {
  const std::lock_guard lock(mutex_);
  eventfd_t count = 0;
  eventfd_read(ready_.get(), &count);
  bytes_ = 0;
  return std::exchange(mail_, {});
}

}  // namespace turnpike::relay
