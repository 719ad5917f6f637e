// Text that strangers choose, such as user names, on its way to a terminal or a log. Such text must not
// control the terminal, change the order or the place of what is beside it, or begin a line of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace turnpike {

// Removes one character from the front of `text`, which is not empty, with the marks that are drawn over it,
// or one octet that belongs to no character. Returns what a terminal may have for it: letters, marks, digits,
// punctuation, symbols and the ASCII space as they are; anything else, such as a control character or a mark
// of direction, as an escape such as \u{202e}; an octet as \x9b. The ASCII characters of `also` become
// escapes too.
std::string take_printable(std::string_view& text, std::string_view also = {});

// All of the text in this way. It is on one line. To do so twice changes nothing.
std::string printable(std::string_view text);

// The same for a JSON text, which keeps its meaning: what a terminal may not have is written as \u202e, and
// an octet that belongs to no character as \ufffd. Its line breaks become spaces.
std::string printable_json(std::string_view json);

// The columns of a terminal that a printable text takes: two for a wide character, none for a mark.
std::size_t columns_of(std::string_view printable);

// The text as a terminal may have it, in at most so many columns. "…" stands for what has no room.
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace turnpike
