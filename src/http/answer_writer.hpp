// Writes the answers of an HTTP connection to its stream.
#pragma once

#include "http/deadline.hpp"
#include "http/message.hpp"
#include "http/stream.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::http {

// The properties of a request that its answer needs.
struct AnswerFraming {
  unsigned version = 11;  // of HTTP, as Beast writes it: 11 is 1.1
  bool keep_alive = false;
  bool only_head = false;
};

// Writes an answer, with the headers that every answer has. A body in memory is written in place, a file in
// parts. The client has `patience` to receive an answer, and as much again for each part of a file, since a
// browser reads a film as slowly as it plays it. Returns true when the connection continues.
Awaitable<bool> write_answer(Stream& stream, Deadline& deadline, Duration patience, Response response,
                             AnswerFraming framing);

}  // namespace turnpike::http
