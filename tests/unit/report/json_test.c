#include "stories.h"

#include <jansson.h>

/* What a field may be. */
enum kind {
	OBJECT = 1 << 0,
	ARRAY = 1 << 1,
	TEXT = 1 << 2,
	TIME = 1 << 3,
	INTEGER = 1 << 4,
	REAL = 1 << 5,
	BOOLEAN = 1 << 6,
	NOTHING = 1 << 7,
};

struct field {
	const char *name;
	unsigned int kinds;
};

static bool is_time(const char *text)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	if (strlen(text) != strlen(pattern))
		return false;
	for (size_t i = 0; i < strlen(pattern); i++)
		if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return false;
	return true;
}

static unsigned int kinds_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return OBJECT;
	case JSON_ARRAY:
		return ARRAY;
	case JSON_STRING:
		return is_time(json_string_value(value)) ? TEXT | TIME : TEXT;
	case JSON_INTEGER:
		return INTEGER;
	case JSON_REAL:
		return REAL;
	case JSON_NULL:
		return NOTHING;
	default:
		return BOOLEAN;
	}
}

/* The object has these fields first, in this order, each of a kind that it may have. */
static void check_fields(const char *where, const json_t *object, const struct field *fields,
			 size_t cnt)
{
	void *at;

	assert_true(json_is_object(object));
	at = json_object_iter((json_t *)object);
	for (size_t i = 0; i < cnt; i++, at = json_object_iter_next((json_t *)object, at)) {
		if (!at || strcmp(json_object_iter_key(at), fields[i].name))
			fail_msg("%s: no %s at place %zu", where, fields[i].name, i);
		if (!(kinds_of(json_object_iter_value(at)) & fields[i].kinds))
			fail_msg("%s.%s is of the wrong kind", where, fields[i].name);
	}
	if (at)
		fail_msg("%s.%s is not in the schema", where, json_object_iter_key(at));
}

#define CHECK(where, object, ...)                                        \
	check_fields(where, object, (const struct field[]){__VA_ARGS__}, \
		     TIDE_ARRAY_CNT(((const struct field[]){__VA_ARGS__})))

static void check_coverage(const json_t *coverage)
{
	const json_t *allocator, *note;
	size_t i;

	CHECK("coverage", coverage, {"tier", TEXT}, {"min_bytes", INTEGER},
	      {"sample_bytes", INTEGER | NOTHING}, {"allocators", ARRAY}, {"events", INTEGER},
	      {"lost_events", INTEGER}, {"resyncs", INTEGER}, {"untracked_blocks", INTEGER},
	      {"truncated_stacks", INTEGER}, {"truncated_bytes", INTEGER}, {"truncated", ARRAY},
	      {"bad_records", INTEGER}, {"kernel_map_bytes", INTEGER}, {"overhead", OBJECT},
	      {"counters", OBJECT}, {"notes", ARRAY});
	json_array_foreach (json_object_get(coverage, "allocators"), i, allocator)
		CHECK("allocator", allocator, {"name", TEXT}, {"object", TEXT},
		      {"build_id", TEXT | NOTHING}, {"placement", TEXT});
	json_array_foreach (json_object_get(coverage, "truncated"), i, allocator)
		CHECK("truncated", allocator, {"reason", TEXT}, {"sites", INTEGER},
		      {"bytes", INTEGER});
	json_array_foreach (json_object_get(coverage, "notes"), i, note)
		assert_true(json_is_string(note));
	CHECK("overhead", json_object_get(coverage, "overhead"), {"probe_hits", INTEGER},
	      {"ns_per_hit", REAL | NOTHING}, {"cpu_pct", REAL | NOTHING});
#define X(id, name, help) {name, INTEGER},
	CHECK("counters", json_object_get(coverage, "counters"), TIDE_STATS(X));
#undef X
}

static void check_memory(const json_t *memory)
{
	const json_t *part;
	json_int_t sum = 0;
	size_t i;

	CHECK("memory", memory, {"rss_bytes", INTEGER | NOTHING},
	      {"peak_rss_bytes", INTEGER | NOTHING}, {"parts", ARRAY}, {"read_at", TIME | NOTHING});
	json_array_foreach (json_object_get(memory, "parts"), i, part) {
		CHECK("part", part, {"kind", TEXT}, {"bytes", INTEGER});
		sum += json_integer_value(json_object_get(part, "bytes"));
	}
	assert_int_equal(sum, json_integer_value(json_object_get(memory, "rss_bytes")));
}

static void check_site(const json_t *site)
{
	const json_t *item;
	size_t i;

	CHECK("site", site, {"id", TEXT}, {"verdict", TEXT}, {"evidence", TEXT}, {"why", TEXT},
	      {"fix", TEXT | NOTHING}, {"live_bytes", INTEGER}, {"live_blocks", INTEGER},
	      {"resident_bytes", INTEGER | NOTHING}, {"held_bytes", INTEGER},
	      {"peak_bytes", INTEGER}, {"peak_at", TIME}, {"floor_bytes", INTEGER},
	      {"allocated_bytes", INTEGER}, {"allocated_blocks", INTEGER}, {"freed_bytes", INTEGER},
	      {"freed_blocks", INTEGER}, {"oldest_block_seconds", REAL | NOTHING},
	      {"shown_bytes", INTEGER}, {"shown_blocks", INTEGER},
	      {"reclaimable_bytes", INTEGER | NOTHING}, {"structure", OBJECT | NOTHING},
	      {"ratchets", ARRAY}, {"ratchets_dropped", INTEGER}, {"stack", ARRAY},
	      {"stack_end", TEXT}, {"headline", INTEGER | NOTHING});
	json_array_foreach (json_object_get(site, "ratchets"), i, item)
		CHECK("ratchet", item, {"at", TIME}, {"from_bytes", INTEGER},
		      {"to_bytes", INTEGER});
	json_array_foreach (json_object_get(site, "stack"), i, item)
		CHECK("frame", item, {"function", TEXT | NOTHING}, {"file", TEXT | NOTHING},
		      {"line", INTEGER | NOTHING}, {"module", TEXT | NOTHING},
		      {"build_id", TEXT | NOTHING}, {"offset", INTEGER}, {"inlined", BOOLEAN});
}

static void check_document(const json_t *root, bool with_blocks)
{
	static const struct field top[] = {
		{"schema", INTEGER}, {"tool", OBJECT},	   {"process", OBJECT},
		{"window", OBJECT},  {"coverage", OBJECT}, {"memory", OBJECT},
		{"totals", OBJECT},  {"sites", ARRAY},	   {"blocks", ARRAY},
	};
	const json_t *item;
	size_t i;

	check_fields("report", root, top, TIDE_ARRAY_CNT(top) - !with_blocks);
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	CHECK("tool", json_object_get(root, "tool"), {"name", TEXT}, {"version", TEXT});
	CHECK("process", json_object_get(root, "process"), {"pid", INTEGER}, {"comm", TEXT},
	      {"exe", TEXT}, {"start_time", TIME}, {"cgroup", TEXT | NOTHING},
	      {"limit_bytes", INTEGER | NOTHING}, {"ended", BOOLEAN},
	      {"exit_code", INTEGER | NOTHING}, {"exit_signal", INTEGER | NOTHING});
	CHECK("window", json_object_get(root, "window"), {"start", TIME}, {"end", TIME},
	      {"seconds", REAL}, {"hold_seconds", REAL}, {"older_seconds", REAL | NOTHING});
	check_coverage(json_object_get(root, "coverage"));
	check_memory(json_object_get(root, "memory"));
	CHECK("totals", json_object_get(root, "totals"), {"live_bytes", INTEGER},
	      {"live_blocks", INTEGER}, {"held_bytes", INTEGER},
	      {"reclaimable_bytes", INTEGER | NOTHING});
	json_array_foreach (json_object_get(root, "sites"), i, item)
		check_site(item);
	json_array_foreach (json_object_get(root, "blocks"), i, item)
		CHECK("block", item, {"address", TEXT}, {"bytes", INTEGER}, {"born_at", TIME},
		      {"age_seconds", REAL}, {"site", TEXT});
}

typedef struct tide_snapshot *(*story_fn)(void);

static json_t *parse_story(story_fn make, bool with_blocks, char **ret_text)
{
	struct tide_snapshot *snap = make();
	struct tide_report_opts opts = default_opts();
	TIDE_AUTO_FREE char *text = NULL;
	json_error_t error;
	json_t *root;

	opts.show_blocks = with_blocks;
	text = report_of(tide_report_json, snap, &opts);
	tide_snapshot_free(&snap);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	if (ret_text)
		*ret_text = TIDE_TAKE_PTR(text);
	return root;
}

static const story_fn stories[] = {story, killed, losses, hostile, empty, nameless, blocks};

static void every_report_follows_the_schema(void **state)
{
	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(stories); i++) {
		json_t *root = parse_story(stories[i], i % 2, NULL);

		check_document(root, i % 2);
		json_decref(root);
	}
}

/* A release must not change the files. */
static char *without_version(const char *text)
{
	const char *begin = strstr(text, "\"version\": \"") + strlen("\"version\": \"");
	char *result;

	assert_true(asprintf(&result, "%.*s%s", (int)(begin - text), text, strchr(begin, '"')) > 0);
	return result;
}

static void check_golden(const char *name, story_fn make, bool with_blocks)
{
	TIDE_AUTO_FREE char *text = NULL, *stable = NULL;

	json_decref(parse_story(make, with_blocks, &text));
	assert_int_equal(text[strlen(text) - 1], '\n');
	stable = without_version(text);
	assert_golden(name, stable);
}

static void documents_are_as_agreed(void **state)
{
	(void)state;
	check_golden("killed.json", killed, false);
	check_golden("nameless.json", nameless, false);
	check_golden("hostile.json", hostile, false);
	check_golden("blocks.json", blocks, true);
}

static const char *text_at(const json_t *root, const char *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(root, object), key));
}

static void values_are_the_snapshots(void **state)
{
	json_t *root = parse_story(story, false, NULL);
	const json_t *site = json_array_get(json_object_get(root, "sites"), 0);
	const json_t *ratchet = json_array_get(json_object_get(site, "ratchets"), 0);
	const json_t *frame = json_array_get(json_object_get(site, "stack"), 1);

	(void)state;
	assert_string_equal(text_at(root, "window", "end"), "2026-11-22T14:07:12.000Z");
	assert_string_equal(text_at(root, "process", "start_time"), "2026-11-22T12:07:12.000Z");
	assert_string_equal(json_string_value(json_object_get(site, "id")), "c0ffee0012345678");
	assert_string_equal(json_string_value(json_object_get(site, "verdict")), "high-water");
	assert_string_equal(json_string_value(json_object_get(site, "evidence")), "likely");
	assert_int_equal(json_integer_value(json_object_get(site, "held_bytes")), 810 * MB);
	assert_float_equal(json_real_value(json_object_get(site, "oldest_block_seconds")), 301, 0);
	assert_string_equal(json_string_value(json_object_get(ratchet, "at")),
			    "2026-11-22T14:02:11.000Z");
	assert_int_equal(json_integer_value(json_object_get(ratchet, "to_bytes")), 810 * MB);
	assert_string_equal(json_string_value(json_object_get(frame, "function")), "table_grow");
	assert_int_equal(json_integer_value(json_object_get(frame, "line")), 101);
	assert_true(json_is_true(json_object_get(frame, "inlined")));
	json_decref(root);
}

static void extremes_do_not_overflow(void **state)
{
	struct tide_snapshot *snap = story();
	struct tide_report_opts opts = default_opts();
	TIDE_AUTO_FREE char *text = NULL;
	json_t *root;

	(void)state;
	snap->live_bytes = UINT64_MAX;
	snap->coverage.cpu_pct = 1.0 / 0.0;
	snap->sites[0].peak_ns = UINT64_MAX;
	snap->sites[0].ratchet_cnt = UINT32_MAX;
	snap->sites[0].stack_end = TIDE_STACK_END_CNT - 1;
	snap->wall_offset_ns = INT64_MIN;
	text = report_of(tide_report_json, snap, &opts);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	check_document(root, false);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(root, "totals"), "live_bytes")),
		INT64_MAX);
	json_decref(root);
	tide_snapshot_free(&snap);
}

static void a_stream_that_fails_is_an_error(void **state)
{
	struct tide_snapshot *snap = story();
	struct tide_report_opts opts = default_opts();
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_errno(tide_report_json(full, snap, &opts), ENOSPC);
	fclose(full);
	tide_snapshot_free(&snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_report_follows_the_schema),
		cmocka_unit_test(documents_are_as_agreed),
		cmocka_unit_test(values_are_the_snapshots),
		cmocka_unit_test(extremes_do_not_overflow),
		cmocka_unit_test(a_stream_that_fails_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
