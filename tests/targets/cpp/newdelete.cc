/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operator new, containers and exceptions: every block counts once, with malloc inside new.
 *
 * stdin: new N | delete N | aligned N | array N | vector N | fail N | quit
 * stdout: ready, then "done N"; N blocks of BLOCK_BYTES for new, aligned and array
 */
#include <cstddef>
#include <new>
#include <vector>

#include "../c/handshake.h"

namespace target
{
constexpr std::size_t block_bytes = 100;
constexpr std::size_t max_blocks = 65536;

struct alignas(64) line {
	char bytes[128];
};

static char *news[max_blocks], *arrays[max_blocks];
static line *lines[max_blocks];
static std::vector<int> *vectors[max_blocks];
static unsigned long news_cnt;

__attribute__((noinline)) static char *make_new()
{
	void *block = ::operator new(block_bytes);

	KEEP(block, "make_new");
	return static_cast<char *>(block);
}

__attribute__((noinline)) static char *make_array()
{
	char *block = new char[block_bytes];

	KEEP(block, "make_array");
	return block;
}

__attribute__((noinline)) static line *make_aligned()
{
	line *block = new line;

	KEEP(block, "make_aligned");
	return block;
}

__attribute__((noinline)) static std::vector<int> *make_vector()
{
	auto *v = new std::vector<int>;

	for (int i = 0; i < 1000; i++)
		v->push_back(i);
	v->clear();
	return v;
}

/* An exception object comes from malloc too, and is freed when it was caught. */
__attribute__((noinline)) static unsigned long fail(unsigned long cnt)
{
	unsigned long caught = 0;
	volatile std::size_t too_much = std::size_t{1} << 47;

	for (unsigned long i = 0; i < cnt; i++) {
		try {
			void *block = ::operator new(too_much);

			KEEP(block, "fail");
		} catch (const std::bad_alloc &) {
			caught++;
		}
	}
	return caught;
}

static unsigned long delete_some(unsigned long cnt)
{
	for (unsigned long i = 0; i < cnt && news_cnt > 0; i++)
		::operator delete(news[--news_cnt]);
	return cnt;
}

static unsigned long obey(const char *line)
{
	unsigned long cnt = 0, arg;

	if (is_command(line, "new", &cnt))
		for (unsigned long i = 0; i < cnt; i++)
			news[news_cnt++] = make_new();
	else if (is_command(line, "array", &cnt))
		for (unsigned long i = 0; i < cnt; i++)
			arrays[i] = make_array();
	else if (is_command(line, "aligned", &cnt))
		for (unsigned long i = 0; i < cnt; i++)
			lines[i] = make_aligned();
	else if (is_command(line, "vector", &cnt))
		for (unsigned long i = 0; i < cnt; i++)
			vectors[i] = make_vector();
	else if (is_command(line, "delete", &arg))
		cnt = delete_some(arg);
	else if (is_command(line, "fail", &arg))
		cnt = fail(arg);
	return cnt;
}
} // namespace target

int main()
{
	unsigned long arg;
	const char *line;

	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg))
		say("done %lu\n", target::obey(line));
	return 0;
}
