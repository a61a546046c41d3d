#include "sim.h"

#include "retain/snapshot.h"

static void every_name_is_known(void **state)
{
	(void)state;
#define X(id, name, help) assert_string_equal(tide_verdict_name(TIDE_VERDICT_##id), name);
	TIDE_VERDICTS(X)
#undef X
#define X(id, name, help) assert_string_equal(tide_part_name(TIDE_PART_##id), name);
	TIDE_PARTS(X)
#undef X
	assert_string_equal(tide_evidence_name(TIDE_EVIDENCE_LIKELY), "likely");
	assert_string_equal(tide_evidence_name(TIDE_EVIDENCE_PROVEN), "proven");
	assert_string_equal(tide_verdict_name(TIDE_VERDICT_CNT), "unknown");
	assert_string_equal(tide_part_name(TIDE_PART_CNT), "unknown");
	assert_string_equal(tide_evidence_name((enum tide_evidence)7), "unknown");
}

static void notes_are_appended(void **state)
{
	struct tide_snapshot *snap = NULL;

	(void)state;
	assert_ok(tide_snapshot_new(&snap));
	for (int i = 0; i < 20; i++)
		assert_ok(tide_snapshot_note(snap, "note %d of %s", i, "many"));
	assert_int_equal(snap->coverage.note_cnt, 20);
	assert_string_equal(snap->coverage.notes[0], "note 0 of many");
	assert_string_equal(snap->coverage.notes[19], "note 19 of many");
	tide_snapshot_free(&snap);
}

static void everything_is_freed(void **state)
{
	struct tide_snapshot *snap = NULL;
	struct tide_site_report *site;

	(void)state;
	assert_ok(tide_snapshot_new(&snap));
	snap->process.comm = strdup("comm");
	snap->process.exe = strdup("/exe");
	snap->process.cgroup = strdup("/cgroup");
	snap->coverage.allocators = calloc(2, sizeof(*snap->coverage.allocators));
	snap->coverage.allocator_cnt = 2;
	snap->coverage.allocators[0].name = strdup("glibc");
	snap->coverage.allocators[1].build_id = strdup("00");
	snap->blocks = calloc(3, sizeof(*snap->blocks));
	snap->block_cnt = 3;
	snap->sites = calloc(2, sizeof(*snap->sites));
	snap->site_cnt = 2;
	site = &snap->sites[1];
	site->why = strdup("why");
	site->fix = strdup("fix");
	site->points = calloc(4, sizeof(*site->points));
	site->point_cnt = 4;
	site->frames = calloc(2, sizeof(*site->frames));
	site->frame_cnt = 2;
	site->frames[0].function = strdup("f");
	site->frames[1].module = strdup("m");
	site->frames[1].build_id = strdup("b");
	site->frames[1].file = strdup("c");
	tide_snapshot_free(&snap);
	assert_null(snap);
}

static void half_built_ones_too(void **state)
{
	struct tide_snapshot *snap = NULL;

	(void)state;
	tide_snapshot_free(NULL);
	tide_snapshot_free(&snap);
	assert_ok(tide_snapshot_new(&snap));
	snap->site_cnt = 5;
	snap->coverage.allocator_cnt = 5;
	tide_snapshot_free(&snap);
	assert_null(snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_known),
		cmocka_unit_test(notes_are_appended),
		cmocka_unit_test(everything_is_freed),
		cmocka_unit_test(half_built_ones_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
