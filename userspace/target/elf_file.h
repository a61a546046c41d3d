/* The headers of one ELF64 little-endian file, checked against its size. For elf*.c only.
 *
 * Owns: the program header table. Never: keeps the descriptor. Threads: one user at a time.
 * Memory: ELF_FILE_MAX_PHDRS program headers.
 */
#ifndef TIDE_TARGET_ELF_FILE_H
#define TIDE_TARGET_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_FILE_MAX_PHDRS    1024
#define ELF_FILE_MAX_SECTIONS 65536

struct elf_file {
	int fd;
	uint64_t size_bytes;
	bool readable; /* 64-bit little-endian: the rest is filled */
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdrs;
	size_t phdr_cnt;
	uint64_t shdr_cnt;
};

/* 0, -ENOEXEC, -EBADMSG or -errno. */
int tide_elf_file_open(int fd, struct elf_file *ret);
void tide_elf_file_done(struct elf_file *file);
/* Exactly len bytes at off, or -EBADMSG when they are not all in the file. */
int tide_elf_file_read(const struct elf_file *file, uint64_t off, void *buf, size_t len);
/* The string at off as far as it fits, always terminated; -EBADMSG when it is not in the file. */
int tide_elf_file_read_string(const struct elf_file *file, uint64_t off, char *buf, size_t buf_sz);
int tide_elf_file_read_section(const struct elf_file *file, uint64_t idx, Elf64_Shdr *ret);
/* The file offset behind a virtual address, in a segment that has all of flags. 0 or -ENOENT. */
int tide_elf_file_offset_of(const struct elf_file *file, uint64_t vaddr, uint32_t flags,
			    uint64_t *ret_off);

#endif
