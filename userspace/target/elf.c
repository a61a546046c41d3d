#include "target/elf.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "target/elf_file.h"

/* Real ones: a few dozen entries; a note segment holds a handful of notes. */
#define MAX_DYNAMIC_ENTRIES 4096
#define MAX_NOTE_BYTES	    (64 * 1024)

static void done_file(struct elf_file *file)
{
	tide_elf_file_done(file);
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~3ULL;
}

static void format_hex(const unsigned char *bytes, size_t len, char *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

/* Looks through the notes of buf for GNU's build id. elf(5): name and descriptor are each padded
 * to four bytes. An id that does not fit (ld accepts any length) is left out.
 */
static void find_build_id(const unsigned char *buf, size_t len, struct tide_elf_info *info)
{
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name_sz, desc_sz;

		memcpy(&note, buf + at, sizeof(note));
		at += sizeof(note);
		name_sz = align4(note.n_namesz);
		desc_sz = align4(note.n_descsz);
		if (name_sz > len - at || note.n_descsz > len - at - name_sz)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    !memcmp(buf + at, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) &&
		    note.n_descsz * 2 < sizeof(info->build_id)) {
			format_hex(buf + at + name_sz, note.n_descsz, info->build_id);
			return;
		}
		if (desc_sz > len - at - name_sz)
			return;
		at += name_sz + desc_sz;
	}
}

static int read_notes(const struct elf_file *file, const Elf64_Phdr *ph, struct tide_elf_info *info)
{
	TIDE_AUTO_FREE unsigned char *buf = NULL;
	size_t len = ph->p_filesz < MAX_NOTE_BYTES ? (size_t)ph->p_filesz : MAX_NOTE_BYTES;
	int r;

	if (len == 0 || info->build_id[0])
		return 0;
	buf = malloc(len);
	if (!buf)
		return -ENOMEM;
	r = tide_elf_file_read(file, ph->p_offset, buf, len);
	if (r == 0)
		find_build_id(buf, len, info);
	return r;
}

static int read_soname(const struct elf_file *file, const Elf64_Phdr *ph,
		       struct tide_elf_info *info)
{
	uint64_t cnt = ph->p_filesz / sizeof(Elf64_Dyn), name = 0, strtab = 0, strtab_off, off;
	bool found = false;

	for (uint64_t i = 0; i < cnt && i < MAX_DYNAMIC_ENTRIES; i++) {
		Elf64_Dyn dyn;

		if (__builtin_add_overflow(ph->p_offset, i * sizeof(dyn), &off))
			return -EBADMSG;
		if (tide_elf_file_read(file, off, &dyn, sizeof(dyn)) < 0)
			return -EBADMSG;
		if (dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag == DT_SONAME) {
			name = dyn.d_un.d_val;
			found = true;
		} else if (dyn.d_tag == DT_STRTAB) {
			strtab = dyn.d_un.d_ptr;
		}
	}
	if (!found)
		return 0;
	if (tide_elf_file_offset_of(file, strtab, 0, &strtab_off) < 0 ||
	    __builtin_add_overflow(strtab_off, name, &off))
		return -EBADMSG;
	return tide_elf_file_read_string(file, off, info->soname, sizeof(info->soname));
}

static int read_segments(const struct elf_file *file, struct tide_elf_info *info)
{
	int r = 0;

	for (size_t i = 0; i < file->phdr_cnt && r == 0; i++) {
		const Elf64_Phdr *ph = &file->phdrs[i];

		if (ph->p_type == PT_INTERP)
			info->has_interp = true;
		else if (ph->p_type == PT_NOTE)
			r = read_notes(file, ph, info);
		else if (ph->p_type == PT_DYNAMIC)
			r = read_soname(file, ph, info);
	}
	return r;
}

static int examine_section(const struct elf_file *file, const Elf64_Shdr *sh,
			   const Elf64_Shdr *names, struct tide_elf_info *info)
{
	char name[32];
	uint64_t off;
	int r;

	if (sh->sh_type == SHT_SYMTAB)
		info->has_symtab = true;
	if (sh->sh_type == SHT_DYNSYM)
		info->has_dynsym = true;
	/* The Go linker's sections hold data: the name is only read where it can be one. */
	if (sh->sh_type != SHT_PROGBITS || info->is_go)
		return 0;
	if (sh->sh_name >= names->sh_size ||
	    __builtin_add_overflow(names->sh_offset, sh->sh_name, &off))
		return -EBADMSG;
	r = tide_elf_file_read_string(file, off, name, sizeof(name));
	if (r < 0)
		return r;
	info->is_go = !strcmp(name, ".go.buildinfo") || !strcmp(name, ".gopclntab");
	return 0;
}

static int read_sections(const struct elf_file *file, struct tide_elf_info *info)
{
	uint64_t names_idx = file->ehdr.e_shstrndx;
	Elf64_Shdr names = {}, sh;
	int r;

	if (file->shdr_cnt == 0)
		return 0;
	if (names_idx == SHN_XINDEX) {
		r = tide_elf_file_read_section(file, 0, &sh);
		if (r < 0)
			return r;
		names_idx = sh.sh_link;
	}
	r = tide_elf_file_read_section(file, names_idx, &names);
	for (uint64_t i = 1; i < file->shdr_cnt && r == 0; i++) {
		r = tide_elf_file_read_section(file, i, &sh);
		if (r == 0)
			r = examine_section(file, &sh, &names, info);
	}
	return r;
}

int tide_elf_read_info(int fd, struct tide_elf_info *ret)
{
	TIDE_CLEANUP(done_file) struct elf_file file = {};
	struct tide_elf_info info = {};
	int r = tide_elf_file_open(fd, &file);

	if (r < 0)
		return r;
	info.is_64 = file.ehdr.e_ident[EI_CLASS] == ELFCLASS64;
	if (file.readable) {
		info.is_x86_64 = file.ehdr.e_machine == EM_X86_64;
		info.is_pie_or_dso = file.ehdr.e_type == ET_DYN;
		r = read_segments(&file, &info);
		if (r == 0)
			r = read_sections(&file, &info);
	}
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

int tide_elf_read_loads(int fd, struct tide_elf_load *ret, size_t max)
{
	TIDE_CLEANUP(done_file) struct elf_file file = {};
	size_t cnt = 0;
	int r = tide_elf_file_open(fd, &file);

	if (r < 0)
		return r;
	for (size_t i = 0; i < file.phdr_cnt && cnt < max; i++) {
		const Elf64_Phdr *ph = &file.phdrs[i];

		if (ph->p_type != PT_LOAD)
			continue;
		ret[cnt++] = (struct tide_elf_load){
			.vaddr = ph->p_vaddr,
			.file_off = ph->p_offset,
			.file_bytes = ph->p_filesz,
			.mem_bytes = ph->p_memsz,
			.exec = ph->p_flags & PF_X,
		};
	}
	return (int)cnt;
}
