#include "harness/test.h"

#include "base/util.h"
#include "symbolize/symbolize.h"

static void assert_demangled(const char *name, const char *expected)
{
	TIDE_AUTO_FREE char *text = tide_demangle(name);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

struct name {
	const char *mangled, *readable;
};

static void check_table(const struct name *names, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		assert_demangled(names[i].mangled, names[i].readable);
}

static void cplusplus(void **state)
{
	static const struct name names[] = {
		{"_Z3fooi", "foo(int)"},
		{"_Znwm", "operator new(unsigned long)"},
		{"_ZlsRSoRK3Foo", "operator<<(std::ostream&, Foo const&)"},
		{"_ZN3FoocvbEv", "Foo::operator bool()"},
		{"_ZNSt6vectorIiSaIiEE7reserveEm",
		 "std::vector<int, std::allocator<int> >::reserve(unsigned long)"},
		{"_ZN12_GLOBAL__N_14loadEPKc", "(anonymous namespace)::load(char const*)"},
		{"_Z3foov.part.0", "foo() [clone .part.0]"},
	};

	(void)state;
	check_table(names, TIDE_ARRAY_CNT(names));
}

static void rust(void **state)
{
	static const struct name names[] = {
		{"_ZN3std2rt10lang_start17h0123456789abcdefE", "std::rt::lang_start"},
		{"_ZN3std2rt10lang_start17h0123456789abcdefE.llvm.123456", "std::rt::lang_start"},
		{"_ZN4core3ptr85drop_in_place$LT$std..rt..lang_start$LT$$LP$$RP$$GT$..$u7b$$u7b$"
		 "closure$u7d$$u7d$$GT$17h0123456789abcdefE",
		 "core::ptr::drop_in_place<std::rt::lang_start<()>::{{closure}}>"},
		{"_RNvCs1234_7mycrate3foo", "mycrate::foo"},
		{"_RNvMsr_NtCs3ssYzQotkvD_3std4pathNtB5_7PathBuf3newCs15kBYyAo9fc_7mycrate",
		 "<std::path::PathBuf>::new"},
	};

	(void)state;
	check_table(names, TIDE_ARRAY_CNT(names));
}

static void anything_else_is_copied(void **state)
{
	static const char *const names[] = {
		"",
		"main",
		"_",
		"_Z",
		"_ZN",
		"_R",
		"_Rgarbage",
		"_Z3fo",
		"__Z3foov",
		"_ZN3foo17hE",
		"_ZN3foo17h0123E",
		"17h0123456789abcdef",
		"\xff\xfe",
		"_Z\xff",
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(names); i++)
		assert_demangled(names[i], names[i]);
}

/* prefix, then part again and again, at least len long. */
static char *repeat(const char *prefix, const char *part, size_t len, const char *end)
{
	size_t capacity = strlen(prefix) + len + strlen(part) + strlen(end) + 1;
	char *text = malloc(capacity);
	size_t off;

	assert_non_null(text);
	off = stpcpy(text, prefix) - text;
	while (off < strlen(prefix) + len)
		off += stpcpy(text + off, part) - (text + off);
	strcpy(text + off, end);
	return text;
}

static void long_and_deep_names_do_no_harm(void **state)
{
	static const struct {
		const char *prefix, *part, *end;
	} cases[] = {
		{"_Z1f", "P", "i"},
		{"_ZN", "1a", "E"},
		{"_R", "I", ""},
		{"_RNvC6_123foo", "B_", ""},
		{"_Z1f", "St4pairI", ""},
		{"_Z1f", "FvS_", "E"},
		{"_ZN", "1a", "17h0123456789abcdefE"},
	};
	static const size_t lens[] = {100, 1000, 8000, 100000};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(cases) * TIDE_ARRAY_CNT(lens); i++) {
		size_t which = i / TIDE_ARRAY_CNT(lens);
		size_t len = lens[i % TIDE_ARRAY_CNT(lens)];
		TIDE_AUTO_FREE char *name =
			repeat(cases[which].prefix, cases[which].part, len, cases[which].end);
		TIDE_AUTO_FREE char *text = tide_demangle(name);

		assert_non_null(text);
		if (len > 8192)
			assert_string_equal(text, name);
	}
}

/* f(pair<int, int>, pair<that, that>, ...): each step doubles the output. */
static char *doubling_name(size_t step_cnt)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char *name = malloc(64 + 16 * step_cnt);
	size_t off;

	assert_non_null(name);
	off = stpcpy(name, "_Z1fSt4pairIiiE") - name;
	for (size_t i = 0; i < step_cnt; i++) {
		/* S_ is the template, S0_ the first pair; each further pair adds both again. */
		size_t id = 2 * i;
		char ref[8];

		if (id < 36)
			sprintf(ref, "S%c_", digits[id]);
		else
			sprintf(ref, "S%c%c_", digits[id / 36], digits[id % 36]);
		off += sprintf(name + off, "St4pairI%s%sE", ref, ref);
	}
	return name;
}

static void output_that_explodes_is_given_up(void **state)
{
	TIDE_AUTO_FREE char *two = doubling_name(2), *sixty = doubling_name(60);

	(void)state;
	assert_demangled(two, "f(std::pair<int, int>, "
			      "std::pair<std::pair<int, int>, std::pair<int, int> >, "
			      "std::pair<std::pair<std::pair<int, int>, std::pair<int, int> >, "
			      "std::pair<std::pair<int, int>, std::pair<int, int> > >)");
	assert_demangled(sixty, sixty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cplusplus),
		cmocka_unit_test(rust),
		cmocka_unit_test(anything_else_is_copied),
		cmocka_unit_test(long_and_deep_names_do_no_harm),
		cmocka_unit_test(output_that_explodes_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
