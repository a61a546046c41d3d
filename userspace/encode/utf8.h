/* Text from foreign processes made fit for documents and terminals.
 *
 * Owns: nothing. Never: trusts that bytes are UTF-8. Threads: pure.
 * Memory: results are malloc'ed and at most six times as long as the input.
 */
#ifndef TIDE_ENCODE_UTF8_H
#define TIDE_ENCODE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define TIDE_UTF8_INVALID UINT32_MAX

/* Decodes the first character of a terminated string. Returns the bytes it takes; 0 at the end.
 * Of bytes that are no UTF-8 the longest part that could have begun a character counts as one
 * TIDE_UTF8_INVALID (Unicode 15, section 3.9, "maximal subpart").
 */
size_t tide_utf8_decode(const char *bytes, uint32_t *ret_code);
/* Valid UTF-8: what is not becomes U+FFFD. NULL only when out of memory (here and below). */
char *tide_utf8_repair(const char *bytes);
/* Repaired, and nothing left that a terminal obeys or that reorders a line: "\x1b", "\u202e". */
char *tide_utf8_printable(const char *bytes);
/* Characters of valid UTF-8. */
size_t tide_utf8_columns(const char *text);
/* At most max_columns characters of valid UTF-8, "..." for what is left out of its middle. */
char *tide_utf8_cut_middle(const char *text, size_t max_columns);

#endif
