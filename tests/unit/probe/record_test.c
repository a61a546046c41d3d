#include "harness/test.h"

#include "probe/record.h"

static struct tide_rec_block block(uint32_t type)
{
	return (struct tide_rec_block){
		.hdr = {.type = type, .size_bytes = sizeof(struct tide_rec_block), .ts_ns = 200},
		.addr = 0x1000,
		.block_bytes = 64,
		.birth_ns = 100,
		.stack_key = 7,
	};
}

static void whole_records_pass(void **state)
{
	struct tide_rec_fence fence = {.hdr = {TIDE_REC_FENCE, sizeof(fence), 1}};
	struct tide_rec_life life = {.hdr = {TIDE_REC_EXEC, sizeof(life), 1}};

	(void)state;
	for (uint32_t type = TIDE_REC_ALLOC; type <= TIDE_REC_RESTORE; type++) {
		struct tide_rec_block rec = block(type);

		assert_true(tide_record_valid(&rec, sizeof(rec)));
	}
	assert_true(tide_record_valid(&fence, sizeof(fence)));
	for (uint32_t type = TIDE_REC_EXEC; type <= TIDE_REC_UNMAPPED; type++) {
		life.hdr.type = type;
		assert_true(tide_record_valid(&life, sizeof(life)));
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	struct tide_rec_block rec = block(TIDE_REC_ALLOC);

	(void)state;
	for (size_t len = 0; len < sizeof(rec); len++) {
		assert_false(tide_record_valid(&rec, len));
		rec.hdr.size_bytes = (uint32_t)len;
		assert_false(tide_record_valid(&rec, len));
		assert_false(tide_record_valid(&rec, sizeof(rec)));
		rec.hdr.size_bytes = sizeof(rec);
	}
	rec.hdr.type = TIDE_REC_FENCE; /* a known type of another size */
	assert_false(tide_record_valid(&rec, sizeof(rec)));
}

static void unknown_types_are_refused(void **state)
{
	static const uint32_t types[] = {0, TIDE_REC_UNMAPPED + 1, 1000, UINT32_MAX};
	struct tide_rec_block rec = block(TIDE_REC_ALLOC);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		rec.hdr.type = types[i];
		assert_false(tide_record_valid(&rec, sizeof(rec)));
	}
}

static void implausible_blocks_are_refused(void **state)
{
	struct tide_rec_block rec = block(TIDE_REC_FREE);

	(void)state;
	rec.addr = 0;
	assert_false(tide_record_valid(&rec, sizeof(rec)));
	rec = block(TIDE_REC_FREE);
	rec.addr = 1ULL << 48; /* the block map keeps 48 bits */
	assert_false(tide_record_valid(&rec, sizeof(rec)));
	rec = block(TIDE_REC_FREE);
	rec.block_bytes = 1ULL << 48;
	assert_false(tide_record_valid(&rec, sizeof(rec)));
	rec = block(TIDE_REC_FREE);
	rec.birth_ns = 0;
	assert_false(tide_record_valid(&rec, sizeof(rec)));
	rec = block(TIDE_REC_FREE);
	rec.birth_ns = rec.hdr.ts_ns + 1; /* freed before it was born */
	assert_false(tide_record_valid(&rec, sizeof(rec)));
	rec = block(TIDE_REC_FREE);
	rec.block_bytes = 0; /* malloc(0) gives a block */
	assert_true(tide_record_valid(&rec, sizeof(rec)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_records_pass),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(implausible_blocks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
