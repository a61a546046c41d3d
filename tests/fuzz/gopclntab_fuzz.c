/* Any bytes as a Go table: looked up without a crash or a hang, and what is found is text that
 * lies within the table.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/gopclntab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const uint8_t *data, size_t size, const char *text)
{
	const uint8_t *at = (const uint8_t *)text;

	if (text)
		require(at >= data && at < data + size && *text &&
			strlen(text) < (size_t)(data + size - at));
}

static void look_up(const struct tide_gopclntab *tab, const uint8_t *data, size_t size,
		    uint64_t vaddr)
{
	struct tide_gopclntab_name name;

	if (!tide_gopclntab_find(tab, vaddr, &name))
		return;
	check_text(data, size, name.function);
	check_text(data, size, name.file);
	require(name.line <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tide_gopclntab tab;

	if (tide_gopclntab_init(&tab, data, size))
		return 0;
	for (uint64_t off = 0; off < 256; off += 5)
		look_up(&tab, data, size, tab.text_vaddr + off);
	for (unsigned int shift = 0; shift < 64; shift++)
		look_up(&tab, data, size, 1ULL << shift);
	return 0;
}
