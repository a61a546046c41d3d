/* What an .xz stream unfolds to, without unfolding it.
 *
 * Owns: nothing. Never: decodes; trusts the stream. Threads: pure. Memory: none.
 */
#ifndef TIDE_SYMBOLIZE_XZ_SIZE_H
#define TIDE_SYMBOLIZE_XZ_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes that a decoder can make of it. 0, or -EBADMSG when it is no .xz stream of LZMA2
 * blocks whose chunks can be followed to their end.
 */
int tide_xz_size(const void *stream, size_t len, uint64_t *ret_bytes);

#endif
