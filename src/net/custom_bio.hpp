// A custom BIO: OpenSSL reads and writes through our functions, without a socket.
#pragma once

#include <openssl/bio.h>

#include <memory>
#include <new>

namespace turnpike::net {

// Makes a BIO whose functions are Wire::read, Wire::write and Wire::control. They find `data` by
// BIO_get_data; it may also be set later. The caller gives the BIO to an SSL, which owns it then. Throws
// std::bad_alloc.
template <class Wire>
BIO* make_custom_bio(void* data = nullptr) {
  struct Deleter {
    void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
  };
  static const std::unique_ptr<BIO_METHOD, Deleter> method = [] {
    std::unique_ptr<BIO_METHOD, Deleter> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "turnpike"));
    if (!made) throw std::bad_alloc();
    BIO_meth_set_read(made.get(), Wire::read);
    BIO_meth_set_write(made.get(), Wire::write);
    BIO_meth_set_ctrl(made.get(), Wire::control);
    return made;
  }();
  BIO* bio = BIO_new(method.get());
  if (!bio) throw std::bad_alloc();
  BIO_set_data(bio, data);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace turnpike::net
