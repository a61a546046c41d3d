/* An .eh_frame section is a list of entries:
 *
 *   +--------+----------+----------------------------------------------+
 *   | length | 0        | CIE: factors, register of the return address, |
 *   |        |          |      encodings, initial instructions          |
 *   +--------+----------+----------------------------------------------+
 *   | length | distance | FDE: first address, length of the code,       |
 *   |        | to CIE   |      augmentation, instructions               |
 *   +--------+----------+----------------------------------------------+
 *
 * The instructions build a table whose rows say, from an address on, what the CFA is and where
 * each register was saved. Of the columns we follow three: the CFA, rbp, and the
 * return address. Every read goes through struct cursor, which turns a read beyond its end into a
 * flag and zeros, so that each loop ends and the flag is checked once.
 */
#include "target/cfi_cursor.h"

#include <errno.h>

/* Where a linked x86-64 file has its code addresses: absolute or relative to their place. */
static bool fde_encoding_known(uint8_t enc)
{
	return !(enc & DW_EH_PE_indirect) &&
	       ((enc & 0x70) == DW_EH_PE_absptr || (enc & 0x70) == DW_EH_PE_pcrel);
}

/* The augmentation string's letters, in the order of their data. */
static bool read_augmentation(struct cursor *c, const char *aug, struct cie *cie)
{
	uint64_t aug_bytes;
	size_t aug_end;

	if (!*aug)
		return true;
	if (*aug != 'z')
		return false;
	cie->has_aug_size = true;
	aug_bytes = get_uleb(c);
	if (c->bad || aug_bytes > c->end - c->at)
		return false;
	aug_end = c->at + aug_bytes;
	for (aug++; *aug; aug++) {
		if (*aug == 'L')
			(void)get_fixed(c, 1);
		else if (*aug == 'P')
			(void)get_encoded(c, get_fixed(c, 1) & 0x7f);
		else if (*aug == 'R')
			cie->fde_enc = get_fixed(c, 1);
		else if (*aug == 'S')
			cie->signal = true;
		else
			return false;
	}
	if (c->bad || c->at > aug_end)
		return false;
	c->at = aug_end;
	return true;
}

/* Opens the entry at off: its length checked, the cursor behind its id. 0 or -EBADMSG; a length of
 * 0 leaves c->at == c->end.
 */
static int open_entry(const struct tide_cfi_section *s, size_t off, struct cursor *c,
		      uint32_t *ret_id, size_t *ret_id_off)
{
	uint64_t bytes;

	*c = (struct cursor){.s = s, .at = off, .end = s->size};
	bytes = get_fixed(c, 4);
	if (bytes == 0xffffffff)
		bytes = get_fixed(c, 8);
	if (c->bad || bytes > s->size - c->at)
		return -EBADMSG;
	c->end = c->at + bytes;
	*ret_id_off = c->at;
	*ret_id = 0;
	if (!bytes)
		return 0;
	*ret_id = get_fixed(c, 4);
	return c->bad ? -EBADMSG : 0;
}

int tide_cfi_read_cie(const struct tide_cfi_section *s, size_t off, struct cie *ret)
{
	struct cie cie = {.fde_enc = DW_EH_PE_absptr};
	struct cursor c;
	const char *aug;
	size_t id_off;
	uint32_t id;
	uint8_t version;

	if (open_entry(s, off, &c, &id, &id_off) || id || c.at == c.end)
		return -EBADMSG;
	version = get_fixed(&c, 1);
	if (version != 1 && version != 3 && version != 4)
		return -EBADMSG;
	aug = (const char *)s->data + c.at;
	if (!memchr(aug, 0, c.end - c.at))
		return -EBADMSG;
	skip(&c, strlen(aug) + 1);
	if (version == 4) {
		uint64_t address_bytes = get_fixed(&c, 1), segment_bytes = get_fixed(&c, 1);

		if (address_bytes != 8 || segment_bytes)
			return -EBADMSG;
	}
	cie.code_align = get_uleb(&c);
	cie.data_align = get_sleb(&c);
	cie.ra_reg = version == 1 ? get_fixed(&c, 1) : get_uleb(&c);
	if (c.bad || !read_augmentation(&c, aug, &cie) || c.bad)
		return -EBADMSG;
	if (!fde_encoding_known(cie.fde_enc))
		return -EBADMSG;
	cie.instr_off = c.at;
	cie.instr_bytes = c.end - c.at;
	*ret = cie;
	return 0;
}

static int read_fde(const struct tide_cfi_section *s, struct cursor *c, size_t cie_off,
		    struct tide_cfi_fde *ret)
{
	uint64_t start, size;
	struct cie cie;

	if (tide_cfi_read_cie(s, cie_off, &cie))
		return -EBADMSG;
	start = get_encoded(c, cie.fde_enc);
	size = get_encoded(c, cie.fde_enc & 0x0f);
	if (cie.has_aug_size)
		skip(c, get_uleb(c));
	if (c->bad || !size || start + size < start)
		return -EBADMSG;
	*ret = (struct tide_cfi_fde){
		.start = start,
		.end = start + size,
		.off = c->at,
		.instr_bytes = c->end - c->at,
		.cie_off = cie_off,
	};
	return 0;
}

int tide_cfi_next(const struct tide_cfi_section *s, size_t *off, struct tide_cfi_fde *ret,
		  uint64_t *skipped)
{
	struct cursor c;
	size_t id_off;
	uint32_t id;

	/* Offsets are kept in 32 bits; the compiler's own limit on the section is lower. */
	if (s->size > UINT32_MAX)
		return -EBADMSG;
	if (s->size - *off < 4)
		return -ENODATA;
	if (open_entry(s, *off, &c, &id, &id_off))
		return -EBADMSG;
	*off = c.end;
	if (!id)
		return 0;
	if (id > id_off || read_fde(s, &c, id_off - id, ret)) {
		++*skipped;
		return 0;
	}
	return 1;
}
