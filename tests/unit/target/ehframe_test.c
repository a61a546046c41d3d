/* Unwind tables from real files against libdw, row by row, and files that are not what they seem.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/test.h"
#include "target/ehframe.h"

#define RBP 6
#define RSP 7
#define RA  16

struct compiled {
	struct tide_unwind_rules *rules;
	struct tide_unwind_image image;
	struct tide_ehframe_info info;
	Elf *elf;
	Dwarf_CFI *cfi;
	int fd;
	uint64_t compared;
};

/* ---- what libdw says ---- */

/* DW_OP_breg of any form. */
static bool is_breg(const Dwarf_Op *op, uint64_t *reg, int64_t *off)
{
	if (op->atom == DW_OP_bregx) {
		*reg = op->number;
		*off = op->number2;
		return true;
	}
	*reg = op->atom - DW_OP_breg0;
	*off = op->number;
	return op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31;
}

static void dw_cfa(Dwarf_Frame *frame, struct tide_unwind_rule *rule)
{
	uint64_t reg;
	int64_t off;
	Dwarf_Op *ops;
	size_t cnt;

	rule->cfa = TIDE_CFA_UNSUPPORTED;
	if (dwarf_frame_cfa(frame, &ops, &cnt) || !cnt || !is_breg(&ops[0], &reg, &off))
		return;
	if (cnt == 9 && reg == RSP && ops[8].atom == DW_OP_plus) {
		rule->cfa = TIDE_CFA_PLT;
		rule->cfa_off = ops[4].atom - DW_OP_lit0;
	} else if ((reg == RSP || reg == RBP) && cnt == 1) {
		rule->cfa = reg == RSP ? TIDE_CFA_SP : TIDE_CFA_FP;
		rule->cfa_off = off;
	} else if ((reg == RSP || reg == RBP) && ops[1].atom == DW_OP_deref &&
		   (cnt == 2 || (cnt == 3 && ops[2].atom == DW_OP_plus_uconst))) {
		rule->cfa = reg == RSP ? TIDE_CFA_DEREF_SP : TIDE_CFA_DEREF_FP;
		rule->deref_off = off;
		rule->deref_add = cnt == 3 ? ops[2].number : 0;
	}
}

static void dw_fp(Dwarf_Frame *frame, struct tide_unwind_rule *rule)
{
	Dwarf_Op mem[3], *ops;
	uint64_t reg;
	int64_t off;
	size_t cnt;

	rule->fp = TIDE_FP_UNKNOWN;
	if (dwarf_frame_register(frame, RBP, mem, &ops, &cnt))
		return;
	if (!cnt) {
		rule->fp = ops ? TIDE_FP_UNKNOWN : TIDE_FP_SAME;
	} else if (ops[0].atom == DW_OP_call_frame_cfa &&
		   (cnt == 1 || (cnt == 2 && ops[1].atom == DW_OP_plus_uconst))) {
		rule->fp = TIDE_FP_CFA;
		rule->fp_off = cnt == 2 ? (int64_t)ops[1].number : 0;
	} else if (cnt == 1 && is_breg(&ops[0], &reg, &off) && reg == RBP) {
		rule->fp = TIDE_FP_FP;
		rule->fp_off = off;
	} else if (cnt == 1 && is_breg(&ops[0], &reg, &off) && reg == RSP &&
		   rule->cfa == TIDE_CFA_SP) {
		rule->fp = TIDE_FP_CFA;
		rule->fp_off = off - rule->cfa_off;
	}
}

static struct tide_unwind_rule dw_rule(Dwarf_Frame *frame, bool signal)
{
	struct tide_unwind_rule rule = {};
	Dwarf_Op mem[3], *ops = NULL;
	size_t cnt = 0;
	int r = dwarf_frame_register(frame, RA, mem, &ops, &cnt);

	if (signal) {
		rule.cfa = TIDE_CFA_SIGNAL;
	} else if (!r && !cnt && ops) {
		rule.cfa = TIDE_CFA_END;
	} else if (r || cnt != 2 || ops[0].atom != DW_OP_call_frame_cfa ||
		   (int64_t)ops[1].number != -8) {
		rule.cfa = TIDE_CFA_UNSUPPORTED;
	} else {
		dw_cfa(frame, &rule);
		if (rule.cfa != TIDE_CFA_UNSUPPORTED)
			dw_fp(frame, &rule);
	}
	return rule;
}

static void compare_at(struct compiled *c, uint64_t vaddr, const struct tide_unwind_rule *want)
{
	size_t cnt;
	const struct tide_unwind_rule *rules = tide_unwind_rules_get(c->rules, &cnt);
	uint32_t id = tide_unwind_image_find(&c->image, vaddr - c->image.first_vaddr);

	assert_true(id < cnt);
	if (memcmp(&rules[id], want, sizeof(*want)))
		fail_msg("at %#lx: %u %u %d %d, libdw %u %u %d %d", (long)vaddr, rules[id].cfa,
			 rules[id].fp, rules[id].fp_off, rules[id].cfa_off, want->cfa, want->fp,
			 want->fp_off, want->cfa_off);
	c->compared++;
}

/* Every row, at its first and last byte. A row's start is where we asked: after
 * DW_CFA_restore_state libdw 0.188 says where the state was saved.
 */
static void compare_all(struct compiled *c)
{
	uint64_t at = c->info.exec[0].vaddr, stop = at + c->info.exec[0].file_bytes;
	struct tide_unwind_rule want;
	Dwarf_Addr start, end;
	Dwarf_Frame *frame;
	bool signal;

	while (at < stop) {
		if (dwarf_cfi_addrframe(c->cfi, at, &frame)) {
			at++;
			continue;
		}
		assert_true(dwarf_frame_info(frame, &start, &end, &signal) >= 0);
		assert_true(end > at);
		want = dw_rule(frame, signal);
		compare_at(c, at, &want);
		compare_at(c, end - 1, &want);
		free(frame);
		at = end;
	}
}

static void compare_file(const char *path, uint64_t at_least)
{
	struct compiled c = {.fd = open(path, O_RDONLY | O_CLOEXEC)};

	assert_true(c.fd >= 0);
	assert_ok(tide_unwind_rules_new(&c.rules));
	assert_ok(tide_ehframe_compile_fd(c.fd, c.rules, &c.image, &c.info));
	assert_int_equal(c.info.skipped_cnt, 0);
	/* 4 bytes a row, and what the blocks are rounded up by. */
	assert_true((uint64_t)c.image.block_cnt * sizeof(struct tide_unwind_block) <=
		    c.image.row_cnt * 8 + 4096);
	elf_version(EV_CURRENT);
	c.elf = elf_begin(c.fd, ELF_C_READ_MMAP, NULL);
	c.cfi = dwarf_getcfi_elf(c.elf);
	assert_non_null(c.cfi);
	compare_all(&c);
	assert_true(c.compared >= at_least);
	dwarf_cfi_end(c.cfi);
	elf_end(c.elf);
	tide_unwind_image_done(&c.image);
	tide_unwind_rules_free(&c.rules);
	close(c.fd);
}

static void libc_equals_libdw(void **state)
{
	(void)state;
	compare_file("/lib/x86_64-linux-gnu/libc.so.6", 30000);
}

static void loader_equals_libdw(void **state)
{
	(void)state;
	compare_file("/lib64/ld-linux-x86-64.so.2", 2000);
}

static void this_program_equals_libdw(void **state)
{
	(void)state;
	compare_file("/proc/self/exe", 100);
}

/* ---- images in memory, whole and damaged ---- */

static int compile_mem(const void *data, size_t size, struct tide_ehframe_info *info)
{
	struct tide_unwind_rules *rules = NULL;
	struct tide_unwind_image image = {};
	int r;

	assert_ok(tide_unwind_rules_new(&rules));
	r = tide_ehframe_compile_mem(data, size, rules, &image, info);
	assert_true(r || image.row_cnt);
	tide_unwind_image_done(&image);
	tide_unwind_rules_free(&rules);
	return r;
}

/* This process's vDSO; its section headers are what comes last. */
static const uint8_t *vdso_image(size_t *ret_size)
{
	const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image;

	assert_non_null(image);
	*ret_size = eh->e_shoff + eh->e_shnum * sizeof(Elf64_Shdr);
	return image;
}

static void vdso(void **state)
{
	size_t size;
	const uint8_t *image = vdso_image(&size);
	struct tide_ehframe_info info;
	uint64_t vaddr = 1;

	(void)state;
	assert_ok(compile_mem(image, size, &info));
	assert_true(info.fde_cnt >= 4);
	assert_ok(tide_ehframe_vaddr(&info, 0, &vaddr));
	assert_int_equal(vaddr, 0);
	assert_errno(tide_ehframe_vaddr(&info, 1 << 20, &vaddr), ENOENT);
}

static void not_an_elf_file(void **state)
{
	static const char text[4096] = "#!/bin/sh\n";
	struct tide_ehframe_info info;
	Elf64_Ehdr eh = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB}};

	(void)state;
	assert_errno(compile_mem(text, sizeof(text), &info), ENOEXEC);
	assert_errno(compile_mem(text, 0, &info), ENOEXEC);
	assert_errno(compile_mem(&eh, sizeof(eh), &info), ENOEXEC);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_machine = EM_AARCH64;
	assert_errno(compile_mem(&eh, sizeof(eh), &info), ENOEXEC);
	eh.e_machine = EM_X86_64;
	assert_errno(compile_mem(&eh, sizeof(eh), &info), EBADMSG);
	eh.e_phentsize = sizeof(Elf64_Phdr);
	assert_errno(compile_mem(&eh, sizeof(eh), &info), ENODATA);
}

/* Cut short anywhere: an error or a table, never a read beyond the end (ASan watches). */
static void truncated_anywhere(void **state)
{
	size_t whole, size;
	const uint8_t *image = vdso_image(&whole);
	struct tide_ehframe_info info;
	int failed = 0;

	(void)state;
	for (size = 0; size < whole; size += 7) {
		uint8_t *cut = malloc(size + 1);

		assert_non_null(cut);
		memcpy(cut, image, size);
		failed += compile_mem(cut, size, &info) != 0;
		free(cut);
	}
	assert_true(failed > 100);
}

/* Each byte turned over in turn, and nothing worse than an error or a wrong table. */
static void damaged_anywhere(void **state)
{
	size_t size;
	const uint8_t *image = vdso_image(&size);
	uint8_t *copy = malloc(size);
	struct tide_ehframe_info info;

	(void)state;
	assert_non_null(copy);
	memcpy(copy, image, size);
	for (size_t i = 0; i < size; i++) {
		copy[i] ^= 0xff;
		(void)compile_mem(copy, size, &info);
		copy[i] ^= 0xff;
	}
	assert_ok(compile_mem(copy, size, &info));
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libc_equals_libdw),	     cmocka_unit_test(loader_equals_libdw),
		cmocka_unit_test(this_program_equals_libdw), cmocka_unit_test(vdso),
		cmocka_unit_test(not_an_elf_file),	     cmocka_unit_test(truncated_anywhere),
		cmocka_unit_test(damaged_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
