/* Words of the command line to numbers, strictly.
 *
 * Owns: nothing. Never: guesses; trailing characters, signs, overflow are errors.
 * Threads: pure. Memory: none.
 */
#ifndef TIDE_BASE_PARSE_H
#define TIDE_BASE_PARSE_H

#include <stdint.h>

/* Decimal digits only. 0, -EINVAL, -ERANGE; *ret untouched on failure (here and below). */
int tide_parse_u64(const char *text, uint64_t *ret);
/* "64", "4K", "16M", "1G", "2T": bytes, powers of 1024, either case, an optional trailing B or iB.
 */
int tide_parse_bytes(const char *text, uint64_t *ret_bytes);
/* "500ms", "30s", "5m", "2h", "1d", "1.5s"; without a unit seconds. Result in nanoseconds. */
int tide_parse_duration(const char *text, uint64_t *ret_ns);

#endif
