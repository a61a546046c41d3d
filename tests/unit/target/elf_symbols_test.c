#include <errno.h>
#include <fcntl.h>

#include "base/util.h"
#include "target/elf.h"
#include "tiny_elf.h"

static const char *const names[] = {"malloc", "free", "calloc"};
enum { MALLOC, FREE, CALLOC, NAME_CNT };

static int find(const struct tiny_elf *e, struct tide_elf_symbol found[NAME_CNT])
{
	TIDE_AUTO_FD int fd = tiny_file(e, sizeof(*e));

	return tide_elf_find_symbols(fd, names, NAME_CNT, found);
}

static uint32_t dynstr(struct tiny_elf *e, const char *name)
{
	return tiny_string(e->dynstr, sizeof(e->dynstr), name);
}

static uint32_t strtab(struct tiny_elf *e, const char *name)
{
	return tiny_string(e->strtab, sizeof(e->strtab), name);
}

static void finds_in_both_tables_the_dynamic_first(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.dynsym[1] = tiny_fn(dynstr(&e, "malloc"), 8);
	e.symtab[1] = tiny_fn(strtab(&e, "malloc"), 16);
	e.symtab[2] = tiny_fn(strtab(&e, "free"), 24);
	assert_int_equal(find(&e, found), 2);
	assert_int_equal(found[MALLOC].file_off, TINY_OFF(text) + 8);
	assert_int_equal(found[MALLOC].vaddr, TINY_TEXT_VADDR + TINY_OFF(text) + 8);
	assert_int_equal(found[MALLOC].size, 8);
	assert_int_equal(found[FREE].file_off, TINY_OFF(text) + 24);
	assert_int_equal(found[CALLOC].file_off, 0);
}

static void only_defined_functions_count(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;
	uint32_t name;

	(void)state;
	tiny_elf_init(&e);
	name = dynstr(&e, "malloc");
	for (int i = 1; i < 6; i++)
		e.dynsym[i] = tiny_fn(name, 8);
	/* An executable's undefined functions may have the address of their stub. */
	e.dynsym[1].st_shndx = SHN_UNDEF;
	e.dynsym[2].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
	e.dynsym[3].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC);
	e.dynsym[4].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
	e.dynsym[5].st_value = TINY_DATA_VADDR + TINY_OFF(text);
	assert_int_equal(find(&e, found), 0);
	e.dynsym[6] = tiny_fn(name, 32);
	e.dynsym[6].st_info = ELF64_ST_INFO(STB_WEAK, STT_FUNC);
	assert_int_equal(find(&e, found), 1);
	assert_int_equal(found[MALLOC].file_off, TINY_OFF(text) + 32);
}

static void names_must_be_equal(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.dynsym[1] = tiny_fn(dynstr(&e, "malloc2"), 8);
	e.dynsym[2] = tiny_fn(dynstr(&e, "mallo"), 8);
	e.dynsym[3] = tiny_fn(dynstr(&e, "xfree"), 8);
	e.dynsym[4] = tiny_fn(UINT32_MAX, 8);
	e.dynsym[5] = tiny_fn(sizeof(e.dynstr), 8);
	assert_int_equal(find(&e, found), 0);
	/* Linkers store a name that ends another one inside it. */
	e.dynsym[3].st_name++;
	assert_int_equal(find(&e, found), 1);
	assert_true(found[FREE].file_off != 0);
}

static void the_default_version_wins(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;
	uint32_t name;

	(void)state;
	tiny_elf_init(&e);
	name = dynstr(&e, "malloc");
	e.dynsym[1] = tiny_fn(name, 8);
	e.dynsym[2] = tiny_fn(name, 16);
	e.dynsym[3] = tiny_fn(dynstr(&e, "free"), 24);
	e.versym[1] = 0x8002;
	e.versym[2] = 3;
	e.versym[3] = 0x8002;
	assert_int_equal(find(&e, found), 1);
	assert_int_equal(found[MALLOC].file_off, TINY_OFF(text) + 16);
	/* Without versions all are alike. */
	e.sh[TINY_SH_VERSYM].sh_type = SHT_NULL;
	assert_int_equal(find(&e, found), 2);
	assert_int_equal(found[MALLOC].file_off, TINY_OFF(text) + 8);
}

static void local_functions_come_last(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;
	uint32_t name;

	(void)state;
	tiny_elf_init(&e);
	name = strtab(&e, "malloc");
	e.symtab[1] = tiny_fn(name, 8);
	e.symtab[1].st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
	e.symtab[2] = tiny_fn(strtab(&e, "free"), 16);
	e.symtab[2].st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
	e.symtab[3] = tiny_fn(name, 24);
	e.sh[TINY_SH_SYMTAB].sh_info = 3;
	assert_int_equal(find(&e, found), 2);
	assert_int_equal(found[MALLOC].file_off, TINY_OFF(text) + 24);
	assert_int_equal(found[FREE].file_off, TINY_OFF(text) + 16);
	/* An unbelievable count of locals is cut to the table. */
	e.sh[TINY_SH_SYMTAB].sh_info = UINT32_MAX;
	assert_int_equal(find(&e, found), 2);
}

static void addresses_must_be_in_the_file(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.dynsym[1] = tiny_fn(dynstr(&e, "malloc"), 8);
	e.dynsym[2] = tiny_fn(dynstr(&e, "free"), 8);
	e.dynsym[1].st_value = TINY_TEXT_VADDR + TINY_OFF(sh);
	e.dynsym[2].st_value = TINY_TEXT_VADDR - 1;
	assert_int_equal(find(&e, found), 0);
	/* A segment that claims more than the file has, and one whose end wraps. */
	e.ph[0].p_filesz = UINT64_MAX;
	e.dynsym[1].st_value = TINY_TEXT_VADDR + sizeof(e);
	assert_int_equal(find(&e, found), 0);
	e.ph[0].p_offset = UINT64_MAX;
	e.dynsym[1].st_value = TINY_TEXT_VADDR + 8;
	assert_int_equal(find(&e, found), 0);
}

static void malformed_tables_are_ebadmsg(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf good, e;

	(void)state;
	tiny_elf_init(&good);
#define REFUSED(change)                                 \
	do {                                            \
		e = good;                               \
		change;                                 \
		assert_errno(find(&e, found), EBADMSG); \
	} while (0)
	REFUSED(e.sh[TINY_SH_DYNSYM].sh_entsize = 0);
	REFUSED(e.sh[TINY_SH_DYNSYM].sh_offset = UINT64_MAX - 1);
	REFUSED(e.sh[TINY_SH_DYNSYM].sh_size = UINT64_MAX);
	REFUSED(e.sh[TINY_SH_DYNSYM].sh_link = TINY_SH_CNT);
	REFUSED(e.sh[TINY_SH_DYNSYM].sh_link = TINY_SH_VERSYM);
	REFUSED(e.sh[TINY_SH_DYNSTR].sh_size = sizeof(e));
	REFUSED(e.sh[TINY_SH_VERSYM].sh_size = 2);
	REFUSED(e.sh[TINY_SH_VERSYM].sh_offset = sizeof(e));
	REFUSED(e.sh[TINY_SH_SYMTAB].sh_entsize = 16);
	REFUSED(e.sh[TINY_SH_STRTAB].sh_offset = sizeof(e) - 1);
#undef REFUSED
}

static void a_string_table_needs_no_end(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	/* "mallocmalloc..." to the last byte of the table; then to a byte that ends a name. */
	for (size_t i = 0; i < sizeof(e.dynstr); i++)
		e.dynstr[i] = "malloc"[i % 6];
	e.dynsym[1] = tiny_fn(0, 8);
	assert_int_equal(find(&e, found), 0);
	e.dynsym[1].st_name = sizeof(e.dynstr) - 6;
	assert_int_equal(find(&e, found), 1);
}

static void survives_any_byte(void **state)
{
	struct tide_elf_symbol found[NAME_CNT];
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.dynsym[1] = tiny_fn(dynstr(&e, "malloc"), 8);
	e.symtab[1] = tiny_fn(strtab(&e, "free"), 16);
	for (size_t at = 0; at < sizeof(e); at++) {
		unsigned char *byte = (unsigned char *)&e + at, saved = *byte;
		int r;

		*byte = 0xff;
		r = find(&e, found);
		assert_true((r >= 0 && r <= 2) || r == -EBADMSG || r == -ENOEXEC);
		*byte = saved;
	}
}

static void finds_main_of_this_program(void **state)
{
	TIDE_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const char *const wanted[] = {"main", "finds_main_of_this_program", "no such function"};
	struct tide_elf_symbol found[3];

	(void)state;
	/* The second is local, found only in .symtab. */
	assert_int_equal(tide_elf_find_symbols(fd, wanted, 3, found), 2);
	assert_true(found[0].file_off && found[1].file_off && !found[2].file_off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_in_both_tables_the_dynamic_first),
		cmocka_unit_test(only_defined_functions_count),
		cmocka_unit_test(names_must_be_equal),
		cmocka_unit_test(the_default_version_wins),
		cmocka_unit_test(local_functions_come_last),
		cmocka_unit_test(addresses_must_be_in_the_file),
		cmocka_unit_test(malformed_tables_are_ebadmsg),
		cmocka_unit_test(a_string_table_needs_no_end),
		cmocka_unit_test(survives_any_byte),
		cmocka_unit_test(finds_main_of_this_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
