/* Three steps: find .eh_frame, list its functions sorted by address, run each one's program into
 * the packer.
 *
 * The section header names it; a file stripped of section headers still has PT_GNU_EH_FRAME, whose
 * header points to it, and then it ends at its terminator. The functions are in link order, and
 * some describe code that the linker dropped: those lie outside the executable segments.
 * What lies between two functions, code without CFI or padding, gets a gap row, or a look-up would
 * go by the function before it. Padding matters too: a return address put on a stack by hand
 * (makecontext) is a function's first byte, and its look-up falls into the padding before.
 */
#include "target/ehframe.h"

#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "target/cfi.h"

#define MAX_SECTIONS 65536
/* Functions are aligned to 16 bytes, or not at all. */
#define MAX_PADDING 15

struct source {
	int fd; /* -1: mem */
	const uint8_t *mem;
	size_t size;
};

struct elf {
	struct source src;
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdrs;
	struct tide_ehframe_info *info;
	uint8_t *data; /* the section */
	struct tide_cfi_section cfi;
	bool terminated; /* ends at its terminator, not at its size */
};

struct compile {
	const struct tide_cfi_section *cfi;
	struct tide_unwind_rules *rules;
	struct tide_unwind_packer *packer;
	struct tide_ehframe_info *info;
	uint64_t end; /* of the function that runs */
};

/* ---- the file ---- */

static int read_at(const struct source *src, uint64_t off, void *dst, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	if (src->fd < 0) {
		if (off > src->size || bytes > src->size - off)
			return -EBADMSG;
		memcpy(dst, src->mem + off, bytes);
		return 0;
	}
	if (off > INT64_MAX - bytes)
		return -EBADMSG;
	while (done < bytes) {
		n = pread(src->fd, (char *)dst + done, bytes - done, off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		done += n;
	}
	return 0;
}

static int read_new(const struct source *src, uint64_t off, size_t bytes, void *ret)
{
	TIDE_AUTO_FREE void *p = malloc(bytes ? bytes : 1);
	int r;

	if (!p)
		return -ENOMEM;
	r = read_at(src, off, p, bytes);
	if (!r)
		*(void **)ret = TIDE_TAKE_PTR(p);
	return r;
}

static int read_headers(struct elf *e)
{
	const unsigned char *id = e->ehdr.e_ident;
	int r = read_at(&e->src, 0, &e->ehdr, sizeof(e->ehdr));

	if (r == -EBADMSG || (!r && memcmp(id, ELFMAG, SELFMAG)))
		return -ENOEXEC;
	if (r)
		return r;
	if (id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB ||
	    e->ehdr.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (e->ehdr.e_phentsize != sizeof(Elf64_Phdr) || e->ehdr.e_phnum == PN_XNUM)
		return -EBADMSG;
	r = read_new(&e->src, e->ehdr.e_phoff, e->ehdr.e_phnum * sizeof(Elf64_Phdr), &e->phdrs);
	if (r)
		return r;
	for (size_t i = 0; i < e->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &e->phdrs[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !p->p_filesz ||
		    p->p_vaddr + p->p_filesz < p->p_vaddr || p->p_offset >= e->src.size)
			continue;
		if (e->info->exec_cnt == TIDE_EHFRAME_MAX_EXEC)
			break;
		e->info->exec[e->info->exec_cnt++] = (struct tide_ehframe_segment){
			.file_off = p->p_offset,
			/* Not more than there is: the table's size follows from it. */
			.file_bytes = p->p_filesz < e->src.size - p->p_offset
					      ? p->p_filesz
					      : e->src.size - p->p_offset,
			.vaddr = p->p_vaddr,
		};
	}
	return e->info->exec_cnt ? 0 : -ENODATA;
}

static int load_section(struct elf *e, uint64_t off, uint64_t vaddr, uint64_t bytes)
{
	int r;

	if (bytes > TIDE_EHFRAME_MAX_BYTES)
		return -EFBIG;
	r = read_new(&e->src, off, bytes, &e->data);
	if (r)
		return r;
	e->cfi = (struct tide_cfi_section){.data = e->data, .size = bytes, .vaddr = vaddr};
	return 0;
}

static bool is_eh_frame(struct elf *e, const Elf64_Shdr *sh, const Elf64_Shdr *names)
{
	char name[sizeof(".eh_frame")] = "";

	if ((sh->sh_type != SHT_PROGBITS && sh->sh_type != SHT_X86_64_UNWIND) ||
	    !(sh->sh_flags & SHF_ALLOC) || sh->sh_name >= names->sh_size)
		return false;
	return !read_at(&e->src, names->sh_offset + sh->sh_name, name, sizeof(name)) &&
	       !memcmp(name, ".eh_frame", sizeof(name));
}

/* 0, -ENODATA or another error. */
static int find_by_section(struct elf *e)
{
	TIDE_AUTO_FREE Elf64_Shdr *sh = NULL;
	uint64_t cnt = e->ehdr.e_shnum, names = e->ehdr.e_shstrndx;
	Elf64_Shdr first;

	if (!e->ehdr.e_shoff || e->ehdr.e_shentsize != sizeof(*sh) ||
	    read_at(&e->src, e->ehdr.e_shoff, &first, sizeof(first)))
		return -ENODATA;
	/* More than 65279 sections: the real numbers are in the first one (gABI, chapter 4). */
	if (!cnt)
		cnt = first.sh_size;
	if (names == SHN_XINDEX)
		names = first.sh_link;
	if (cnt > MAX_SECTIONS || names >= cnt ||
	    read_new(&e->src, e->ehdr.e_shoff, cnt * sizeof(*sh), &sh))
		return -ENODATA;
	for (size_t i = 0; i < cnt; i++)
		if (is_eh_frame(e, &sh[i], &sh[names]))
			return load_section(e, sh[i].sh_offset, sh[i].sh_addr, sh[i].sh_size);
	return -ENODATA;
}

/* eh_frame_ptr of .eh_frame_hdr (LSB 5.0, 10.6.2): version, three encodings, then the pointer; all
 * linkers write it relative to its place, in four bytes.
 */
static int find_by_header(struct elf *e)
{
	const Elf64_Phdr *hdr = NULL;
	uint8_t head[8];
	uint64_t vaddr;
	int32_t rel;

	for (size_t i = 0; i < e->ehdr.e_phnum; i++)
		if (e->phdrs[i].p_type == PT_GNU_EH_FRAME)
			hdr = &e->phdrs[i];
	if (!hdr)
		return -ENODATA;
	if (hdr->p_filesz < sizeof(head) || read_at(&e->src, hdr->p_offset, head, sizeof(head)) ||
	    head[0] != 1 || head[1] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4))
		return -EBADMSG;
	memcpy(&rel, head + 4, sizeof(rel));
	vaddr = hdr->p_vaddr + 4 + (int64_t)rel;
	for (size_t i = 0; i < e->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &e->phdrs[i];
		uint64_t in = vaddr - p->p_vaddr;

		if (p->p_type != PT_LOAD || in >= p->p_filesz)
			continue;
		e->terminated = true;
		return load_section(e, p->p_offset + in, vaddr, p->p_filesz - in);
	}
	return -EBADMSG;
}

static void elf_done(struct elf *e)
{
	free(e->phdrs);
	free(e->data);
}

/* ---- functions ---- */

struct fdes {
	struct tide_cfi_fde *fde;
	size_t cnt, cap;
};

static void fdes_done(struct fdes *f)
{
	free(f->fde);
}

static bool in_code(const struct elf *e, const struct tide_cfi_fde *fde)
{
	for (size_t i = 0; i < e->info->exec_cnt; i++) {
		const struct tide_ehframe_segment *seg = &e->info->exec[i];

		if (fde->start >= seg->vaddr && fde->end <= seg->vaddr + seg->file_bytes)
			return true;
	}
	return false;
}

static int fdes_add(struct fdes *f, const struct tide_cfi_fde *fde)
{
	size_t cap = f->cap ? f->cap * 2 : 1024;
	struct tide_cfi_fde *grown;

	if (f->cnt == f->cap) {
		grown = realloc(f->fde, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		f->fde = grown;
		f->cap = cap;
	}
	f->fde[f->cnt++] = *fde;
	return 0;
}

static int compare_fdes(const void *a, const void *b)
{
	const struct tide_cfi_fde *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static int list_functions(const struct elf *e, struct fdes *f)
{
	struct tide_cfi_fde fde;
	size_t off = 0, before;
	int r = 0;

	for (;;) {
		before = off;
		r = tide_cfi_next(&e->cfi, &off, &fde, &e->info->skipped_cnt);
		if (r == -ENODATA || (e->terminated && off - before == 4))
			break;
		if (r < 0)
			return r;
		if (!r || !in_code(e, &fde))
			continue;
		r = fdes_add(f, &fde);
		if (r)
			return r;
	}
	if (!f->cnt)
		return e->info->skipped_cnt ? -EBADMSG : -ENODATA;
	qsort(f->fde, f->cnt, sizeof(*f->fde), compare_fdes);
	return 0;
}

static int add_row(void *arg, uint64_t vaddr, const struct tide_unwind_rule *rule)
{
	struct compile *c = arg;
	uint32_t id = tide_unwind_rules_intern(c->rules, rule);

	if (vaddr >= c->end)
		return 0;
	c->info->unsupported_cnt += id == TIDE_RULE_UNSUPPORTED;
	c->info->lost_fp_cnt += rule->fp == TIDE_FP_UNKNOWN;
	return tide_unwind_packer_add(c->packer, vaddr, id);
}

static int compile_functions(struct compile *c, const struct fdes *f)
{
	uint64_t end = f->fde[0].start;
	int r;

	for (size_t i = 0; i < f->cnt; i++) {
		const struct tide_cfi_fde *fde = &f->fde[i];

		/* Two entries for the same code: the first one counts. */
		if (fde->start < end)
			continue;
		if (fde->start > end) {
			r = tide_unwind_packer_add(c->packer, end,
						   fde->start - end > MAX_PADDING
							   ? TIDE_RULE_NONE
							   : TIDE_RULE_PADDING);
			if (r)
				return r;
		}
		c->end = end = fde->end;
		c->info->fde_cnt++;
		r = tide_cfi_run(c->cfi, fde, add_row, c);
		if (r == -EBADMSG) {
			/* What its rows so far say may be wrong too, but ends here. */
			c->info->skipped_cnt++;
			continue;
		}
		if (r)
			return r;
	}
	return tide_unwind_packer_add(c->packer, end, TIDE_RULE_NONE);
}

static int compile(struct elf *e, struct tide_unwind_rules *rules, struct tide_unwind_image *ret)
{
	TIDE_CLEANUP(tide_unwind_packer_free) struct tide_unwind_packer *packer = NULL;
	TIDE_CLEANUP(fdes_done) struct fdes f = {};
	struct compile c = {.cfi = &e->cfi, .rules = rules, .info = e->info};
	uint64_t last_end = 0;
	int r = read_headers(e);

	if (r)
		return r;
	r = find_by_section(e);
	if (r == -ENODATA)
		r = find_by_header(e);
	if (r)
		return r;
	r = list_functions(e, &f);
	if (r)
		return r;
	for (size_t i = 0; i < f.cnt; i++)
		last_end = f.fde[i].end > last_end ? f.fde[i].end : last_end;
	r = tide_unwind_packer_new(f.fde[0].start, last_end, &packer);
	if (r)
		return r;
	c.packer = packer;
	r = compile_functions(&c, &f);
	if (r)
		return r;
	return tide_unwind_packer_finish(packer, ret);
}

static int compile_source(const struct source *src, struct tide_unwind_rules *rules,
			  struct tide_unwind_image *ret, struct tide_ehframe_info *info)
{
	TIDE_CLEANUP(elf_done) struct elf e = {.src = *src, .info = info};

	memset(info, 0, sizeof(*info));
	return compile(&e, rules, ret);
}

int tide_ehframe_compile_fd(int fd, struct tide_unwind_rules *rules, struct tide_unwind_image *ret,
			    struct tide_ehframe_info *info)
{
	struct source src = {.fd = fd};
	struct stat st;

	memset(info, 0, sizeof(*info));
	if (fstat(fd, &st))
		return -errno;
	src.size = st.st_size;
	return compile_source(&src, rules, ret, info);
}

int tide_ehframe_compile_mem(const void *data, size_t size, struct tide_unwind_rules *rules,
			     struct tide_unwind_image *ret, struct tide_ehframe_info *info)
{
	return compile_source(&(struct source){.fd = -1, .mem = data, .size = size}, rules, ret,
			      info);
}

int tide_ehframe_vaddr(const struct tide_ehframe_info *info, uint64_t file_off, uint64_t *ret_vaddr)
{
	for (size_t i = 0; i < info->exec_cnt; i++) {
		const struct tide_ehframe_segment *seg = &info->exec[i];
		/* The kernel maps whole pages: from the one where the segment begins. */
		uint64_t first = seg->file_off & ~4095ULL;

		if (file_off < first || file_off >= seg->file_off + seg->file_bytes)
			continue;
		*ret_vaddr = seg->vaddr - seg->file_off + file_off;
		return 0;
	}
	return -ENOENT;
}
