/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What C++ does to a stack: virtual calls, templates within templates, functors through the
 * library, exceptions caught below and above, destructors run by the unwinder, threads.
 */
#include "truth.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

struct Base {
	virtual ~Base()
	{
	}
	virtual int go(int depth) = 0;
};

template <int N> struct Level : Base {
	int room[N];

	int go(int depth) override
	{
		std::string text(depth, 'x');
		Level<(N > 1 ? N - 1 : 1)> next;
		Base *base = &next;

		room[0] = depth;
		if (!depth) {
			truth_alloc("virtual");
			return 1;
		}
		return base->go(depth - 1) + text.size() + room[0];
	}
};

struct AtEnd {
	~AtEnd()
	{
		truth_alloc("destructor");
	}
};

NOINLINE int thrower(int n)
{
	AtEnd at_end;

	if (n > 2)
		throw std::runtime_error("more than two");
	truth_alloc("before-throw");
	return n;
}

NOINLINE int catcher(int n)
{
	try {
		return thrower(n) + 1;
	} catch (std::exception &) {
		truth_alloc("caught");
		return -1;
	}
}

NOINLINE int catcher_again(int n)
{
	try {
		return catcher(n) + thrower(n);
	} catch (...) {
		try {
			throw;
		} catch (...) {
			truth_alloc("rethrown");
			return 3;
		}
	}
}

template <class T> using Lists = std::map<std::string, std::vector<T>>;

template <class T> NOINLINE int summed(Lists<T> &lists, std::function<int(T)> weigh)
{
	int sum = 0;

	for (auto &list : lists)
		sum += std::accumulate(list.second.begin(), list.second.end(), 0,
				       [&](int so_far, T value) { return so_far + weigh(value); });
	return sum;
}

/* Nested ever deeper: a type, and a symbol, of some kilobytes. */
template <int N, class T> struct Nest {
	NOINLINE static int go(std::vector<T> &values)
	{
		std::vector<std::vector<T>> wrapped{values};

		return Nest<N - 1, std::vector<T>>::go(wrapped) + values.size();
	}
};

template <class T> struct Nest<0, T> {
	NOINLINE static int go(std::vector<T> &values)
	{
		truth_alloc("template");
		return values.size();
	}
};

NOINLINE int sorted()
{
	std::vector<int> values{3, 1, 2, 9, 8};
	int calls = 0;

	std::sort(values.begin(), values.end(), [&](int a, int b) {
		if (calls++ < 3)
			truth_alloc("comparator");
		return a < b;
	});
	return values[0];
}

} // namespace

int main()
{
	truth_begin();
	Level<20> deep;
	for (int depth = 0; depth < 20; depth++)
		deep.go(depth);
	for (int n = 0; n < 10; n++) {
		catcher(n);
		catcher_again(n);
	}
	Lists<int> lists{{"a", {1, 2}}, {"b", {3}}};
	summed<int>(lists, [](int value) {
		truth_alloc("functor");
		return value;
	});
	std::vector<int> values{1, 2, 3};
	Nest<8, int>::go(values);
	sorted();
	std::thread([] { Level<5>().go(4); }).join();
	return truth_end();
}
