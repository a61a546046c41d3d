/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process without any allocator: no C library, only a loop that sleeps until it is killed. */

struct timespec_like {
	long sec, nsec;
};

static long call2(long nr, const void *a, void *b)
{
	long ret;

#if defined(__x86_64__)
	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register const void *x0 __asm__("x0") = a;
	register void *x1 __asm__("x1") = b;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	ret = (long)x0;
#else
#error "how does this machine call its kernel?"
#endif
	return ret;
}

#if defined(__x86_64__)
#define NR_NANOSLEEP 35
#else
#define NR_NANOSLEEP 101
#endif

void _start(void);

__attribute__((noreturn)) void _start(void)
{
	static const struct timespec_like second = {.sec = 1};

	for (;;)
		call2(NR_NANOSLEEP, &second, 0);
}
