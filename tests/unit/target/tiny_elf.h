/* A small but complete ELF file to be bent by tests: a shared library's headers, notes, dynamic
 * section and both symbol tables, as one structure.
 *
 *	LOAD r-x  file 0..end of text    at TINY_TEXT_VADDR
 *	LOAD rw-  the same bytes         at TINY_DATA_VADDR
 */
#ifndef TIDE_UNIT_TARGET_TINY_ELF_H
#define TIDE_UNIT_TARGET_TINY_ELF_H

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/test.h"

#define TINY_TEXT_VADDR 0x400000ul
#define TINY_DATA_VADDR 0x900000ul
#define TINY_SYMS	8

enum {
	TINY_SH_NULL,
	TINY_SH_DYNSYM,
	TINY_SH_DYNSTR,
	TINY_SH_VERSYM,
	TINY_SH_SYMTAB,
	TINY_SH_STRTAB,
	TINY_SH_SHSTRTAB,
	TINY_SH_GO,
	TINY_SH_CNT,
};

struct tiny_elf {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[4];
	struct {
		Elf64_Nhdr head;
		char name[4];
		unsigned char desc[20];
	} note;
	Elf64_Dyn dyn[3];
	Elf64_Sym dynsym[TINY_SYMS], symtab[TINY_SYMS];
	uint16_t versym[TINY_SYMS];
	char dynstr[96], strtab[96], shstrtab[64];
	unsigned char text[64];
	Elf64_Shdr sh[TINY_SH_CNT];
};

#define TINY_OFF(member) offsetof(struct tiny_elf, member)

static inline void tiny_section(struct tiny_elf *e, int idx, uint32_t type, size_t off, size_t sz)
{
	e->sh[idx].sh_type = type;
	e->sh[idx].sh_offset = off;
	e->sh[idx].sh_size = sz;
}

static inline void tiny_headers(struct tiny_elf *e)
{
	memcpy(e->eh.e_ident, ELFMAG, SELFMAG);
	e->eh.e_ident[EI_CLASS] = ELFCLASS64;
	e->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	e->eh.e_ident[EI_VERSION] = EV_CURRENT;
	e->eh.e_type = ET_DYN;
	e->eh.e_machine = EM_X86_64;
	e->eh.e_phoff = TINY_OFF(ph);
	e->eh.e_phentsize = sizeof(Elf64_Phdr);
	e->eh.e_phnum = 4;
	e->eh.e_shoff = TINY_OFF(sh);
	e->eh.e_shentsize = sizeof(Elf64_Shdr);
	e->eh.e_shnum = TINY_SH_CNT;
	e->eh.e_shstrndx = TINY_SH_SHSTRTAB;
	e->ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_vaddr = TINY_TEXT_VADDR,
				.p_filesz = TINY_OFF(sh),
				.p_memsz = TINY_OFF(sh)};
	e->ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_flags = PF_R | PF_W,
				.p_vaddr = TINY_DATA_VADDR,
				.p_filesz = TINY_OFF(sh),
				.p_memsz = TINY_OFF(sh) + 4096};
	e->ph[2] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = TINY_OFF(note), .p_filesz = sizeof(e->note)};
	e->ph[3] = (Elf64_Phdr){
		.p_type = PT_DYNAMIC, .p_offset = TINY_OFF(dyn), .p_filesz = sizeof(e->dyn)};
}

static inline void tiny_sections(struct tiny_elf *e)
{
	tiny_section(e, TINY_SH_DYNSYM, SHT_DYNSYM, TINY_OFF(dynsym), sizeof(e->dynsym));
	tiny_section(e, TINY_SH_DYNSTR, SHT_STRTAB, TINY_OFF(dynstr), sizeof(e->dynstr));
	tiny_section(e, TINY_SH_VERSYM, SHT_GNU_versym, TINY_OFF(versym), sizeof(e->versym));
	tiny_section(e, TINY_SH_SYMTAB, SHT_SYMTAB, TINY_OFF(symtab), sizeof(e->symtab));
	tiny_section(e, TINY_SH_STRTAB, SHT_STRTAB, TINY_OFF(strtab), sizeof(e->strtab));
	tiny_section(e, TINY_SH_SHSTRTAB, SHT_STRTAB, TINY_OFF(shstrtab), sizeof(e->shstrtab));
	tiny_section(e, TINY_SH_GO, SHT_PROGBITS, TINY_OFF(text), 1);
	e->sh[TINY_SH_DYNSYM].sh_entsize = sizeof(Elf64_Sym);
	e->sh[TINY_SH_DYNSYM].sh_link = TINY_SH_DYNSTR;
	e->sh[TINY_SH_SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	e->sh[TINY_SH_SYMTAB].sh_link = TINY_SH_STRTAB;
	e->sh[TINY_SH_GO].sh_name = 1;
	memcpy(e->shstrtab, "\0.data", 7);
}

static inline void tiny_elf_init(struct tiny_elf *e)
{
	memset(e, 0, sizeof(*e));
	tiny_headers(e);
	tiny_sections(e);
	e->note.head = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};
	memcpy(e->note.name, "GNU", 4);
	memset(e->note.desc, 0xa5, sizeof(e->note.desc));
	e->dyn[0] =
		(Elf64_Dyn){.d_tag = DT_STRTAB, .d_un.d_ptr = TINY_DATA_VADDR + TINY_OFF(dynstr)};
	e->dyn[1] = (Elf64_Dyn){.d_tag = DT_SONAME, .d_un.d_val = 1};
	memcpy(e->dynstr, "\0libtiny.so.1", 14);
	for (int i = 0; i < TINY_SYMS; i++)
		e->versym[i] = 1;
}

/* Appends a name behind the last one of a string table; its offset. */
static inline uint32_t tiny_string(char *table, size_t table_sz, const char *name)
{
	size_t at = table_sz;

	while (at > 0 && table[at - 1] == '\0')
		at--;
	at++;
	assert_true(at + strlen(name) < table_sz);
	strcpy(table + at, name);
	return (uint32_t)at;
}

/* A function at text + off, global and in .text unless the caller changes the entry. */
static inline Elf64_Sym tiny_fn(uint32_t name, uint64_t off)
{
	return (Elf64_Sym){.st_name = name,
			   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			   .st_shndx = 1,
			   .st_size = 8,
			   .st_value = TINY_TEXT_VADDR + TINY_OFF(text) + off};
}

static inline int tiny_file(const void *bytes, size_t len)
{
	int fd = memfd_create("tiny-elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), (ssize_t)len);
	return fd;
}

#endif
