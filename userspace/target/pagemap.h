/* Which pages of an address range are in RAM, from /proc/PID/pagemap.
 *
 * Owns: nothing. Never: touches the pages. Threads: reentrant. Memory: one buffer, half a MiB.
 */
#ifndef TIDE_TARGET_PAGEMAP_H
#define TIDE_TARGET_PAGEMAP_H

#include <stdint.h>

/* Called for runs of present pages, ascending and apart. */
typedef void (*tide_present_fn)(uint64_t start, uint64_t end, void *ctx);

/* How to ask: by ioctl where the kernel has it (6.7), which skips what was never touched and the
 * page of zeroes that reading untouched memory gives; else by reading eight bytes a page.
 */
enum tide_pagemap_way { TIDE_PAGEMAP_SCAN, TIDE_PAGEMAP_READ };

/* *way becomes TIDE_PAGEMAP_READ when the kernel does not know the other. start and end are page
 * aligned. 0 or -errno; -ESRCH when the process's memory has gone and that can be told.
 */
int tide_pagemap_present(int pagemap_fd, uint64_t start, uint64_t end, enum tide_pagemap_way *way,
			 tide_present_fn fn, void *ctx);

#endif
