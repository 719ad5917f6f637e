// Text that strangers choose, such as user names, on its way to a terminal or a log. Such text must not
// control the terminal, change the order or the place of what is beside it, or begin a line of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace turnpike {

// Removes one character from the front of `text`, which is not empty, with the marks that are drawn over it,
// or one octet that belongs to no character. Returns what a terminal may have for it: letters, marks, digits,
// punctuation, symbols and the ASCII space as they are; anything else, such as a control character or a mark
// of direction, as an escape such as \u{202e}; an octet as \x9b. The ASCII characters of `also` become
// escapes too.
std::string take_printable(std::string_view& text, std::string_view also = {});

// Converts the whole text in this way. The result is one line. A second conversion changes nothing.
std::string printable(std::string_view text);
// The same for a JSON text, which keeps its meaning: what a terminal may not have is written as \u202e, and
// an octet that belongs to no character as \ufffd. Its line breaks become spaces.
std::string printable_json(std::string_view json);

// Receives the parts of a converted text, in their order.
using PutPart = std::function<void(std::string_view)>;
// The same conversions, part by part. For ASCII they need no memory, so a line of the log can be written
// when there is none.
void put_printable(std::string_view text, const PutPart& put);
void put_printable_json(std::string_view json, const PutPart& put);

// The number of columns of a terminal that a printable text needs: two for a wide character, none for a mark.
std::size_t columns_of(std::string_view printable);

// Converts the text like printable(), and shortens it to at most `columns` columns. "…" replaces the part
// that has no room.
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace turnpike
