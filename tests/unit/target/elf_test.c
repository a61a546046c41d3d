#include "target/elf.h"

#include <errno.h>
#include <fcntl.h>

#include "base/util.h"
#include "tiny_elf.h"

static int info_of(const struct tiny_elf *e, struct tide_elf_info *ret)
{
	TIDE_AUTO_FD int fd = tiny_file(e, sizeof(*e));

	return tide_elf_read_info(fd, ret);
}

static void reads_a_library(void **state)
{
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	assert_ok(info_of(&e, &info));
	assert_true(info.is_64 && info.is_x86_64 && info.is_pie_or_dso);
	assert_true(info.has_symtab && info.has_dynsym);
	assert_false(info.has_interp || info.is_go);
	assert_string_equal(info.soname, "libtiny.so.1");
	assert_string_equal(info.build_id, "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
}

static void tells_executables_and_stripped_files(void **state)
{
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.eh.e_type = ET_EXEC;
	e.ph[3].p_type = PT_INTERP;
	e.sh[TINY_SH_SYMTAB].sh_type = SHT_NULL;
	assert_ok(info_of(&e, &info));
	assert_true(info.has_interp && info.has_dynsym);
	assert_false(info.is_pie_or_dso || info.has_symtab);
	assert_string_equal(info.soname, "");
	e.eh.e_shoff = 0;
	e.eh.e_shnum = 0;
	assert_ok(info_of(&e, &info));
	assert_false(info.has_dynsym);
}

static void knows_go_by_its_sections(void **state)
{
	static const char *const names[] = {".go.buildinfo", ".gopclntab"};
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(names); i++) {
		tiny_elf_init(&e);
		strcpy(e.shstrtab + 1, names[i]);
		assert_ok(info_of(&e, &info));
		assert_true(info.is_go);
	}
	strcpy(e.shstrtab + 1, ".gopclntab2");
	assert_ok(info_of(&e, &info));
	assert_false(info.is_go);
}

static void what_is_no_elf_file(void **state)
{
	static const char *const texts[] = {"", "\177", "\177EL", "#!/bin/sh\n", "\177ELG"};
	struct tide_elf_symbol found;
	const char *name = "malloc";
	struct tide_elf_info info;
	TIDE_AUTO_FD int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	TIDE_AUTO_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(texts); i++) {
		TIDE_AUTO_FD int fd = tiny_file(texts[i], strlen(texts[i]));

		assert_errno(tide_elf_read_info(fd, &info), ENOEXEC);
		assert_errno(tide_elf_find_symbols(fd, &name, 1, &found), ENOEXEC);
	}
	assert_errno(tide_elf_read_info(dir, &info), ENOEXEC);
	assert_errno(tide_elf_read_info(null, &info), ENOEXEC);
	assert_errno(tide_elf_read_info(-1, &info), EBADF);
}

static void other_classes_are_only_identified(void **state)
{
	struct tide_elf_symbol found;
	const char *name = "malloc";
	struct tide_elf_info info;
	struct tiny_elf e;
	TIDE_AUTO_FD int fd = -1;

	(void)state;
	tiny_elf_init(&e);
	e.eh.e_ident[EI_CLASS] = ELFCLASS32;
	fd = tiny_file(&e, sizeof(e));
	assert_ok(tide_elf_read_info(fd, &info));
	assert_false(info.is_64 || info.is_x86_64 || info.has_dynsym);
	assert_int_equal(tide_elf_find_symbols(fd, &name, 1, &found), 0);
	assert_int_equal(tide_elf_read_loads(fd, NULL, 0), 0);
}

static void build_ids_must_fit_and_be_whole(void **state)
{
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.note.head.n_descsz = 21;
	assert_ok(info_of(&e, &info));
	assert_string_equal(info.build_id, "");
	e.note.head.n_descsz = UINT32_MAX;
	assert_ok(info_of(&e, &info));
	assert_string_equal(info.build_id, "");
	e.note.head.n_descsz = 20;
	e.note.head.n_namesz = UINT32_MAX;
	assert_ok(info_of(&e, &info));
	assert_string_equal(info.build_id, "");
	e.note.head.n_namesz = 4;
	e.note.head.n_type = NT_GNU_ABI_TAG;
	assert_ok(info_of(&e, &info));
	assert_string_equal(info.build_id, "");
	/* Longer than we have room for: the note spans the dynamic section too. */
	e.note.head.n_type = NT_GNU_BUILD_ID;
	e.note.head.n_descsz = 33;
	e.ph[2].p_filesz = sizeof(e.note) + 20;
	assert_ok(info_of(&e, &info));
	assert_string_equal(info.build_id, "");
	e.note.head.n_descsz = 32;
	assert_ok(info_of(&e, &info));
	assert_int_equal(strlen(info.build_id), 64);
}

static void malformed_headers_are_ebadmsg(void **state)
{
	struct tide_elf_info info = {.soname = "untouched"};
	struct tiny_elf good, e;

	(void)state;
	tiny_elf_init(&good);
#define REFUSED(change)                                    \
	do {                                               \
		e = good;                                  \
		change;                                    \
		assert_errno(info_of(&e, &info), EBADMSG); \
	} while (0)
	REFUSED(e.eh.e_phentsize = 55);
	REFUSED(e.eh.e_phnum = PN_XNUM);
	REFUSED(e.eh.e_phoff = UINT64_MAX - 8);
	REFUSED(e.eh.e_phoff = sizeof(e) - 8);
	REFUSED(e.eh.e_shentsize = 0);
	REFUSED(e.eh.e_shoff = UINT64_MAX - 8);
	REFUSED(e.eh.e_shoff = sizeof(e) - 8);
	REFUSED(e.eh.e_shnum = 0xfff0);
	REFUSED(e.eh.e_shnum = 0; e.sh[0].sh_size = UINT64_MAX);
	REFUSED(e.eh.e_shstrndx = TINY_SH_CNT);
	REFUSED(e.eh.e_shstrndx = SHN_XINDEX; e.sh[0].sh_link = 99);
	REFUSED(e.sh[TINY_SH_GO].sh_name = UINT32_MAX);
	REFUSED(e.sh[TINY_SH_SHSTRTAB].sh_offset = UINT64_MAX);
	REFUSED(e.ph[2].p_offset = UINT64_MAX - 4);
	REFUSED(e.ph[3].p_offset = UINT64_MAX - 4);
	REFUSED(e.dyn[0].d_un.d_ptr = 1);
	REFUSED(e.dyn[1].d_un.d_val = UINT64_MAX);
	REFUSED(e.dyn[1].d_un.d_val = sizeof(e));
#undef REFUSED
	assert_string_equal(info.soname, "untouched");
}

static void sections_beyond_65280_are_counted_elsewhere(void **state)
{
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	e.eh.e_shnum = 0;
	e.sh[0].sh_size = TINY_SH_CNT;
	e.eh.e_shstrndx = SHN_XINDEX;
	e.sh[0].sh_link = TINY_SH_SHSTRTAB;
	assert_ok(info_of(&e, &info));
	assert_true(info.has_symtab);
}

static void a_soname_without_end_is_cut(void **state)
{
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	/* No zero within 255 bytes. */
	memset(e.dynstr + 1, 'x', sizeof(e) - TINY_OFF(dynstr) - 1 - sizeof(e.sh));
	assert_ok(info_of(&e, &info));
	assert_int_equal(strlen(info.soname), sizeof(info.soname) - 1);
}

static void survives_any_cut_and_any_byte(void **state)
{
	struct tide_elf_load loads[8];
	struct tide_elf_info info;
	struct tiny_elf e;

	(void)state;
	tiny_elf_init(&e);
	for (size_t len = 0; len < sizeof(e); len++) {
		TIDE_AUTO_FD int fd = tiny_file(&e, len);
		int r = tide_elf_read_info(fd, &info);

		/* The section headers come last. */
		assert_true(r == (len < SELFMAG ? -ENOEXEC : -EBADMSG));
		assert_true(tide_elf_read_loads(fd, loads, 8) < 0);
	}
	for (size_t at = 0; at < sizeof(e); at++) {
		unsigned char *byte = (unsigned char *)&e + at, saved = *byte;
		TIDE_AUTO_FD int fd = -1;
		int r;

		*byte = 0xff;
		fd = tiny_file(&e, sizeof(e));
		r = tide_elf_read_info(fd, &info);
		assert_true(r == 0 || r == -EBADMSG || r == -ENOEXEC);
		*byte = saved;
	}
}

static void lists_loadable_segments(void **state)
{
	struct tide_elf_load loads[4];
	struct tiny_elf e;
	TIDE_AUTO_FD int fd = -1;

	(void)state;
	tiny_elf_init(&e);
	fd = tiny_file(&e, sizeof(e));
	assert_int_equal(tide_elf_read_loads(fd, loads, 4), 2);
	assert_true(loads[0].exec && loads[0].vaddr == TINY_TEXT_VADDR);
	assert_false(loads[1].exec);
	assert_int_equal(loads[1].mem_bytes, loads[1].file_bytes + 4096);
	assert_int_equal(tide_elf_read_loads(fd, loads, 1), 1);
}

static void reads_this_program(void **state)
{
	TIDE_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct tide_elf_info info;

	(void)state;
	assert_ok(tide_elf_read_info(fd, &info));
	assert_true(info.is_64 && info.has_interp && info.has_dynsym && info.has_symtab);
	assert_false(info.is_go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_library),
		cmocka_unit_test(tells_executables_and_stripped_files),
		cmocka_unit_test(knows_go_by_its_sections),
		cmocka_unit_test(what_is_no_elf_file),
		cmocka_unit_test(other_classes_are_only_identified),
		cmocka_unit_test(build_ids_must_fit_and_be_whole),
		cmocka_unit_test(malformed_headers_are_ebadmsg),
		cmocka_unit_test(sections_beyond_65280_are_counted_elsewhere),
		cmocka_unit_test(a_soname_without_end_is_cut),
		cmocka_unit_test(survives_any_cut_and_any_byte),
		cmocka_unit_test(lists_loadable_segments),
		cmocka_unit_test(reads_this_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
