/* Reading of .eh_frame's bytes, for cfi.c and cfi_run.c.
 *
 * Owns: nothing. Never: reads outside the section. Threads: pure. Memory: none.
 */
#ifndef TIDE_TARGET_CFI_CURSOR_H
#define TIDE_TARGET_CFI_CURSOR_H

#include <dwarf.h>
#include <string.h>

#include "target/cfi.h"

struct cursor {
	const struct tide_cfi_section *s;
	size_t at, end;
	bool bad;
};

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra_reg;
	uint8_t fde_enc;
	bool signal;
	bool has_aug_size;
	uint32_t instr_off, instr_bytes;
};

/* Reads the CIE at off. 0 or -EBADMSG. */
int tide_cfi_read_cie(const struct tide_cfi_section *s, size_t off, struct cie *ret);

static inline uint64_t get_fixed(struct cursor *c, size_t bytes)
{
	uint64_t v = 0;

	if (c->bad || c->end - c->at < bytes) {
		c->bad = true;
		return 0;
	}
	memcpy(&v, c->s->data + c->at, bytes);
	c->at += bytes;
	return v;
}

static inline uint64_t get_uleb(struct cursor *c)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = get_fixed(c, 1);
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return v;
}

static inline int64_t get_sleb(struct cursor *c)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = get_fixed(c, 1);
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (shift < 64 && byte & 0x40)
		v |= ~0ULL << shift;
	return (int64_t)v;
}

static inline void skip(struct cursor *c, uint64_t bytes)
{
	if (c->bad || c->end - c->at < bytes)
		c->bad = true;
	else
		c->at += bytes;
}

/* A pointer by its encoding (LSB 5.0, 10.5). */
static inline uint64_t get_encoded(struct cursor *c, uint8_t enc)
{
	uint64_t place = c->s->vaddr + c->at, v;

	switch (enc & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		v = get_fixed(c, 8);
		break;
	case DW_EH_PE_udata2:
		v = get_fixed(c, 2);
		break;
	case DW_EH_PE_udata4:
		v = get_fixed(c, 4);
		break;
	case DW_EH_PE_sdata2:
		v = (int64_t)(int16_t)get_fixed(c, 2);
		break;
	case DW_EH_PE_sdata4:
		v = (int64_t)(int32_t)get_fixed(c, 4);
		break;
	case DW_EH_PE_uleb128:
		v = get_uleb(c);
		break;
	case DW_EH_PE_sleb128:
		v = get_sleb(c);
		break;
	default:
		c->bad = true;
		return 0;
	}
	return (enc & 0x70) == DW_EH_PE_pcrel ? v + place : v;
}

#endif
