#include "http/wire.hpp"

namespace turnpike::http {

void Wire::hold() {
  holds_ = true;
  socket_.non_blocking(true, failure_);
}

std::size_t Wire::write_to_socket(std::string_view octets) {
  Error error;
  const std::size_t size = socket_.write_some(boost::asio::buffer(octets.data(), octets.size()), error);
  if (error && error != boost::asio::error::would_block) failure_ = error;
  return size;
}

void Wire::write_or_keep(std::string_view octets) {
  written_ += octets.size();
  push();
  if (unsent() == 0 && !failure_) octets.remove_prefix(write_to_socket(octets));
  if (failure_ || octets.empty()) return;
  unsent_.erase(0, std::exchange(taken_, 0));
  unsent_.append(octets);
}

void Wire::push() {
  if (unsent() != 0 && !failure_) taken_ += write_to_socket(std::string_view(unsent_).substr(taken_));
  if (unsent() != 0 && !failure_) return;
  taken_ = 0;
  unsent_ = std::string();  // which gives the memory back
}

}  // namespace turnpike::http
