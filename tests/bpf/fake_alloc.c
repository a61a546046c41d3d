#include "bpf/fake_alloc.h"

#define FAKE __attribute__((noinline, noipa))

__thread struct fake_next fake_next;

static struct fake_next take_next(void)
{
	struct fake_next next = fake_next;

	fake_next = (struct fake_next){0};
	if (next.inside)
		next.inside();
	return next;
}

FAKE void *fake_malloc(size_t size)
{
	(void)size;
	return take_next().result;
}

FAKE void *fake_calloc(size_t count, size_t size)
{
	(void)count;
	(void)size;
	return take_next().result;
}

FAKE void *fake_realloc(void *old, size_t size)
{
	(void)old;
	(void)size;
	return take_next().result;
}

/* A tail call, as glibc's own: the stack pointer at fake_realloc's entry is the same. A product
 * that overflows fails here already.
 */
__attribute__((naked, noinline)) void *fake_reallocarray(void *old __attribute__((unused)),
							 size_t count __attribute__((unused)),
							 size_t size __attribute__((unused)))
{
	__asm__("mov %rdx, %rax\n\t"
		"mul %rsi\n\t"
		"jo 1f\n\t"
		"mov %rax, %rsi\n\t"
		"jmp fake_realloc\n"
		"1:\txor %eax, %eax\n\t"
		"ret\n");
}

FAKE int fake_posix_memalign(void **ret, size_t alignment, size_t size)
{
	struct fake_next next = take_next();

	(void)alignment;
	(void)size;
	if (!next.error)
		*ret = next.result;
	return next.error;
}

FAKE void *fake_aligned_alloc(size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	return take_next().result;
}

FAKE void fake_free(void *block)
{
	__asm__ volatile("" : : "r"(block) : "memory");
}
