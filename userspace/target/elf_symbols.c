/* Finding functions by name.
 *
 * A symbol table is an array of 24-byte entries whose names lie in another section:
 *
 *	.dynsym		what the dynamic linker sees; all that a stripped library has
 *	.gnu.version	parallel to .dynsym: bit 15 marks a version that new programs do not get
 *	.symtab		everything, local functions too; absent from stripped files
 *
 * Entries are read some thousand at a time; the first character and the length settle almost
 * all of them without a string comparison.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "target/elf.h"
#include "target/elf_file.h"

#define CHUNK_SYMBOLS 4096
/* Linux binutils ld: VERSYM_HIDDEN */
#define VERSYM_HIDDEN_BIT 0x8000u

struct query {
	const char *const *names;
	size_t cnt;
	struct tide_elf_symbol *found;
	size_t found_cnt;
	bool locals; /* look at local symbols only, else at all others */
};

struct table {
	Elf64_Shdr syms, versions;
	bool has_versions;
	char *strings;
	size_t strings_sz;
};

static void done_file(struct elf_file *file)
{
	tide_elf_file_done(file);
}

static void done_table(struct table *table)
{
	free(table->strings);
}

/* The name of a symbol when all of it is inside the table. */
static const char *name_at(const struct table *table, uint32_t off)
{
	if (off >= table->strings_sz)
		return NULL;
	/* load_table() has put a zero behind the last byte. */
	return table->strings + off;
}

static void match_symbol(const struct elf_file *file, const struct table *table,
			 const Elf64_Sym *sym, struct query *query)
{
	const char *name;
	uint64_t off;

	if (ELF64_ST_TYPE(sym->st_info) != STT_FUNC || sym->st_shndx == SHN_UNDEF)
		return;
	if ((ELF64_ST_BIND(sym->st_info) == STB_LOCAL) != query->locals)
		return;
	name = name_at(table, sym->st_name);
	if (!name)
		return;
	for (size_t i = 0; i < query->cnt; i++) {
		if (query->found[i].file_off || name[0] != query->names[i][0] ||
		    strcmp(name, query->names[i]))
			continue;
		if (tide_elf_file_offset_of(file, sym->st_value, PF_X, &off) < 0 || off == 0)
			return;
		query->found[i] = (struct tide_elf_symbol){
			.vaddr = sym->st_value, .file_off = off, .size = sym->st_size};
		query->found_cnt++;
		return;
	}
}

static int search_chunk(const struct elf_file *file, const struct table *table, uint64_t first,
			size_t cnt, struct query *query)
{
	TIDE_AUTO_FREE Elf64_Sym *syms = malloc(cnt * sizeof(*syms));
	TIDE_AUTO_FREE uint16_t *versions = NULL;
	int r;

	if (!syms)
		return -ENOMEM;
	r = tide_elf_file_read(file, table->syms.sh_offset + first * sizeof(*syms), syms,
			       cnt * sizeof(*syms));
	if (r < 0)
		return r;
	if (table->has_versions) {
		versions = malloc(cnt * sizeof(*versions));
		if (!versions)
			return -ENOMEM;
		r = tide_elf_file_read(file, table->versions.sh_offset + first * sizeof(*versions),
				       versions, cnt * sizeof(*versions));
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < cnt && query->found_cnt < query->cnt; i++) {
		if (!versions || !(versions[i] & VERSYM_HIDDEN_BIT))
			match_symbol(file, table, &syms[i], query);
	}
	return 0;
}

static int search_table(const struct elf_file *file, const struct table *table, struct query *query)
{
	uint64_t cnt = table->syms.sh_size / sizeof(Elf64_Sym);

	/* gABI: sh_info is the number of local symbols, which come first. */
	if (query->locals && cnt > table->syms.sh_info)
		cnt = table->syms.sh_info;
	if (cnt > TIDE_ELF_MAX_SYMBOLS)
		cnt = TIDE_ELF_MAX_SYMBOLS;
	if (table->has_versions && table->versions.sh_size / sizeof(uint16_t) < cnt)
		return -EBADMSG;
	for (uint64_t at = 0; at < cnt && query->found_cnt < query->cnt; at += CHUNK_SYMBOLS) {
		size_t len = cnt - at < CHUNK_SYMBOLS ? (size_t)(cnt - at) : CHUNK_SYMBOLS;
		int r = search_chunk(file, table, at, len, query);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool section_fits(const struct elf_file *file, const Elf64_Shdr *sh)
{
	return sh->sh_offset <= file->size_bytes && sh->sh_size <= file->size_bytes - sh->sh_offset;
}

static int load_strings(const struct elf_file *file, struct table *table)
{
	Elf64_Shdr sh;
	int r = tide_elf_file_read_section(file, table->syms.sh_link, &sh);

	if (r < 0)
		return r;
	if (sh.sh_type != SHT_STRTAB || !section_fits(file, &sh) ||
	    sh.sh_size > TIDE_ELF_MAX_STRTAB_BYTES)
		return -EBADMSG;
	table->strings = malloc(sh.sh_size + 1);
	if (!table->strings)
		return -ENOMEM;
	r = tide_elf_file_read(file, sh.sh_offset, table->strings, sh.sh_size);
	if (r < 0)
		return r;
	table->strings[sh.sh_size] = '\0';
	table->strings_sz = sh.sh_size;
	return 0;
}

/* The first section of a type; 0 (with *ret_found) or -errno. */
static int find_section(const struct elf_file *file, uint32_t type, Elf64_Shdr *ret,
			bool *ret_found)
{
	*ret_found = false;
	for (uint64_t i = 1; i < file->shdr_cnt; i++) {
		int r = tide_elf_file_read_section(file, i, ret);

		if (r < 0)
			return r;
		if (ret->sh_type == type) {
			*ret_found = true;
			return section_fits(file, ret) ? 0 : -EBADMSG;
		}
	}
	return 0;
}

static int search_section(const struct elf_file *file, uint32_t type, struct query *query)
{
	TIDE_CLEANUP(done_table) struct table table = {};
	bool found;
	int r = find_section(file, type, &table.syms, &found);

	if (r < 0 || !found)
		return r;
	if (table.syms.sh_entsize != sizeof(Elf64_Sym))
		return -EBADMSG;
	if (type == SHT_DYNSYM) {
		r = find_section(file, SHT_GNU_versym, &table.versions, &table.has_versions);
		if (r < 0)
			return r;
	}
	r = load_strings(file, &table);
	if (r == 0)
		r = search_table(file, &table, query);
	if (r < 0 || type == SHT_DYNSYM)
		return r;
	/* A name linked with hidden visibility is local in the result: malloc in a static PIE.
	 * Last, as some source file's own static function may have the name as well.
	 */
	query->locals = true;
	return search_table(file, &table, query);
}

int tide_elf_find_symbols(int fd, const char *const *names, size_t cnt, struct tide_elf_symbol *ret)
{
	TIDE_CLEANUP(done_file) struct elf_file file = {};
	struct query query = {.names = names, .cnt = cnt, .found = ret};
	int r;

	memset(ret, 0, cnt * sizeof(*ret));
	r = tide_elf_file_open(fd, &file);
	if (r < 0)
		return r;
	if (!file.readable)
		return 0;
	r = search_section(&file, SHT_DYNSYM, &query);
	if (r == 0 && query.found_cnt < cnt)
		r = search_section(&file, SHT_SYMTAB, &query);
	return r < 0 ? r : (int)query.found_cnt;
}
