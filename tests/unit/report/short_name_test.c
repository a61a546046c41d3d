#include "harness/test.h"

#include "base/util.h"
#include "report/short_name.h"

static void assert_short(const char *name, const char *expected)
{
	TIDE_AUTO_FREE char *shorter = tide_short_name(name);

	assert_non_null(shorter);
	assert_string_equal(shorter, expected);
}

static void template_arguments_go(void **state)
{
	(void)state;
	assert_short("main", "main");
	assert_short("", "");
	assert_short("void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>("
		     "__gnu_cxx::__normal_iterator<int*, std::vector<int> >, int const&)",
		     "void std::vector<...>::_M_realloc_insert<...>("
		     "__gnu_cxx::__normal_iterator<...>, int const&)");
	assert_short("f<1>(g<(2)>)", "f<...>(g<...>)");
	assert_short("app::load<app::{lambda(std::map<int, int>)#1}>(int)", "app::load<...>(int)");
	assert_short("(anonymous namespace)::Map<K>::grow()",
		     "(anonymous namespace)::Map<...>::grow()");
}

static void operators_stay(void **state)
{
	(void)state;
	assert_short("std::operator<< <char>(int)", "std::operator<< <...>(int)");
	assert_short("bool operator< <int>(A<int> const&)", "bool operator< <...>(A<...> const&)");
	assert_short("A<int>::operator->() const", "A<...>::operator->() const");
	assert_short("A::operator<=>(A<int>)", "A::operator<=>(A<...>)");
	assert_short("A::operator>>(int)", "A::operator>>(int)");
	assert_short("A<int>::operator()<char>(char) const", "A<...>::operator()<...>(char) const");
	assert_short("my_operator<int>()", "my_operator<...>()");
}

static void generics_go_and_paths_stay(void **state)
{
	(void)state;
	assert_short("hashbrown::map::HashMap<K,V,S,A>::insert",
		     "hashbrown::map::HashMap<...>::insert");
	assert_short("<alloc::vec::Vec<T> as core::clone::Clone>::clone",
		     "<alloc::vec::Vec<...> as core::clone::Clone>::clone");
	assert_short("core::ptr::drop_in_place::<alloc::vec::Vec<u8>>",
		     "core::ptr::drop_in_place::<...>");
	assert_short("app::run::<fn(u8) -> Vec<u8>>::{closure#0}", "app::run::<...>::{closure#0}");
	assert_short("<&[T] as app::Load<U>>::load", "<&[T] as app::Load<...>>::load");
}

static void what_does_not_close_stays(void **state)
{
	(void)state;
	assert_short("f<int", "f<int");
	assert_short("f<", "f<");
	assert_short(">f", ">f");
	assert_short("f<>", "f<>");
	assert_short("a<b->c", "a<b->c");
	assert_short("<<<<", "<<<<");
	assert_short("operator", "operator");
	assert_short("operator<", "operator<");
	assert_short("operator< <", "operator< <");
	assert_short("f<T>f<T>f<T>", "f<...>f<...>f<...>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(template_arguments_go),
		cmocka_unit_test(operators_stay),
		cmocka_unit_test(generics_go_and_paths_stay),
		cmocka_unit_test(what_does_not_close_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
