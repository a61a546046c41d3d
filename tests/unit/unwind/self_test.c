/* The unwinder over this process's own stack, frame by frame against _Unwind_Backtrace(), which
 * evaluates the same CFI with libgcc's code (backtrace() is the sanitizer's here). What is walked
 * is compiled without frame pointers.
 */
#include <alloca.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "harness/unwind_world.h"
#include "target/ehframe.h"

#define PLAIN                                                             \
	__attribute__((noinline, noclone, optimize("omit-frame-pointer"), \
		       no_sanitize("address", "undefined")))

static volatile int walks;
static volatile unsigned sink;

/* Fails rather than faults, as the kernel's does. */
static int read_self(void *dst, uint32_t size_bytes, uint64_t addr)
{
	struct iovec to = {dst, size_bytes}, from = {(void *)addr, size_bytes};

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)size_bytes ? 0 : -1;
}

/* What a probe on this function's first instruction sees. */
void capture(struct tide_unwind_regs *regs);
__asm__(".text\n.type capture, @function\ncapture:\n"
	".cfi_startproc\n"
	"mov (%rsp), %rax\n mov %rax, (%rdi)\n"
	"lea 8(%rsp), %rax\n mov %rax, 8(%rdi)\n"
	"mov %rbp, 16(%rdi)\n ret\n"
	".cfi_endproc\n.size capture, . - capture\n");

struct truth {
	uint64_t ip[256];
	int cnt;
};

static _Unwind_Reason_Code add_truth(struct _Unwind_Context *context, void *arg)
{
	struct truth *truth = arg;

	if (truth->cnt == 256)
		return _URC_NORMAL_STOP;
	truth->ip[truth->cnt++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static __attribute__((noinline)) void compare(const struct tide_unwind_regs *regs);

/* A macro: what is compared begins in the function that uses it. */
#define HIT()                               \
	do {                                \
		struct tide_unwind_regs r_; \
                                            \
		capture(&r_);               \
		compare(&r_);               \
	} while (0)

/* No cmocka assertion here: it would longjmp out of a signal handler or a thread. */
static int differences;

/* The truth has this function itself before what regs saw; frame 0 differs by the place of the
 * call. */
static void compare(const struct tide_unwind_regs *regs)
{
	struct truth truth = {.cnt = 0};
	uint32_t end = TIDE_STACK_COMPLETE;
	struct tide_stack stack;
	int cnt, same;

	walks++;
	_Unwind_Backtrace(add_truth, &truth);
	cnt = truth.cnt - 1;
	/* It ends with an address of 0 where backtrace() stops before. */
	if (!truth.ip[cnt])
		cnt--;
	tide_unwind(regs, 0, WORLD_TGID, TIDE_MAX_FRAMES, &stack);
	if (cnt > TIDE_MAX_FRAMES) {
		cnt = TIDE_MAX_FRAMES;
		end = TIDE_STACK_TOO_DEEP;
	}
	same = stack.end == end && (int)stack.frame_cnt == cnt;
	for (int i = 1; same && i < cnt; i++)
		same = stack.ip[i] == truth.ip[i + 1];
	if (same)
		return;
	differences++;
	fprintf(stderr, "%d frames, not %d, end %d\n", stack.frame_cnt, cnt, stack.end);
	for (int i = 0; i < cnt; i++)
		fprintf(stderr, "  %#lx %#lx\n", (long)truth.ip[i + 1],
			i < (int)stack.frame_cnt ? (long)stack.ip[i] : 0);
}

static void map_line(const char *line)
{
	uint64_t start, end, off, vaddr;
	struct tide_unwind_image image;
	struct tide_ehframe_info info;
	char perm[8], path[512] = "";
	int fd, r;

	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %511s", &start, &end, perm, &off, path) < 4 ||
	    perm[2] != 'x' || end >> 47)
		return;
	if (!strcmp(path, "[vdso]")) {
		off = 0;
		r = tide_ehframe_compile_mem((void *)start, end - start, world.rules, &image,
					     &info);
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		r = tide_ehframe_compile_fd(fd, world.rules, &image, &info);
		close(fd);
	}
	assert_ok(r);
	assert_ok(tide_ehframe_vaddr(&info, off, &vaddr));
	world_map_object(start, end, start - vaddr + image.first_vaddr, &image);
}

static int setup(void **state)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[1024];

	(void)state;
	world_init();
	world.read = read_self;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		map_line(line);
	fclose(maps);
	world_publish(1);
	walks = differences = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done();
	return 0;
}

static PLAIN int recurse(int depth)
{
	volatile char pad[24] = {0};
	int r;

	pad[depth & 15] = 1;
	if (!depth) {
		HIT();
		return pad[3];
	}
	r = recurse(depth - 1);
	return r + pad[5];
}

static PLAIN int with_alloca(int bytes)
{
	char *p = alloca(bytes);

	memset(p, 1, bytes);
	HIT();
	return p[bytes - 1];
}

static PLAIN int over_aligned(int n)
{
	_Alignas(64) volatile char buf[256] = {0};

	buf[n & 63] = n;
	sink += with_alloca(100 + n);
	HIT();
	return buf[n & 31];
}

static PLAIN int compare_ints(const void *a, const void *b)
{
	static int calls;

	if (calls++ < 3)
		HIT();
	return *(const int *)a - *(const int *)b;
}

static PLAIN void on_signal(int signo)
{
	HIT();
	sink += signo;
}

static PLAIN int leaf(int n)
{
	int x = n;

	for (volatile int i = 0; i < n; i++)
		x ^= i * 3;
	return x;
}

static void recursion(void **state)
{
	(void)state;
	for (int depth = 0; depth < 140; depth += 7)
		sink += recurse(depth);
	assert_int_equal(walks, 20);
	assert_int_equal(differences, 0);
}

static void variable_and_realigned_frames(void **state)
{
	(void)state;
	sink += with_alloca(10) + with_alloca(3000) + over_aligned(3) + over_aligned(77);
	assert_int_equal(walks, 6);
	assert_int_equal(differences, 0);
}

static void callback_from_libc(void **state)
{
	int v[] = {5, 3, 8, 1, 9, 2};

	(void)state;
	qsort(v, 6, sizeof(v[0]), compare_ints);
	assert_int_equal(walks, 3);
	assert_int_equal(differences, 0);
}

static void *thread_main(void *arg)
{
	sink += recurse(4);
	return arg;
}

static void threads_own_stack(void **state)
{
	pthread_t thread;

	(void)state;
	assert_ok(pthread_create(&thread, NULL, thread_main, NULL));
	assert_ok(pthread_join(thread, NULL));
	assert_int_equal(walks, 1);
	assert_int_equal(differences, 0);
}

/* Interrupts wherever the program happens to be: leaves, prologues, stubs, libc, the vDSO. */
static void signals_anywhere(void **state)
{
	struct itimerval once = {{0, 0}, {0, 300}};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction old;
	struct timespec now;

	(void)state;
	assert_ok(sigaction(SIGVTALRM, &act, &old));
	raise(SIGVTALRM);
	assert_int_equal(walks, 1);
	/* Armed anew each time: a handler slower than an interval would leave nothing else to run.
	 */
	for (int want = 2; want < 60; want++) {
		assert_ok(setitimer(ITIMER_VIRTUAL, &once, NULL));
		while (walks < want) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			sink += leaf(200);
		}
	}
	assert_ok(sigaction(SIGVTALRM, &old, NULL));
	assert_int_equal(differences, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(recursion),	       T(variable_and_realigned_frames),
		T(callback_from_libc), T(threads_own_stack),
		T(signals_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
