// A stranger's words for one line of the page: without control characters and those that change the direction
// of text, which could disguise a name. What joins letters and emoji stays.
const hidden = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
export const plainLine = text => String(text ?? '').replace(hidden, '').trim();
