/* Resolves addresses of this very program, which is compiled with -g. */
#include "harness/test.h"

#include <dlfcn.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolize/symbolize.h"
#include "target/maps.h"
#include "target/proc.h"

struct fixture {
	struct tide_proc proc;
	struct tide_modules *mods;
	struct tide_symbolizer *sym;
};

static int setup(void **state)
{
	static struct fixture fixture;
	int err;

	/* Whoever sets this expects downloads; there must be none. */
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9/", 1);
	if (tide_proc_open(getpid(), &fixture.proc, &err) != TIDE_PROC_OK ||
	    tide_modules_new(&fixture.mods) ||
	    tide_modules_update(fixture.mods, &fixture.proc) < 0 ||
	    tide_symbolizer_new(fixture.mods, &fixture.sym))
		return -1;
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	tide_symbolizer_free(&fixture->sym);
	assert_null(fixture->sym);
	tide_modules_free(&fixture->mods);
	tide_proc_close(&fixture->proc);
	return 0;
}

static uint64_t last_return_addr;

/* Not static, so that the symbol table has it as well. */
void symbolize_test_leaf(void);
__attribute__((noinline)) void symbolize_test_leaf(void)
{
	last_return_addr = (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static inline __attribute__((always_inline)) void inner_inlined(void)
{
	symbolize_test_leaf();
	__asm__ volatile("");
}

enum { INNER_CALL_LINE = __LINE__ - 4 };

static inline __attribute__((always_inline)) void outer_inlined(void)
{
	inner_inlined();
	__asm__ volatile("");
}

enum { OUTER_CALL_LINE = __LINE__ - 4 };

static __attribute__((noinline)) void physical_function(void)
{
	outer_inlined();
	__asm__ volatile("");
}

enum { PHYSICAL_CALL_LINE = __LINE__ - 4 };

static void assert_ends_with(const char *text, const char *end)
{
	assert_non_null(text);
	assert_true(strlen(text) >= strlen(end));
	assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void inlined_frames_have_their_own_lines(void **state)
{
	static const struct {
		const char *function;
		uint32_t line;
		bool inlined;
	} expected[] = {
		{"inner_inlined", INNER_CALL_LINE, true},
		{"outer_inlined", OUTER_CALL_LINE, true},
		{"physical_function", PHYSICAL_CALL_LINE, false},
	};
	struct fixture *fixture = *state;
	struct tide_symbol symbols[TIDE_MAX_INLINED];

	physical_function();
	assert_int_equal(tide_symbolizer_resolve(fixture->sym, last_return_addr, symbols),
			 TIDE_ARRAY_CNT(expected));
	for (size_t i = 0; i < TIDE_ARRAY_CNT(expected); i++) {
		assert_string_equal(symbols[i].function, expected[i].function);
		assert_int_equal(symbols[i].line, expected[i].line);
		assert_int_equal(symbols[i].inlined, expected[i].inlined);
		assert_ends_with(symbols[i].file, "symbolize_test.c");
		assert_non_null(symbols[i].module);
		assert_int_not_equal(symbols[i].offset, 0);
	}
}

static void second_answer_is_the_first(void **state)
{
	struct fixture *fixture = *state;
	struct tide_symbol first[TIDE_MAX_INLINED], second[TIDE_MAX_INLINED];
	int cnt;

	physical_function();
	cnt = tide_symbolizer_resolve(fixture->sym, last_return_addr, first);
	assert_int_equal(tide_symbolizer_resolve(fixture->sym, last_return_addr, second), cnt);
	for (int i = 0; i < cnt; i++) {
		assert_ptr_equal(first[i].function, second[i].function);
		assert_ptr_equal(first[i].file, second[i].file);
		assert_int_equal(first[i].line, second[i].line);
		assert_int_equal(first[i].offset, second[i].offset);
	}
}

/* A call may be its function's last instruction (the callee never returns): the return address
 * is then the next function's first byte, and must not be blamed for it.
 */
static void address_before_the_return_address_counts(void **state)
{
	struct fixture *fixture = *state;
	struct tide_symbol symbols[TIDE_MAX_INLINED];
	uint64_t start = (uint64_t)(uintptr_t)symbolize_test_leaf;
	int cnt;

	cnt = tide_symbolizer_resolve(fixture->sym, start + 1, symbols);
	assert_string_equal(symbols[cnt - 1].function, "symbolize_test_leaf");
	cnt = tide_symbolizer_resolve(fixture->sym, start, symbols);
	if (symbols[cnt - 1].function)
		assert_string_not_equal(symbols[cnt - 1].function, "symbolize_test_leaf");
}

static void libc_is_named_from_its_symbol_table(void **state)
{
	struct fixture *fixture = *state;
	struct tide_symbol symbols[TIDE_MAX_INLINED];
	uint64_t addr = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "hcreate");
	int cnt = tide_symbolizer_resolve(fixture->sym, addr + 1, symbols);

	assert_int_equal(cnt, 1);
	assert_string_equal(symbols[0].function, "hcreate");
	assert_non_null(strstr(symbols[0].module, "libc"));
	assert_false(symbols[0].inlined);
}

static void unknown_addresses_have_no_names(void **state)
{
	static const uint64_t addrs[] = {0, 1, 0x1000, UINT64_MAX};
	struct fixture *fixture = *state;
	struct tide_symbol symbols[TIDE_MAX_INLINED];

	for (size_t i = 0; i < TIDE_ARRAY_CNT(addrs); i++) {
		assert_int_equal(tide_symbolizer_resolve(fixture->sym, addrs[i], symbols), 1);
		assert_null(symbols[0].function);
		assert_null(symbols[0].file);
		assert_null(symbols[0].module);
		assert_int_equal(symbols[0].offset, addrs[i]);
	}
}

/* More addresses than the cache holds, then the first ones again. */
static void cache_stays_bounded_and_right(void **state)
{
	struct fixture *fixture = *state;
	struct tide_symbol symbols[TIDE_MAX_INLINED];
	const struct tide_module *libc;
	uint64_t addr = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "hcreate"), file_off;
	const struct tide_range *range = tide_modules_find(fixture->mods, addr, &file_off);
	uint64_t last;

	assert_non_null(range);
	libc = tide_modules_get(fixture->mods, range->module_id);
	last = range->start + 70000 < range->end ? range->start + 70000 : range->end;
	for (uint64_t a = range->start + 1; a <= last; a++) {
		assert_true(tide_symbolizer_resolve(fixture->sym, a, symbols) >= 1);
		assert_string_equal(symbols[0].module, libc->path);
		assert_int_equal(symbols[0].offset, a - range->start + range->file_off);
	}
	assert_true(tide_symbolizer_resolve(fixture->sym, addr + 1, symbols) >= 1);
	assert_string_equal(symbols[0].function, "hcreate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_frames_have_their_own_lines),
		cmocka_unit_test(second_answer_is_the_first),
		cmocka_unit_test(address_before_the_return_address_counts),
		cmocka_unit_test(libc_is_named_from_its_symbol_table),
		cmocka_unit_test(unknown_addresses_have_no_names),
		cmocka_unit_test(cache_stays_bounded_and_right),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
