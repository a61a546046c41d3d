/* A whole ELF file. One descriptor serves all runs: the file is written over. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_result(int r, int max)
{
	if (r > max || (r < 0 && r != -EBADMSG && r != -ENOEXEC && r != -ENOMEM))
		abort();
}

static void check_info(int fd)
{
	struct tide_elf_info info;
	int r = tide_elf_read_info(fd, &info);

	check_result(r, 0);
	if (r == 0 && (strlen(info.soname) >= sizeof(info.soname) ||
		       strlen(info.build_id) >= sizeof(info.build_id)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"malloc", "free", "a"};
	static int fd = -1;
	struct tide_elf_symbol found[3];
	struct tide_elf_load loads[4];

	if (fd < 0)
		fd = memfd_create("elf", MFD_CLOEXEC);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	check_info(fd);
	check_result(tide_elf_read_loads(fd, loads, 4), 4);
	check_result(tide_elf_find_symbols(fd, names, 3, found), 3);
	for (int i = 0; i < 3; i++)
		if (found[i].file_off > size)
			abort();
	return 0;
}
