/* Each rule and each end of a walk, on stacks written by hand. */
#include "harness/unwind_world.h"

#define CODE	   0x400000ULL
#define STACK	   0x7ff000000000ULL
#define STACK_SZ   0x4000
#define CODE_SZ	   0x300000
#define GENERATION 77

/* Functions of the made-up object: one rule each, 4 KiB apart from CODE + 0x1000 on. */
enum function {
	FN_SP16 = 1,
	FN_FP16,
	FN_FP_SAVED_FAR,
	FN_DEREF_SP,
	FN_DEREF_FP,
	FN_REALIGNED,
	FN_PLT,
	FN_SIGNAL,
	FN_END,
	FN_UNSUPPORTED,
	FN_LOSES_FP,
	FN_CNT,
};

static const struct tide_unwind_rule rules[FN_CNT] = {
	[FN_SP16] = {.cfa = TIDE_CFA_SP, .cfa_off = 16},
	[FN_FP16] = {.cfa = TIDE_CFA_FP, .cfa_off = 16, .fp = TIDE_FP_CFA, .fp_off = -16},
	[FN_FP_SAVED_FAR] = {.cfa = TIDE_CFA_SP, .cfa_off = 64, .fp = TIDE_FP_CFA, .fp_off = -48},
	[FN_DEREF_SP] = {.cfa = TIDE_CFA_DEREF_SP, .deref_off = 24, .deref_add = 8},
	[FN_DEREF_FP] = {.cfa = TIDE_CFA_DEREF_FP, .deref_off = -8},
	[FN_REALIGNED] = {.cfa = TIDE_CFA_DEREF_FP, .deref_off = -8, .fp = TIDE_FP_FP},
	[FN_PLT] = {.cfa = TIDE_CFA_PLT, .cfa_off = 11},
	[FN_SIGNAL] = {.cfa = TIDE_CFA_SIGNAL},
	[FN_END] = {.cfa = TIDE_CFA_END},
	[FN_UNSUPPORTED] = {.cfa = TIDE_CFA_UNSUPPORTED},
	[FN_LOSES_FP] = {.cfa = TIDE_CFA_SP, .cfa_off = 8, .fp = TIDE_FP_UNKNOWN},
};

static uint64_t stack_words[STACK_SZ / 8];
static uint8_t code_bytes[CODE_SZ];

static int read_world(void *dst, uint32_t size_bytes, uint64_t addr)
{
	if (addr - STACK < STACK_SZ && STACK_SZ - (addr - STACK) >= size_bytes)
		memcpy(dst, (const char *)stack_words + (addr - STACK), size_bytes);
	else if (addr - CODE < CODE_SZ && CODE_SZ - (addr - CODE) >= size_bytes)
		memcpy(dst, code_bytes + (addr - CODE), size_bytes);
	else
		return -1;
	return 0;
}

static uint64_t in(enum function fn)
{
	return CODE + 0x1000ULL * fn + 0x20;
}

static void put(uint64_t addr, uint64_t value)
{
	stack_words[(addr - STACK) / 8] = value;
}

/* A call instruction that ends at ip. */
static void put_call(uint64_t ip)
{
	code_bytes[ip - 5 - CODE] = 0xe8;
}

static int setup(void **state)
{
	struct tide_unwind_packer *packer = NULL;
	struct tide_unwind_image image;

	(void)state;
	world_init();
	world.read = read_world;
	memset(stack_words, 0, sizeof(stack_words));
	memset(code_bytes, 0, sizeof(code_bytes));
	assert_ok(tide_unwind_packer_new(0x1000, 0x1000 * FN_CNT, &packer));
	for (int fn = 1; fn < FN_CNT; fn++) {
		uint32_t id = tide_unwind_rules_intern(world.rules, &rules[fn]);

		assert_ok(tide_unwind_packer_add(packer, 0x1000 * fn, id));
		assert_ok(tide_unwind_packer_add(packer, 0x1000 * fn + 0xff8, TIDE_RULE_PADDING));
	}
	assert_ok(tide_unwind_packer_add(packer, 0x1000 * FN_CNT, TIDE_RULE_NONE));
	assert_ok(tide_unwind_packer_finish(packer, &image));
	tide_unwind_packer_free(&packer);
	world_map_object(CODE, CODE + 0x100000, CODE, &image);
	world_map_rule(CODE + 0x100000, CODE + 0x200000, TIDE_RULE_FRAME);
	world_map_rule(CODE + 0x200000, CODE + 0x210000, TIDE_RULE_RETURN_PROBE);
	world_publish(GENERATION);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done();
	return 0;
}

static struct tide_stack walk_exact(uint64_t ip, uint64_t sp, uint64_t bp, int exact)
{
	struct tide_unwind_regs regs = {.ip = ip, .sp = sp, .bp = bp};
	struct tide_stack stack;

	memset(&stack, 0xaa, sizeof(stack));
	tide_unwind(&regs, exact, WORLD_TGID, TIDE_MAX_FRAMES, &stack);
	return stack;
}

static struct tide_stack walk(uint64_t ip, uint64_t sp, uint64_t bp)
{
	return walk_exact(ip, sp, bp, 0);
}

static void assert_two_frames(const struct tide_stack *stack, uint64_t second)
{
	assert_int_equal(stack->end, TIDE_STACK_COMPLETE);
	assert_int_equal(stack->frame_cnt, 2);
	assert_int_equal(stack->ip[1], second);
}

static void cfa_from_sp(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x100 + 8, in(FN_END));
	stack = walk(in(FN_SP16), STACK + 0x100, 0);
	assert_two_frames(&stack, in(FN_END));
	assert_int_equal(stack.ip[0], in(FN_SP16));
}

static void cfa_from_fp_and_fp_restored(void **state)
{
	struct tide_stack stack;

	(void)state;
	/* The caller's rbp, read next to the return address, leads on. */
	put(STACK + 0x200, STACK + 0x300);
	put(STACK + 0x208, in(FN_FP16));
	put(STACK + 0x300, 0);
	put(STACK + 0x308, in(FN_END));
	stack = walk(in(FN_FP16), STACK + 0x180, STACK + 0x200);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
	assert_int_equal(stack.frame_cnt, 3);
	assert_int_equal(stack.ip[2], in(FN_END));
}

static void fp_saved_away_from_the_return_address(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x100 + 56, in(FN_FP16));
	put(STACK + 0x100 + 16, STACK + 0x300);
	put(STACK + 0x308, in(FN_END));
	stack = walk(in(FN_FP_SAVED_FAR), STACK + 0x100, 5);
	assert_int_equal(stack.frame_cnt, 3);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
}

static void cfa_by_dereference(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x100 + 24, STACK + 0x800);
	put(STACK + 0x800, in(FN_END));
	stack = walk(in(FN_DEREF_SP), STACK + 0x100, 0);
	assert_two_frames(&stack, in(FN_END));

	put(STACK + 0x400 - 8, STACK + 0x900);
	put(STACK + 0x900 - 8, in(FN_END));
	stack = walk(in(FN_DEREF_FP), STACK + 0x100, STACK + 0x400);
	assert_two_frames(&stack, in(FN_END));
}

static void realigned_frame_restores_fp(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x400 - 8, STACK + 0x900);
	put(STACK + 0x400, STACK + 0xa00);
	put(STACK + 0x900 - 8, in(FN_FP16));
	put(STACK + 0xa08, in(FN_END));
	stack = walk(in(FN_REALIGNED), STACK + 0x100, STACK + 0x400);
	assert_int_equal(stack.frame_cnt, 3);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
}

static void plt_depends_on_the_place_within_the_stub(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x100, in(FN_END));
	put(STACK + 0x108, in(FN_UNSUPPORTED));
	stack = walk_exact(CODE + 0x1000 * FN_PLT + 0x10 + 10, STACK + 0x100, 0, 1);
	assert_two_frames(&stack, in(FN_END));
	put(STACK + 0x108, in(FN_END));
	put(STACK + 0x100, 0x1);
	stack = walk_exact(CODE + 0x1000 * FN_PLT + 0x10 + 11, STACK + 0x100, 0, 1);
	assert_two_frames(&stack, in(FN_END));
}

static void signal_frame_is_crossed(void **state)
{
	/* The interrupted pc is a function's first byte: looked up at pc - 1 it would miss. */
	uint64_t interrupted = CODE + 0x1000 * FN_SP16;
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x100 + TIDE_UCONTEXT_SP, STACK + 0x1000);
	put(STACK + 0x100 + TIDE_UCONTEXT_BP, 0);
	put(STACK + 0x100 + TIDE_UCONTEXT_IP, interrupted);
	put(STACK + 0x1008, in(FN_END));
	stack = walk(in(FN_SIGNAL), STACK + 0x100, 3);
	assert_int_equal(stack.frame_cnt, 3);
	assert_int_equal(stack.ip[1], interrupted);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
}

static void sigreturn_without_cfi_is_known_by_its_bytes(void **state)
{
	static const uint8_t sigreturn[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	uint64_t at = CODE + 0x80000;
	struct tide_stack stack;

	(void)state;
	memcpy(code_bytes + (at - CODE), sigreturn, sizeof(sigreturn));
	put(STACK + 0x100 + TIDE_UCONTEXT_SP, STACK + 0x1000);
	put(STACK + 0x100 + TIDE_UCONTEXT_IP, in(FN_END));
	stack = walk(at, STACK + 0x100, 3);
	assert_two_frames(&stack, in(FN_END));
}

static void interrupted_stub_without_cfi(void **state)
{
	uint64_t at = CODE + 0x80000;
	struct tide_stack stack;

	(void)state;
	code_bytes[at - CODE] = 0xff;
	code_bytes[at + 1 - CODE] = 0x25;
	put(STACK + 0x100, in(FN_END));
	put_call(in(FN_END));
	stack = walk_exact(at, STACK + 0x100, 3, 1);
	assert_two_frames(&stack, in(FN_END));
	/* As a return address it would be nonsense: then rbp is asked, and 3 is none. */
	stack = walk(at, STACK + 0x100, 3);
	assert_int_equal(stack.end, TIDE_STACK_NO_ROW);
}

static void return_address_at_a_first_byte_ends_a_made_stack(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x108, CODE + 0x1000 * FN_FP16);
	stack = walk(in(FN_SP16), STACK + 0x100, 3);
	assert_two_frames(&stack, CODE + 0x1000 * FN_FP16);
}

static void jit_code_by_frame_pointer(void **state)
{
	uint64_t jit = CODE + 0x123456;
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x200, 0);
	put(STACK + 0x208, in(FN_END));
	put_call(in(FN_END));
	stack = walk(jit, STACK + 0x100, STACK + 0x200);
	assert_two_frames(&stack, in(FN_END));
}

static void jit_frame_pointer_is_not_believed_blindly(void **state)
{
	uint64_t jit = CODE + 0x123456;
	struct tide_stack stack;

	(void)state;
	/* No call before the return address. */
	put(STACK + 0x208, in(FN_END));
	stack = walk(jit, STACK + 0x100, STACK + 0x200);
	assert_int_equal(stack.end, TIDE_STACK_NO_FRAME_POINTER);
	assert_int_equal(stack.frame_cnt, 1);
	/* rbp beneath the stack pointer, unaligned, unreadable. */
	put_call(in(FN_END));
	stack = walk(jit, STACK + 0x208, STACK + 0x200);
	assert_int_equal(stack.end, TIDE_STACK_NO_FRAME_POINTER);
	stack = walk(jit, STACK + 0x100, STACK + 0x204);
	assert_int_equal(stack.end, TIDE_STACK_NO_FRAME_POINTER);
	stack = walk(jit, STACK + 0x100, STACK + STACK_SZ);
	assert_int_equal(stack.end, TIDE_STACK_NO_FRAME_POINTER);
	/* A return address outside every mapping. */
	put(STACK + 0x208, CODE + 0x280000);
	put_call(CODE + 0x280000);
	stack = walk(jit, STACK + 0x100, STACK + 0x200);
	assert_int_equal(stack.end, TIDE_STACK_NO_FRAME_POINTER);
}

/* Every end that a walk of one or two frames can have. */
static void ends(void **state)
{
	struct tide_stack stack;

	(void)state;
	stack = walk(in(FN_END), STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
	stack = walk(in(FN_UNSUPPORTED), STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_UNSUPPORTED);
	stack = walk(CODE + 0x80000, STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
	stack = walk(CODE + 0x200010, STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_RETURN_PROBE);
	stack = walk(0x1234, STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_NO_MAPPING);
	stack = walk(1ULL << 63, STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_NO_MAPPING);
	stack = walk(in(FN_SP16), 0x1000, 0);
	assert_int_equal(stack.end, TIDE_STACK_UNREADABLE);
	stack = walk(in(FN_SP16), STACK + STACK_SZ - 8, 0);
	assert_int_equal(stack.end, TIDE_STACK_UNREADABLE);
	/* A zero return address is the end of a stack, too. */
	stack = walk(in(FN_SP16), STACK + 0x700, 0);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
	assert_int_equal(stack.frame_cnt, 1);
}

static void lost_register_matters_only_when_needed(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x100, in(FN_SP16));
	put(STACK + 0x110, in(FN_END));
	stack = walk(in(FN_LOSES_FP), STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
	assert_int_equal(stack.frame_cnt, 3);
	put(STACK + 0x100, in(FN_FP16));
	stack = walk(in(FN_LOSES_FP), STACK + 0x100, 0);
	assert_int_equal(stack.end, TIDE_STACK_LOST_REGISTER);
	assert_int_equal(stack.frame_cnt, 2);
}

static void depth_is_bounded_and_exact_at_the_bound(void **state)
{
	struct tide_stack stack;

	(void)state;
	for (int i = 0; i < 200; i++)
		put(STACK + 0x100 + 16 * i + 8, i == 125 ? in(FN_END) : in(FN_SP16));
	stack = walk(in(FN_SP16), STACK + 0x100, 0);
	assert_int_equal(stack.frame_cnt, TIDE_MAX_FRAMES);
	assert_int_equal(stack.end, TIDE_STACK_COMPLETE);
	put(STACK + 0x100 + 16 * 125 + 8, in(FN_SP16));
	stack = walk(in(FN_SP16), STACK + 0x100, 0);
	assert_int_equal(stack.frame_cnt, TIDE_MAX_FRAMES);
	assert_int_equal(stack.end, TIDE_STACK_TOO_DEEP);
}

static void without_tables_by_frame_pointer(void **state)
{
	struct tide_stack stack;

	(void)state;
	world.has_process = false;
	put(STACK + 0x200, 0);
	put(STACK + 0x208, in(FN_SP16));
	put_call(in(FN_SP16));
	stack = walk(in(FN_SP16), STACK + 0x100, STACK + 0x200);
	assert_two_frames(&stack, in(FN_SP16));
	stack = walk(in(FN_SP16), STACK + 0x100, 3);
	assert_int_equal(stack.end, TIDE_STACK_NO_TABLES);
}

static void memo_is_bound_to_the_generation(void **state)
{
	struct tide_stack stack;

	(void)state;
	put(STACK + 0x108, in(FN_END));
	stack = walk(in(FN_SP16), STACK + 0x100, 0);
	assert_two_frames(&stack, in(FN_END));
	/* Found in the memo: the tables are not asked any more. */
	world.objects[1].page_cnt = world.mappings[0].page_cnt = 0;
	stack = walk(in(FN_SP16), STACK + 0x100, 0);
	assert_two_frames(&stack, in(FN_END));
	/* Another generation asks them again, and there all is gap now. */
	world_publish(GENERATION + 1);
	stack = walk(in(FN_SP16), STACK + 0x100, 3);
	assert_int_equal(stack.end, TIDE_STACK_NO_ROW);
}

static void object_that_vanished(void **state)
{
	struct tide_stack stack;

	(void)state;
	world.mappings[0].object = WORLD_MAX_OBJECTS - 1;
	world_publish(GENERATION + 1);
	stack = walk(in(FN_SP16), STACK + 0x100, 3);
	assert_int_equal(stack.end, TIDE_STACK_BAD_TABLE);
}

static void many_mappings(void **state)
{
	uint64_t first = CODE + 0x1000000;
	struct tide_stack stack;

	(void)state;
	for (int i = 0; i < 700; i++)
		world_map_rule(first + 0x2000 * i, first + 0x2000 * i + 0x1000,
			       i & 1 ? TIDE_RULE_END : TIDE_RULE_UNSUPPORTED);
	world_publish(GENERATION + 1);
	for (int i = 0; i < 700; i++) {
		uint64_t start = first + 0x2000 * i;
		uint32_t end = i & 1 ? TIDE_STACK_COMPLETE : TIDE_STACK_UNSUPPORTED;

		stack = walk_exact(start, STACK, 0, 1);
		assert_int_equal(stack.end, end);
		stack = walk_exact(start + 0xfff, STACK, 0, 1);
		assert_int_equal(stack.end, end);
		stack = walk_exact(start + 0x1000, STACK, 0, 1);
		assert_int_equal(stack.end, TIDE_STACK_NO_MAPPING);
	}
}

static void call_instructions_of_every_length(void **state)
{
	static const struct {
		uint8_t bytes[8]; /* the last ones before the address */
		int call;
	} cases[] = {
		{{0, 0, 0, 0xe8, 1, 2, 3, 4}, 1},	{{0, 0, 0, 0, 0, 0, 0xff, 0xd0}, 1},
		{{0, 0, 0, 0, 0, 0x41, 0xff, 0xd4}, 1}, {{0, 0, 0, 0, 0, 0xff, 0x50, 8}, 1},
		{{0, 0, 0, 0, 0xff, 0x54, 0x24, 8}, 1}, {{0, 0, 0xff, 0x15, 1, 2, 3, 4}, 1},
		{{0, 0xff, 0x94, 0x24, 1, 2, 3, 4}, 1}, {{0, 0, 0, 0xe9, 1, 2, 3, 4}, 0},
		{{0, 0, 0, 0, 0, 0, 0xff, 0xe0}, 0},	{{0, 0, 0xe8, 1, 2, 3, 4, 0}, 0},
		{{0, 0, 0, 0, 0, 0, 0, 0}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(code_bytes + 0x500, cases[i].bytes, 8);
		assert_int_equal(tide_unwind_after_call(CODE + 0x508), cases[i].call);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(cfa_from_sp),
		T(cfa_from_fp_and_fp_restored),
		T(fp_saved_away_from_the_return_address),
		T(cfa_by_dereference),
		T(realigned_frame_restores_fp),
		T(plt_depends_on_the_place_within_the_stub),
		T(signal_frame_is_crossed),
		T(sigreturn_without_cfi_is_known_by_its_bytes),
		T(interrupted_stub_without_cfi),
		T(return_address_at_a_first_byte_ends_a_made_stack),
		T(jit_code_by_frame_pointer),
		T(jit_frame_pointer_is_not_believed_blindly),
		T(ends),
		T(lost_register_matters_only_when_needed),
		T(depth_is_bounded_and_exact_at_the_bound),
		T(without_tables_by_frame_pointer),
		T(memo_is_bound_to_the_generation),
		T(object_that_vanished),
		T(many_mappings),
		T(call_instructions_of_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
