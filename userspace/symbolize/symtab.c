#include "symbolize/symtab.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A symbol without a size may not name code farther behind it than this. */
#define UNSIZED_REACH_BYTES 65536
/* Functions within functions (hand-written assembly, cold parts): so many symbols are looked at
 * before it is said that none holds the address.
 */
#define MAX_STEPS_BACK 16

static bool names_code(const GElf_Sym *sym, GElf_Word section, const char *name)
{
	if (!name || !*name || section == SHN_UNDEF || section == SHN_ABS || !sym->st_value)
		return false;
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return true;
	case STT_NOTYPE:
		/* Assembly's labels; "$x" and the like mark sections on other machines. */
		return GELF_ST_BIND(sym->st_info) != STB_LOCAL && name[0] != '$';
	default:
		return false;
	}
}

/* Of several names of one address the one a reader knows: without leading underscores first
 * ("malloc", not "__libc_malloc"), then the shortest, then the alphabet's first, so that the
 * choice does not depend on the file's order.
 */
static int compare_names(const char *a, const char *b)
{
	size_t lead_a = strspn(a, "_"), lead_b = strspn(b, "_");
	size_t len_a, len_b;

	if (lead_a != lead_b)
		return lead_a < lead_b ? -1 : 1;
	len_a = strlen(a);
	len_b = strlen(b);
	if (len_a != len_b)
		return len_a < len_b ? -1 : 1;
	return strcmp(a, b);
}

static int compare_entries(const void *left, const void *right)
{
	const struct tide_symtab_entry *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (!a->size_bytes != !b->size_bytes)
		return a->size_bytes ? -1 : 1;
	return compare_names(a->name, b->name);
}

static size_t keep_one_an_address(struct tide_symtab_entry *entries, size_t cnt)
{
	size_t kept = 0;

	for (size_t i = 0; i < cnt; i++)
		if (!kept || entries[kept - 1].start != entries[i].start)
			entries[kept++] = entries[i];
	return kept;
}

int tide_symtab_init(struct tide_symtab *tab, Dwfl_Module *mod)
{
	int symbol_cnt = dwfl_module_getsymtab(mod);
	size_t cnt = 0;

	*tab = (struct tide_symtab){0};
	if (symbol_cnt <= 0)
		return 0;
	if ((unsigned int)symbol_cnt > TIDE_SYMTAB_MAX)
		symbol_cnt = TIDE_SYMTAB_MAX;
	tab->entries = calloc(symbol_cnt, sizeof(*tab->entries));
	if (!tab->entries)
		return -ENOMEM;
	for (int i = 0; i < symbol_cnt; i++) {
		GElf_Word section = SHN_UNDEF;
		GElf_Addr addr;
		GElf_Sym sym;
		const char *name =
			dwfl_module_getsym_info(mod, i, &sym, &addr, &section, NULL, NULL);

		if (names_code(&sym, section, name))
			tab->entries[cnt++] = (struct tide_symtab_entry){addr, sym.st_size, name};
	}
	qsort(tab->entries, cnt, sizeof(*tab->entries), compare_entries);
	tab->cnt = keep_one_an_address(tab->entries, cnt);
	return 0;
}

void tide_symtab_done(struct tide_symtab *tab)
{
	free(tab->entries);
	*tab = (struct tide_symtab){0};
}

static bool holds(const struct tide_symtab_entry *entry, uint64_t addr)
{
	uint64_t reach = entry->size_bytes ? entry->size_bytes : UNSIZED_REACH_BYTES;

	return addr - entry->start < reach;
}

const char *tide_symtab_find(const struct tide_symtab *tab, uint64_t addr)
{
	size_t low = 0, high = tab->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (tab->entries[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t step = 0; step < MAX_STEPS_BACK && step < low; step++) {
		const struct tide_symtab_entry *entry = &tab->entries[low - 1 - step];

		/* Only the nearest symbol may stand for what follows it without a size. */
		if (holds(entry, addr) && (entry->size_bytes || !step))
			return entry->name;
	}
	return NULL;
}
