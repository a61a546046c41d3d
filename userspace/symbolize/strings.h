/* A set of strings, each kept once.
 *
 * Owns: the copies. Never: gives one back before the whole set is freed, so a pointer stays good.
 * Threads: one user at a time.
 * Memory: TIDE_STRINGS_MAX_BYTES of text; beyond that nothing new is kept.
 */
#ifndef TIDE_SYMBOLIZE_STRINGS_H
#define TIDE_SYMBOLIZE_STRINGS_H

#include <stddef.h>

#define TIDE_STRINGS_MAX_BYTES (64UL << 20)

struct tide_strings;

/* 0 or -ENOMEM; *ret is untouched on failure. */
int tide_strings_new(struct tide_strings **ret);
void tide_strings_free(struct tide_strings **set);
/* The set's copy of text. NULL for a NULL text, without memory, and when the set is full. */
const char *tide_strings_keep(struct tide_strings *set, const char *text);

#endif
