/* Small things every layer needs: cleanup attributes, ownership transfer, array sizes.
 *
 * Owns: nothing. Never: logging, allocation policy. Threads: pure. Memory: none.
 *
 * House rules (bpfilter's and systemd's): constructors leave *ret untouched on failure;
 * destructors take T **, accept NULL and half-built objects and set it to NULL; descriptors
 * start at -1; 0 or negative errno.
 */
#ifndef TIDE_BASE_UTIL_H
#define TIDE_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TIDE_ARRAY_CNT(a) (sizeof(a) / sizeof((a)[0]))
#define TIDE_NS_PER_SEC	  1000000000ULL
#define TIDE_NS_PER_MS	  1000000ULL

#define TIDE_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Moves a pointer (or descriptor) out of a variable with a cleanup attribute. */
#define TIDE_TAKE_PTR(p)                    \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})
#define TIDE_TAKE_FD(fd)           \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

static inline void tide_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void tide_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void tide_cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define TIDE_AUTO_FREE TIDE_CLEANUP(tide_cleanup_free)
#define TIDE_AUTO_FD   TIDE_CLEANUP(tide_cleanup_fd)
#define TIDE_AUTO_FILE TIDE_CLEANUP(tide_cleanup_file)

#endif
