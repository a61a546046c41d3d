#include "target/elf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tide_elf_file_read(const struct elf_file *file, uint64_t off, void *buf, size_t len)
{
	char *to = buf;

	if (off > file->size_bytes || len > file->size_bytes - off)
		return -EBADMSG;
	while (len > 0) {
		ssize_t got = pread(file->fd, to, len, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		to += got;
		off += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
}

int tide_elf_file_read_string(const struct elf_file *file, uint64_t off, char *buf, size_t buf_sz)
{
	size_t len = buf_sz - 1;
	int r;

	if (off >= file->size_bytes)
		return -EBADMSG;
	if (len > file->size_bytes - off)
		len = (size_t)(file->size_bytes - off);
	r = tide_elf_file_read(file, off, buf, len);
	if (r < 0)
		return r;
	buf[len] = '\0';
	return 0;
}

int tide_elf_file_read_section(const struct elf_file *file, uint64_t idx, Elf64_Shdr *ret)
{
	if (idx >= file->shdr_cnt)
		return -EBADMSG;
	return tide_elf_file_read(file, file->ehdr.e_shoff + idx * sizeof(*ret), ret, sizeof(*ret));
}

/* "readable" decides what is understood beyond the identification bytes. */
static int read_ident(struct elf_file *file)
{
	unsigned char *ident = file->ehdr.e_ident;

	if (file->size_bytes < SELFMAG)
		return -ENOEXEC;
	if (tide_elf_file_read(file, 0, ident, SELFMAG) < 0 || memcmp(ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	if (tide_elf_file_read(file, 0, ident, EI_NIDENT) < 0)
		return -EBADMSG;
	file->readable = ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == ELFDATA2LSB;
	return 0;
}

static int read_phdrs(struct elf_file *file)
{
	size_t cnt = file->ehdr.e_phnum;
	int r;

	if (cnt == 0 || file->ehdr.e_phoff == 0)
		return 0;
	if (file->ehdr.e_phentsize != sizeof(Elf64_Phdr) || cnt > ELF_FILE_MAX_PHDRS)
		return -EBADMSG;
	file->phdrs = calloc(cnt, sizeof(*file->phdrs));
	if (!file->phdrs)
		return -ENOMEM;
	r = tide_elf_file_read(file, file->ehdr.e_phoff, file->phdrs, cnt * sizeof(*file->phdrs));
	if (r < 0)
		return r;
	file->phdr_cnt = cnt;
	return 0;
}

static int count_sections(struct elf_file *file)
{
	uint64_t cnt = file->ehdr.e_shnum, off = file->ehdr.e_shoff;
	Elf64_Shdr first;
	int r;

	if (off == 0)
		return 0;
	if (file->ehdr.e_shentsize != sizeof(Elf64_Shdr))
		return -EBADMSG;
	if (cnt == 0) {
		/* gABI: from SHN_LORESERVE sections on, the count is the first section's size. */
		r = tide_elf_file_read(file, off, &first, sizeof(first));
		if (r < 0)
			return r;
		cnt = first.sh_size;
	}
	if (cnt > ELF_FILE_MAX_SECTIONS || off > file->size_bytes ||
	    cnt * sizeof(Elf64_Shdr) > file->size_bytes - off)
		return -EBADMSG;
	file->shdr_cnt = cnt;
	return 0;
}

int tide_elf_file_open(int fd, struct elf_file *ret)
{
	struct elf_file file = {.fd = fd};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	file.size_bytes = (uint64_t)st.st_size;
	r = read_ident(&file);
	if (r < 0)
		return r;
	/* e_type and e_machine lie at the same place in either class. */
	if (!file.readable) {
		r = tide_elf_file_read(&file, 0, &file.ehdr, EI_NIDENT + 2 * sizeof(Elf64_Half));
		if (r == 0)
			*ret = file;
		return r;
	}
	r = tide_elf_file_read(&file, 0, &file.ehdr, sizeof(file.ehdr));
	if (r == 0)
		r = read_phdrs(&file);
	if (r == 0)
		r = count_sections(&file);
	if (r < 0) {
		tide_elf_file_done(&file);
		return r;
	}
	*ret = file;
	return 0;
}

void tide_elf_file_done(struct elf_file *file)
{
	free(file->phdrs);
	file->phdrs = NULL;
	file->phdr_cnt = 0;
}

int tide_elf_file_offset_of(const struct elf_file *file, uint64_t vaddr, uint32_t flags,
			    uint64_t *ret_off)
{
	for (size_t i = 0; i < file->phdr_cnt; i++) {
		const Elf64_Phdr *ph = &file->phdrs[i];
		uint64_t off;

		if (ph->p_type != PT_LOAD || (ph->p_flags & flags) != flags)
			continue;
		if (vaddr < ph->p_vaddr || vaddr - ph->p_vaddr >= ph->p_filesz)
			continue;
		if (__builtin_add_overflow(ph->p_offset, vaddr - ph->p_vaddr, &off) ||
		    off >= file->size_bytes)
			continue;
		*ret_off = off;
		return 0;
	}
	return -ENOENT;
}
