// A stranger's words for one line of the page: without control characters and those that change the direction
// of text, which could disguise a name.
export const plainLine = text => String(text ?? '').replace(/[\p{Cc}\p{Cf}]/gu, '').trim();
