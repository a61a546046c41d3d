#include "harness/test.h"

#include "base/util.h"
#include "bpf/abi/event.h"
#include "encode/utf8.h"
#include "report/frame_name.h"

#define FN(name)                                                                \
	{                                                                       \
		.function = (char *)(name), .file = (char *)"/a/b.c", .line = 7 \
	}

static void library_ways_to_allocate_do_not_name_a_site(void **state)
{
	static const char *const wrappers[] = {
		"operator new(unsigned long)",
		"operator new[](unsigned long, std::nothrow_t const&)",
		"std::vector<int, std::allocator<int> >::reserve(unsigned long)",
		"void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(int&&)",
		"__gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*)",
		"alloc::raw_vec::finish_grow",
		"<alloc::string::String as core::clone::Clone>::clone",
		"hashbrown::raw::RawTable<T,A>::reserve_rehash",
		"__rust_alloc",
		"xmalloc",
		"xmalloc.part.0",
		"PyObject_Malloc",
		"_PyMem_RawMalloc",
		"std::vector<int> std::__do_it<int>(int)",
		"char* std::__detail::grow<char>(unsigned long)",
		"std::__cxx11::basic_string<char>::_M_mutate(unsigned long)",
		"std::allocator_traits<std::allocator<int> >::allocate(std::allocator<int>&)",
		"std::__new_allocator<int>::allocate(unsigned long, void const*)",
		"absl::lts_20220623::container_internal::raw_hash_set<int>::resize(unsigned long)",
		"llvm::SmallVectorBase<unsigned int>::grow_pod(void*, unsigned long)",
		"v8::internal::Malloced::operator new(unsigned long)",
		"alloc::raw_vec::RawVec<T,A>::grow_one",
		"<alloc::vec::Vec<T> as alloc::vec::spec_from_iter::SpecFromIter<T,I>>::from_iter",
		"<T as alloc::slice::hack::ConvertVec>::to_vec",
		"<[T] as alloc::borrow::ToOwned>::to_owned",
		"<&str as core::convert::Into<alloc::string::String>>::into",
		"__rustc::__rust_alloc",
		"g_malloc0_n",
		"PyMem_RawCalloc",
		"_PyObject_GC_NewVar",
		"sqlite3MallocZero",
		"sqlite3DbMallocRawNN",
		"ztrymalloc_usable_internal",
		"zmalloc_usable",
		"ngx_palloc_large",
		"MemoryContextAllocZero",
		"CRYPTO_zalloc",
		"uv__malloc",
		"ruby_xmalloc2",
		"luaM_realloc_",
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(wrappers); i++) {
		struct tide_frame frames[] = {FN(wrappers[i]), FN("load")};
		struct tide_site_report site = {.frames = frames, .frame_cnt = 2};

		assert_ptr_equal(tide_site_frame(&site), &frames[1]);
	}
}

static void everything_else_does(void **state)
{
	static const char *const names[] = {
		"table_resize",
		"xmalloc_table",
		"operator_new",
		"stdlib_init",
		"allocate",
		"load(std::string const&)",
		"zmalloc_stats",
		"Foo::operator new_thing",
		"int load<std::vector<int> >(int)",
		"std::vector<int, std::allocator<int> > load<int>(int)",
		"std::pair<int, int> const& app::Table<std::less<int> >::get<int>(int) const",
		"app::operator+(std::string const&)",
		"app::Row::operator std::string()",
		"(anonymous namespace)::grow(std::vector<int>&)",
		"std_load",
		"stdx::load",
		"absl::lts_20220623::Cord::Append(int)",
		"<app::Row as core::clone::Clone>::clone",
		"<app::Row as alloc::string::ToString>::to_string",
		"<my::Vec<T> as app::Grow>::grow",
		"app::main::{{closure}}",
		"LazyCompile:*load /app/std::x.js:1",
		"xmallocator",
		"PyObject_Call",
		"list_resize",
		"sqlite3_step",
		"zmalloc_get_rss",
		"",
		"(",
		"<",
		"<T as ",
	};

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(names); i++) {
		struct tide_frame frames[] = {FN(names[i]), FN("main")};
		struct tide_site_report site = {.frames = frames, .frame_cnt = 2};

		assert_ptr_equal(tide_site_frame(&site), &frames[0]);
	}
}

static void without_a_better_one_the_first_frame_names_the_site(void **state)
{
	struct tide_frame frames[] = {FN("xmalloc"), FN("std::string::reserve()"), FN(NULL)};
	struct tide_site_report site = {.frames = frames, .frame_cnt = 3};

	(void)state;
	assert_ptr_equal(tide_site_frame(&site), &frames[0]);
	site.frame_cnt = 0;
	assert_null(tide_site_frame(&site));
	assert_int_equal(tide_site_own_frames(&site), 0);
}

static void nameless_frames_are_passed_over_within_their_file_only(void **state)
{
	char own[] = "/usr/bin/served", library[] = "/usr/lib/libevent.so", name[] = "event_loop";
	struct tide_frame frames[] = {FN("xmalloc"),
				      {.module = own, .offset = 0x11d1d},
				      {.module = own, .offset = 0x127e8},
				      {.module = library, .function = name}};
	struct tide_site_report site = {.frames = frames, .frame_cnt = 4};

	(void)state;
	assert_ptr_equal(tide_site_frame(&site), &frames[1]);
	frames[3].module = own;
	assert_ptr_equal(tide_site_frame(&site), &frames[3]);
	site.frame_cnt = 3; /* no name at all */
	assert_ptr_equal(tide_site_frame(&site), &frames[1]);
}

static void the_way_into_the_program_is_not_its_own(void **state)
{
	struct tide_frame frames[] = {FN("load"), FN("start"), FN("main"),
				      FN("__libc_start_call_main"), FN("_start")};
	struct tide_site_report site = {.frames = frames, .frame_cnt = 5};
	struct tide_site_report only = {.frames = &frames[4], .frame_cnt = 1};

	(void)state;
	assert_int_equal(tide_site_own_frames(&site), 3);
	assert_int_equal(tide_site_own_frames(&only), 1);
}

static void a_stack_that_reaches_main_lacks_nothing(void **state)
{
	struct tide_frame frames[] = {FN("load"), FN("main"), FN("__libc_start_call_main")};
	struct tide_site_report site = {.frames = frames, .stack_end = TIDE_STACK_NO_FRAME_POINTER};

	(void)state;
	assert_true(tide_site_stops_early(&site));
	site.frame_cnt = 1;
	assert_true(tide_site_stops_early(&site));
	site.frame_cnt = 2;
	assert_false(tide_site_stops_early(&site));
	site.frame_cnt = 3;
	assert_false(tide_site_stops_early(&site));
	site.frame_cnt = 1;
	site.stack_end = TIDE_STACK_COMPLETE;
	assert_false(tide_site_stops_early(&site));
}

static void assert_label(const struct tide_frame *frame, size_t max_columns, const char *expected)
{
	struct tide_frame copy = *frame;
	struct tide_site_report site = {.frames = &copy, .frame_cnt = 1};
	TIDE_AUTO_FREE char *label = tide_site_label(&site, max_columns, false);

	assert_non_null(label);
	assert_string_equal(label, expected);
}

static void labels_give_way_to_the_width(void **state)
{
	const struct tide_frame full = {.function = (char *)"connection_pool_grow",
					.file = (char *)"/src/pool.c",
					.line = 1204};
	const struct tide_frame bare = {.module = (char *)"/opt/libx.so", .offset = 0x1f30};
	const struct tide_frame nowhere = {.offset = 0x7f00};
	const struct tide_frame lineless = {.function = (char *)"f", .file = (char *)"x.c"};
	const struct tide_frame symbol = {.function = (char *)"qsort",
					  .module = (char *)"/usr/lib/libc.so.6"};

	(void)state;
	assert_label(&full, SIZE_MAX, "connection_pool_grow (pool.c:1204)");
	assert_label(&full, 34, "connection_pool_grow (pool.c:1204)");
	assert_label(&full, 28, "conne...l_grow (pool.c:1204)");
	assert_label(&full, 20, "connection_pool_grow");
	assert_label(&full, 13, "conne..._grow");
	assert_label(&bare, 40, "libx.so+0x1f30");
	assert_label(&nowhere, 40, "0x7f00");
	assert_label(&lineless, 40, "f (x.c)");
	assert_label(&symbol, 40, "qsort (libc.so.6)");
}

static void short_names_leave_template_arguments_out(void **state)
{
	struct tide_frame frame = {.function = (char *)"app::Map<int, long>::grow()"};
	struct tide_site_report site = {.frames = &frame, .frame_cnt = 1};
	TIDE_AUTO_FREE char *label = tide_site_label(&site, SIZE_MAX, true);

	(void)state;
	assert_string_equal(label, "app::Map<...>::grow()");
}

static void no_frames_are_said_to_be_none(void **state)
{
	struct tide_site_report site = {0};
	TIDE_AUTO_FREE char *label = tide_site_label(&site, 40, false);

	(void)state;
	assert_string_equal(label, "(no stack)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(library_ways_to_allocate_do_not_name_a_site),
		cmocka_unit_test(everything_else_does),
		cmocka_unit_test(without_a_better_one_the_first_frame_names_the_site),
		cmocka_unit_test(nameless_frames_are_passed_over_within_their_file_only),
		cmocka_unit_test(the_way_into_the_program_is_not_its_own),
		cmocka_unit_test(a_stack_that_reaches_main_lacks_nothing),
		cmocka_unit_test(labels_give_way_to_the_width),
		cmocka_unit_test(short_names_leave_template_arguments_out),
		cmocka_unit_test(no_frames_are_said_to_be_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
