/* libdwfl maps the files it reads. A deployment that writes over a library in place shortens it for
 * a moment, and a page that is gone then kills its reader with SIGBUS. So the size is looked at
 * before each use, and a file that has changed is not touched again.
 */
#include "symbolize/module.h"

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <gelf.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "symbolize/debuginfod.h"
#include "symbolize/gopclntab.h"
#include "symbolize/symtab.h"
#include "symbolize/xz_size.h"

/* A file may claim that its compressed sections unfold to anything; beyond this its DWARF is
 * left alone.
 */
#define MAX_DEBUG_BYTES (4ULL << 30)
#define MAX_SEGMENTS	64
/* The same for .gnu_debugdata, which holds a symbol table and no more. */
#define MAX_MINI_BYTES (512ULL << 20)
/* Relocations among which a Go table's own is looked for. */
#define MAX_RELOCATIONS (4U << 20)

struct segment {
	uint64_t file_off, size_bytes, vaddr;
};

struct tide_name_module {
	int fd; /* the caller's */
	off_t size_bytes;
	Dwfl *dwfl;
	Dwfl_Module *mod;
	struct tide_symtab symtab;
	struct tide_dwarf *dwarf; /* NULL: the file has none */
	Dwarf_Addr dwarf_bias;
	struct tide_gopclntab go;
	bool is_go;
	bool may_fetch;
	struct segment segments[MAX_SEGMENTS]; /* executable ones */
	size_t segment_cnt;
};

static void cleanup_elf(Elf **elf)
{
	elf_end(*elf);
}

/* False when the DWARF of this file would unfold to more than we are ready to hold. */
static bool debug_size_is_sane(Elf *elf)
{
	Elf_Scn *section = NULL;
	uint64_t total_bytes = 0;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		GElf_Chdr compressed;

		if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_COMPRESSED))
			continue;
		if (!gelf_getchdr(section, &compressed))
			continue;
		if (compressed.ch_size > MAX_DEBUG_BYTES - total_bytes)
			return false;
		total_bytes += compressed.ch_size;
	}
	return true;
}

/* A debug file for that build id which is safe to read. */
static bool is_debug_file(int fd, const void *wanted, size_t wanted_len)
{
	TIDE_CLEANUP(cleanup_elf) Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const void *id;
	ssize_t len = elf ? dwelf_elf_gnu_build_id(elf, &id) : -1;

	return len > 0 && (size_t)len == wanted_len && !memcmp(id, wanted, wanted_len) &&
	       debug_size_is_sane(elf);
}

/* Opens dir/sub/name when it is a regular file with that build id. A named pipe must not hold us
 * up. 0 or more: the descriptor, its name in *ret_path.
 */
static int open_beside(const char *dir, const char *sub, const char *name, const void *build_id,
		       size_t build_id_len, char **ret_path)
{
	TIDE_AUTO_FREE char *path = NULL;
	TIDE_AUTO_FD int fd = -1;
	struct stat st;

	if (asprintf(&path, "%s/%s%s", dir, sub, name) < 0) {
		path = NULL;
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    !is_debug_file(fd, build_id, build_id_len))
		return -1;
	*ret_path = TIDE_TAKE_PTR(path);
	return TIDE_TAKE_FD(fd);
}

static int fetch_debuginfo(const unsigned char *build_id, size_t build_id_len, char **ret_path)
{
	TIDE_AUTO_FREE char *path = NULL;
	TIDE_AUTO_FD int fd = tide_debuginfod_fetch(build_id, build_id_len, &path);

	if (fd < 0 || !is_debug_file(fd, build_id, build_id_len))
		return -1;
	*ret_path = TIDE_TAKE_PTR(path);
	return TIDE_TAKE_FD(fd);
}

static int find_beside(const char *file_name, const char *debuglink_file,
		       const unsigned char *build_id, size_t build_id_len, char **ret_path)
{
	TIDE_AUTO_FREE char *dir_copy = NULL;
	const char *dir;
	int fd;

	if (!file_name || !debuglink_file || strchr(debuglink_file, '/'))
		return -1;
	dir_copy = strdup(file_name);
	if (!dir_copy)
		return -1;
	dir = dirname(dir_copy);
	fd = open_beside(dir, "", debuglink_file, build_id, build_id_len, ret_path);
	if (fd < 0)
		fd = open_beside(dir, ".debug/", debuglink_file, build_id, build_id_len, ret_path);
	return fd;
}

/* libdwfl's callback: by build id in /usr/lib/debug, else by the debug link beside the file, else,
 * only if the user asked for it, from a server. The standard callback would always ask one.
 */
static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *modname, Dwarf_Addr base,
			  const char *file_name, const char *debuglink_file,
			  GElf_Word debuglink_crc, char **ret_path)
{
	const struct tide_name_module *module = *userdata;
	const unsigned char *build_id;
	GElf_Addr build_id_addr;
	int build_id_len, fd;

	build_id_len = dwfl_module_build_id(mod, &build_id, &build_id_addr);
	if (build_id_len <= 0)
		return -1;
	fd = dwfl_build_id_find_debuginfo(mod, userdata, modname, base, file_name, debuglink_file,
					  debuglink_crc, ret_path);
	if (fd >= 0 || *ret_path)
		return fd;
	fd = find_beside(file_name, debuglink_file, build_id, build_id_len, ret_path);
	if (fd < 0 && module && module->may_fetch)
		fd = fetch_debuginfo(build_id, build_id_len, ret_path);
	return fd;
}

static int find_no_elf(Dwfl_Module *mod, void **userdata, const char *modname, Dwarf_Addr base,
		       char **ret_path, Elf **ret_elf)
{
	(void)mod, (void)userdata, (void)modname, (void)base, (void)ret_path, (void)ret_elf;
	return -1;
}

static char debuginfo_dir[] = "/usr/lib/debug";
static char *debuginfo_path = debuginfo_dir;

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_no_elf,
	.find_debuginfo = find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &debuginfo_path,
};

static void read_segments(struct tide_name_module *module, Elf *elf)
{
	size_t header_cnt = 0;

	if (elf_getphdrnum(elf, &header_cnt))
		return;
	for (size_t i = 0; i < header_cnt && module->segment_cnt < MAX_SEGMENTS; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, i, &header) || header.p_type != PT_LOAD ||
		    !(header.p_flags & PF_X))
			continue;
		module->segments[module->segment_cnt++] =
			(struct segment){header.p_offset, header.p_filesz, header.p_vaddr};
	}
}

/* A dwz file that was not found by its build id would be looked for by libdw under a path
 * which the file states, so its DWARF is given up instead.
 */
static bool lacks_dwz_file(Dwarf *dwarf)
{
	const void *build_id;
	const char *name;
	char path[PATH_MAX];
	size_t off;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &build_id);
	const unsigned char *bytes = build_id;

	if (len == 0)
		return false;
	if (len < 2 || len > 64)
		return true;
	off = snprintf(path, sizeof(path), "%s/.build-id/%02x/", debuginfo_dir, bytes[0]);
	for (ssize_t i = 1; i < len; i++)
		off += snprintf(path + off, sizeof(path) - off, "%02x", bytes[i]);
	snprintf(path + off, sizeof(path) - off, ".debug");
	return access(path, R_OK) != 0;
}

static int load_dwarf(struct tide_name_module *module, Elf *elf)
{
	Dwarf *dwarf;

	if (!debug_size_is_sane(elf))
		return 0;
	dwarf = dwfl_module_getdwarf(module->mod, &module->dwarf_bias);
	if (!dwarf || lacks_dwz_file(dwarf))
		return 0;
	return tide_dwarf_new(dwarf, &module->dwarf);
}

static Elf_Scn *find_section(Elf *elf, const char *const *names, GElf_Shdr *ret)
{
	Elf_Scn *section = NULL;
	size_t names_idx;

	if (elf_getshdrstrndx(elf, &names_idx))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *name;

		if (!gelf_getshdr(section, ret))
			continue;
		name = elf_strptr(elf, names_idx, ret->sh_name);
		for (size_t i = 0; name && names[i]; i++)
			if (!strcmp(name, names[i]))
				return section;
	}
	return NULL;
}

/* False when the symbol table within the file would unfold to more than we are ready to hold. */
static bool mini_size_is_sane(Elf *elf)
{
	static const char *const names[] = {".gnu_debugdata", NULL};
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, names, &header);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	uint64_t bytes;

	if (!section)
		return true;
	return data && tide_xz_size(data->d_buf, data->d_size, &bytes) == 0 &&
	       bytes <= MAX_MINI_BYTES;
}

/* The word that relocation puts at vaddr when the file is loaded at 0. */
static bool relocated_word(Elf *elf, uint64_t vaddr, uint64_t *ret)
{
	static const char *const names[] = {".rela.dyn", ".rela", NULL};
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, names, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	GElf_Rela rela;

	if (!data || header.sh_type != SHT_RELA)
		return false;
	for (int i = 0; i < (int)MAX_RELOCATIONS && gelf_getrela(data, i, &rela); i++)
		if (rela.r_offset == vaddr && rela.r_addend > 0) {
			*ret = rela.r_addend;
			return true;
		}
	return false;
}

/* Position independent programs have the address of the code relocated into the table, and newer
 * linkers leave it out. Then it is where .text begins, unless C code was linked before Go's.
 */
static void load_go(struct tide_name_module *module, Elf *elf)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab", NULL};
	static const char *const text_names[] = {".text", NULL};
	GElf_Shdr header, text;
	Elf_Scn *section = find_section(elf, names, &header);
	Elf_Data *data;

	if (!section || header.sh_type != SHT_PROGBITS || header.sh_flags & SHF_COMPRESSED)
		return;
	data = elf_rawdata(section, NULL);
	if (!data || tide_gopclntab_init(&module->go, data->d_buf, data->d_size) < 0)
		return;
	module->is_go = true;
	if (module->go.text_known ||
	    relocated_word(elf, header.sh_addr + TIDE_GOPCLNTAB_TEXT_OFF, &module->go.text_vaddr))
		return;
	if (find_section(elf, text_names, &text))
		module->go.text_vaddr = text.sh_addr;
	else
		module->is_go = false;
}

static int load(struct tide_name_module *module, const char *path, int fd)
{
	TIDE_AUTO_FD int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct stat st;
	void **userdata;
	GElf_Addr bias;
	Elf *elf;
	int r;

	if (own_fd < 0 || fstat(fd, &st))
		return -errno;
	module->fd = fd;
	module->size_bytes = st.st_size;
	module->dwfl = dwfl_begin(&callbacks);
	if (!module->dwfl)
		return -ENOMEM;
	dwfl_report_begin(module->dwfl);
	module->mod = dwfl_report_elf(module->dwfl, path, path, own_fd, 0, true);
	if (!module->mod)
		return -ENOEXEC;
	(void)TIDE_TAKE_FD(own_fd); /* libdwfl's from here on */
	if (dwfl_module_info(module->mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
		*userdata = module;
	if (dwfl_report_end(module->dwfl, NULL, NULL))
		return -ENOEXEC;
	elf = dwfl_module_getelf(module->mod, &bias);
	if (!elf)
		return -ENOEXEC;
	read_segments(module, elf);
	load_go(module, elf);
	r = load_dwarf(module, elf);
	if (r < 0 || !mini_size_is_sane(elf))
		return r;
	return tide_symtab_init(&module->symtab, module->mod);
}

int tide_name_module_new(const char *path, int fd, bool may_fetch, struct tide_name_module **ret)
{
	struct tide_name_module *module = calloc(1, sizeof(*module));
	int r;

	if (!module)
		return -ENOMEM;
	module->may_fetch = may_fetch;
	r = load(module, path, fd);
	if (r < 0) {
		tide_debug("%s: no names: %s", path,
			   r == -ENOEXEC ? dwfl_errmsg(-1) : strerror(-r));
		tide_name_module_free(&module);
		return r;
	}
	*ret = module;
	return 0;
}

void tide_name_module_free(struct tide_name_module **module)
{
	struct tide_name_module *gone = *module;

	if (!gone)
		return;
	tide_dwarf_free(&gone->dwarf);
	tide_symtab_done(&gone->symtab);
	if (gone->dwfl)
		dwfl_end(gone->dwfl);
	free(gone);
	*module = NULL;
}

static bool vaddr_of(const struct tide_name_module *module, uint64_t file_off, uint64_t *ret)
{
	for (size_t i = 0; i < module->segment_cnt; i++) {
		const struct segment *segment = &module->segments[i];

		if (file_off >= segment->file_off &&
		    file_off - segment->file_off < segment->size_bytes) {
			*ret = segment->vaddr + (file_off - segment->file_off);
			return true;
		}
	}
	return false;
}

static bool is_unchanged(const struct tide_name_module *module)
{
	struct stat st;

	return !fstat(module->fd, &st) && st.st_size == module->size_bytes;
}

/* What neither DWARF nor the symbol table knew. */
static void find_in_go(const struct tide_name_module *module, uint64_t vaddr,
		       struct tide_dwarf_level *physical)
{
	struct tide_gopclntab_name found;

	if (!module->is_go || (physical->name && physical->file) ||
	    !tide_gopclntab_find(&module->go, vaddr, &found))
		return;
	if (!physical->name)
		physical->name = found.function;
	if (!physical->file) {
		physical->file = found.file;
		physical->line = found.line;
	}
}

size_t tide_name_module_find(struct tide_name_module *module, uint64_t file_off,
			     struct tide_dwarf_level *ret, size_t max_cnt)
{
	uint64_t vaddr;
	size_t cnt = 0;

	if (!vaddr_of(module, file_off, &vaddr) || !is_unchanged(module))
		return 0;
	if (module->dwarf)
		cnt = tide_dwarf_find(module->dwarf, vaddr - module->dwarf_bias, ret, max_cnt);
	if (!cnt) {
		ret[0] = (struct tide_dwarf_level){0};
		cnt = 1;
	}
	if (!ret[cnt - 1].name)
		ret[cnt - 1].name = tide_symtab_find(&module->symtab, vaddr);
	find_in_go(module, vaddr, &ret[cnt - 1]);
	return ret[cnt - 1].name || ret[0].file ? cnt : 0;
}
