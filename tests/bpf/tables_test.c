/* Unwind tables in real maps: shared between processes, replaced, let go with the last of them.
 *
 * Needs: root. The processes are numbers only; nothing is attached to anything.
 */
#include "harness/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/types.h>

#include "bpf/abi/config.h"
#include "bpf/abi/event.h"
#include "bpf/abi/unwind.h"
#include "probe/unwind_tables.h"

#include <bpf/bpf.h>

#include "tide.skel.h"

#define FIRST  (pid_t)4000001 /* beyond any pid that the kernel gives out */
#define SECOND (pid_t)4000002

struct fix {
	struct tide *skel;
	struct tide_unwind_tables *tables;
	struct tide_unwind_area area;
	int procs_fd;
};

static void begin(struct fix *f)
{
	struct tide_unwind_maps maps;
	struct stat st;

	f->skel = tide__open_and_load();
	assert_non_null(f->skel);
	f->procs_fd = bpf_map__fd(f->skel->maps.tide_uw_procs);
	maps.objects_fd = bpf_map__fd(f->skel->maps.tide_uw_objects);
	maps.procs_fd = f->procs_fd;
	maps.rules_fd = bpf_map__fd(f->skel->maps.tide_uw_rules);
	maps.memo_fd = bpf_map__fd(f->skel->maps.tide_uw_memo);
	assert_ok(tide_unwind_tables_new(&maps, &f->tables));
	f->area = (struct tide_unwind_area){
		.start = 0x400000,
		.end = 0x800000,
		.kind = TIDE_AREA_FILE,
		.src = {.build_id = "00112233445566778899aabbccddeeff00112233"},
	};
	f->area.src.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_ok(fstat(f->area.src.fd, &st));
	f->area.src.dev = st.st_dev;
	f->area.src.inode = st.st_ino;
}

static void end(struct fix *f)
{
	tide_unwind_tables_free(&f->tables);
	tide__destroy(f->skel);
	close(f->area.src.fd);
}

static struct tide_unwind_tables_stats stats(const struct fix *f)
{
	struct tide_unwind_tables_stats ret;

	tide_unwind_tables_stats(f->tables, &ret);
	return ret;
}

static bool in_kernel(const struct fix *f, pid_t tgid)
{
	uint32_t key = (uint32_t)tgid, inner;

	return !bpf_map_lookup_elem(f->procs_fd, &key, &inner);
}

static void a_file_is_compiled_once_for_two_processes(void **state)
{
	struct fix f;
	uint64_t rows;

	(void)state;
	begin(&f);
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 1));
	rows = stats(&f).objects.rows;
	assert_true(rows > 100);
	f.area.start = 0x7f0000000000; /* elsewhere in the other process */
	f.area.end = f.area.start + 0x400000;
	assert_ok(tide_unwind_tables_update(f.tables, SECOND, &f.area, 1));
	assert_int_equal(stats(&f).objects.compiled, 1);
	assert_int_equal(stats(&f).objects.objects, 1);
	assert_int_equal(stats(&f).objects.rows, rows);
	assert_int_equal(stats(&f).procs, 2);
	assert_true(in_kernel(&f, FIRST) && in_kernel(&f, SECOND));
	end(&f);
}

static void rows_go_with_the_last_process(void **state)
{
	struct fix f;

	(void)state;
	begin(&f);
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 1));
	assert_ok(tide_unwind_tables_update(f.tables, SECOND, &f.area, 1));
	tide_unwind_tables_remove(f.tables, FIRST);
	assert_false(in_kernel(&f, FIRST));
	assert_int_equal(stats(&f).objects.objects, 1);
	tide_unwind_tables_remove(f.tables, SECOND);
	assert_false(in_kernel(&f, SECOND));
	assert_int_equal(stats(&f).objects.objects, 0);
	assert_int_equal(stats(&f).objects.rows, 0);
	assert_int_equal(stats(&f).procs, 0);
	end(&f);
}

static void a_file_that_is_unmapped_lets_its_rows_go(void **state)
{
	struct fix f;

	(void)state;
	begin(&f);
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 1));
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 0));
	assert_int_equal(stats(&f).objects.objects, 0);
	assert_int_equal(stats(&f).objects.rows, 0);
	end(&f);
}

static void an_update_without_change_writes_nothing(void **state)
{
	struct fix f;
	uint64_t updates;

	(void)state;
	begin(&f);
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 1));
	updates = stats(&f).updates;
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 1));
	assert_int_equal(stats(&f).updates, updates);
	assert_int_equal(stats(&f).objects.compiled, 1);
	end(&f);
}

static void a_row_takes_at_most_eight_bytes(void **state)
{
	struct fix f;

	(void)state;
	begin(&f);
	close(f.area.src.fd);
	f.area.src.fd = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC);
	assert_true(f.area.src.fd >= 0);
	assert_ok(tide_unwind_tables_update(f.tables, FIRST, &f.area, 1));
	assert_true(stats(&f).objects.rows > 10000);
	assert_true(stats(&f).objects.blocks * sizeof(struct tide_unwind_block) <=
		    8 * stats(&f).objects.rows);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_compiled_once_for_two_processes),
		cmocka_unit_test(rows_go_with_the_last_process),
		cmocka_unit_test(a_file_that_is_unmapped_lets_its_rows_go),
		cmocka_unit_test(an_update_without_change_writes_nothing),
		cmocka_unit_test(a_row_takes_at_most_eight_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
