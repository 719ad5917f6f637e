// Data that an SSL_CTX owns, for the context's callbacks. They are deleted with the context, which lives at
// least as long as its last connection.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <new>

namespace turnpike::net {

template <class T>
class ContextData {
 public:
  static void set(SSL_CTX* context, std::unique_ptr<T> data) {
    if (SSL_CTX_set_ex_data(context, index(), data.get()) != 1) throw std::bad_alloc();
    (void)data.release();
  }
  static T& of(const SSL* session) {
    return *static_cast<T*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), index()));
  }

 private:
  static int index() {
    static const int value = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr,
        [](void*, void* data, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<T*>(data); });
    return value;
  }
};

}  // namespace turnpike::net
