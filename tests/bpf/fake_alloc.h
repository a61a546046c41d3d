/* Functions shaped like an allocator's, with results that the test chooses: what is probed is
 * this very program, so every interleaving can be played exactly.
 */
#ifndef TIDE_TESTS_FAKE_ALLOC_H
#define TIDE_TESTS_FAKE_ALLOC_H

#include <stddef.h>

/* What the next call of this thread does: run inside() (nested calls, waiting, longjmp), and
 * return result. Cleared by the call.
 */
struct fake_next {
	void (*inside)(void);
	void *result;
	int error; /* posix_memalign's return value */
};
extern __thread struct fake_next fake_next;

void *fake_malloc(size_t size);
void *fake_calloc(size_t count, size_t size);
void *fake_realloc(void *old, size_t size);
void *fake_reallocarray(void *old, size_t count, size_t size); /* jumps to fake_realloc */
int fake_posix_memalign(void **ret, size_t alignment, size_t size);
void *fake_aligned_alloc(size_t alignment, size_t size);
void fake_free(void *block);

/* One call of fake_malloc that returns result. */
static inline __attribute__((always_inline)) void do_malloc(void *result, size_t size)
{
	fake_next.result = result;
	(void)fake_malloc(size);
}

static inline __attribute__((always_inline)) void do_realloc(void *old, size_t size, void *result)
{
	fake_next.result = result;
	(void)fake_realloc(old, size);
}

#endif
