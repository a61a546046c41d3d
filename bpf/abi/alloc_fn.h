/* The allocator entry points Tidemark follows: one list for both sides.
 *
 * Owns: id, symbol name and call convention of each function. The id is the attach
 * cookie, so one BPF program serves every function of the same shape.
 *
 * Shapes (argument numbers are C argument positions):
 *   SIZE     block = f(size)                      MUL      block = f(count, size)
 *   RESIZE   block = f(old, size)                 RESIZE3  block = f(old, count, size)
 *   ALIGN    block = f(alignment, size)           POSIX    errno = f(&block, alignment, size)
 *   FREE     f(block)
 */
#ifndef TIDE_ABI_ALLOC_FN_H
#define TIDE_ABI_ALLOC_FN_H

enum tide_shape {
	TIDE_SHAPE_SIZE,
	TIDE_SHAPE_MUL,
	TIDE_SHAPE_RESIZE,
	TIDE_SHAPE_RESIZE3,
	TIDE_SHAPE_ALIGN,
	TIDE_SHAPE_POSIX,
	TIDE_SHAPE_FREE,
};

/* X(id, symbol, shape). valloc and pvalloc report the size the program asked for. */
#define TIDE_ALLOC_FNS(X)                          \
	X(MALLOC, "malloc", SIZE)                  \
	X(CALLOC, "calloc", MUL)                   \
	X(REALLOC, "realloc", RESIZE)              \
	X(REALLOCARRAY, "reallocarray", RESIZE3)   \
	X(POSIX_MEMALIGN, "posix_memalign", POSIX) \
	X(ALIGNED_ALLOC, "aligned_alloc", ALIGN)   \
	X(MEMALIGN, "memalign", ALIGN)             \
	X(VALLOC, "valloc", SIZE)                  \
	X(PVALLOC, "pvalloc", SIZE)                \
	X(FREE, "free", FREE)                      \
	X(CFREE, "cfree", FREE)

enum tide_alloc_fn {
#define X(id, symbol, shape) TIDE_FN_##id,
	TIDE_ALLOC_FNS(X)
#undef X
		TIDE_FN_CNT,
};

#endif
