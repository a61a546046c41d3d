#include "target/maps.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "child.h"
#include "target/module_open.h"
#include "tiny_elf.h"

struct fixture {
	struct tide_proc proc;
	struct tide_modules *mods;
};

static void setup(struct fixture *fx)
{
	int err;

	assert_int_equal(tide_proc_open(getpid(), &fx->proc, &err), TIDE_PROC_OK);
	assert_ok(tide_modules_new(&fx->mods));
	assert_true(tide_modules_update(fx->mods, &fx->proc) > 0);
}

static void teardown(struct fixture *fx)
{
	tide_modules_free(&fx->mods);
	assert_null(fx->mods);
	tide_modules_free(&fx->mods);
	tide_proc_close(&fx->proc);
}

static int compare_phdr(struct dl_phdr_info *info, size_t sz, void *ctx)
{
	const struct tide_modules *mods = ctx;
	const struct tide_range *range = NULL;
	uint64_t off, bias, base;

	(void)sz;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t addr = info->dlpi_addr + ph->p_vaddr + ph->p_filesz / 2;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		range = tide_modules_find(mods, addr, &off);
		assert_non_null(range);
		assert_int_equal(off, ph->p_offset + ph->p_filesz / 2);
	}
	assert_non_null(range);
	assert_ok(tide_modules_bias(mods, range->module_id, &bias));
	assert_true(bias == info->dlpi_addr);
	assert_ok(tide_modules_base(mods, range->module_id, &base));
	/* The libraries of today are linked to 0. */
	if (info->dlpi_phdr[0].p_type != PT_PHDR && info->dlpi_name[0])
		assert_true(base == info->dlpi_addr);
	return 0;
}

/* The dynamic linker knows the same of every object, the vDSO among them. */
static void agrees_with_the_dynamic_linker(void **state)
{
	struct fixture fx;

	(void)state;
	setup(&fx);
	dl_iterate_phdr(compare_phdr, fx.mods);
	assert_false(tide_modules_incomplete(fx.mods));
	teardown(&fx);
}

static void knows_the_executable(void **state)
{
	const struct tide_module *module;
	struct stat exe, st;
	struct fixture fx;
	uint64_t off;
	uint32_t id;

	(void)state;
	setup(&fx);
	assert_ok(tide_modules_main(fx.mods, &id));
	module = tide_modules_get(fx.mods, id);
	assert_string_equal(module->path, fx.proc.exe);
	assert_ok(stat("/proc/self/exe", &exe));
	assert_ok(fstat(module->fd, &st));
	assert_true(st.st_ino == exe.st_ino && module->inode == exe.st_ino);
	assert_true(fcntl(module->fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(tide_modules_find(fx.mods, (uintptr_t)setup, &off)->module_id, id);
	teardown(&fx);
}

static void unknown_places_and_ids(void **state)
{
	struct fixture fx;
	uint64_t value;
	uint32_t id;
	char on_stack;

	(void)state;
	setup(&fx);
	assert_null(tide_modules_find(fx.mods, 0, &value));
	assert_null(tide_modules_find(fx.mods, UINT64_MAX, &value));
	assert_null(tide_modules_find(fx.mods, (uintptr_t)&on_stack, &value));
	id = (uint32_t)tide_modules_cnt(fx.mods);
	assert_null(tide_modules_get(fx.mods, id));
	assert_errno(tide_modules_bias(fx.mods, id, &value), ENOENT);
	assert_errno(tide_modules_base(fx.mods, id, &value), ENOENT);
	assert_errno(tide_modules_bias(fx.mods, UINT32_MAX, &value), ENOENT);
	teardown(&fx);
}

static void a_second_look_adds_nothing(void **state)
{
	struct fixture fx;
	size_t cnt;

	(void)state;
	setup(&fx);
	cnt = tide_modules_cnt(fx.mods);
	assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 0);
	assert_int_equal(tide_modules_cnt(fx.mods), cnt);
	for (uint32_t id = 0; id < cnt; id++)
		assert_int_equal(tide_modules_get(fx.mods, id)->id, id);
	teardown(&fx);
}

/* Copies the library that defines cmocka's runner; *ret_path is for unlink(). */
static void copy_library(const struct tide_modules *mods, char *ret_path, size_t path_sz)
{
	const struct tide_range *range;
	TIDE_AUTO_FD int to = -1;
	struct stat st;
	uint64_t off;
	off_t at = 0;
	int from;

	range = tide_modules_find(mods, (uintptr_t)dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests"),
				  &off);
	assert_non_null(range);
	from = tide_modules_get(mods, range->module_id)->fd;
	snprintf(ret_path, path_sz, "/tmp/tidemark-modules-%d b\nc.so", getpid());
	to = open(ret_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(to >= 0);
	assert_ok(fstat(from, &st));
	while (at < st.st_size)
		assert_true(copy_file_range(from, &at, to, NULL, (size_t)(st.st_size - at), 0) > 0);
}

static void a_deleted_library_is_found_and_outlives_its_dlclose(void **state)
{
	const struct tide_module *module;
	const struct tide_range *range;
	struct fixture fx;
	char path[128];
	void *handle, *fn;
	uint64_t off, off_after;
	struct stat st;
	uint32_t id;

	(void)state;
	need_root();
	setup(&fx);
	copy_library(fx.mods, path, sizeof(path));
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_ok(unlink(path));
	assert_non_null(handle);
	fn = dlsym(handle, "_cmocka_run_group_tests");
	assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 1);
	range = tide_modules_find(fx.mods, (uintptr_t)fn, &off);
	assert_non_null(range);
	id = range->module_id;
	module = tide_modules_get(fx.mods, id);
	assert_true(module->deleted);
	assert_string_equal(module->path, path);
	assert_true(module->fd >= 0);
	assert_ok(fstat(module->fd, &st));
	assert_int_equal(st.st_nlink, 0);

	assert_ok(dlclose(handle));
	assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 0);
	range = tide_modules_find(fx.mods, (uintptr_t)fn, &off_after);
	assert_true(range && range->module_id == id && off_after == off);
	teardown(&fx);
}

static void what_replaces_an_unmapped_library_wins(void **state)
{
	struct fixture fx;
	uint64_t off;
	void *handle, *fn;
	char path[128];
	uint32_t first_id;

	(void)state;
	need_root();
	setup(&fx);
	copy_library(fx.mods, path, sizeof(path));
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_ok(unlink(path));
	fn = dlsym(handle, "_cmocka_run_group_tests");
	assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 1);
	first_id = tide_modules_find(fx.mods, (uintptr_t)fn, &off)->module_id;
	assert_ok(dlclose(handle));
	copy_library(fx.mods, path, sizeof(path));
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_ok(unlink(path));
	fn = dlsym(handle, "_cmocka_run_group_tests");
	assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 1);
	assert_int_not_equal(tide_modules_find(fx.mods, (uintptr_t)fn, &off)->module_id, first_id);
	dlclose(handle);
	teardown(&fx);
}

/* A code cache kept in a file is executable, but nothing that has symbols or a build id. */
static void mapped_files_that_are_no_elf_are_left_out(void **state)
{
	int fd = memfd_create("code", MFD_CLOEXEC);
	struct fixture fx;
	uint64_t off;
	void *at;

	(void)state;
	/* To look into a file without a name. */
	need_root();
	setup(&fx);
	assert_ok(ftruncate(fd, 4096));
	at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 0);
		assert_null(tide_modules_find(fx.mods, (uintptr_t)at, &off));
	}
	assert_false(tide_modules_incomplete(fx.mods));
	munmap(at, 4096);
	close(fd);
	teardown(&fx);
}

/* A segment whose addresses are not its offsets in the file. */
static void bias_takes_offset_and_address_into_account(void **state)
{
	uint64_t off, bias, base;
	struct fixture fx;
	struct tiny_elf e;
	uint32_t id;
	void *at;
	int fd;

	(void)state;
	need_root();
	tiny_elf_init(&e);
	setup(&fx);
	fd = tiny_file(&e, sizeof(e));
	at = mmap(NULL, sizeof(e), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(tide_modules_update(fx.mods, &fx.proc), 1);
	id = tide_modules_find(fx.mods, (uintptr_t)at, &off)->module_id;
	assert_string_equal(tide_modules_get(fx.mods, id)->build_id,
			    "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
	assert_ok(tide_modules_bias(fx.mods, id, &bias));
	assert_true(bias == (uintptr_t)at - TINY_TEXT_VADDR);
	assert_ok(tide_modules_base(fx.mods, id, &base));
	assert_true(base == (uintptr_t)at);
	munmap(at, sizeof(e));
	close(fd);
	teardown(&fx);
}

static void mapping_of(const char *path, struct tide_mapping *ret)
{
	struct stat st;

	assert_ok(stat(path, &st));
	*ret = (struct tide_mapping){.start = 4096,
				     .end = 8192,
				     .inode = st.st_ino,
				     .dev_major = major(st.st_dev),
				     .dev_minor = minor(st.st_dev),
				     .exec = true};
}

/* A container's own links, absolute and relative, that would lead to the host's files. */
static void paths_stay_inside_the_root(void **state)
{
	char root[] = "/tmp/tidemark-root-XXXXXX", link[64];
	struct tide_proc proc = {.tgid = getpid(), .pidfd = -1};
	struct tide_mapping m;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(link, sizeof(link), "%s/tidemark-link", root);
	assert_ok(symlink("/bin/sh", link));
	mapping_of("/bin/sh", &m);
	proc.root_fd = open(root, O_PATH | O_CLOEXEC);
	assert_true(tide_module_open(&proc, getpid(), &m, "/tidemark-link") < 0);
	assert_true(tide_module_open(&proc, getpid(), &m, "tidemark-link") < 0);
	assert_true(tide_module_open(&proc, getpid(), &m, "/bin/sh") < 0);
	assert_true(tide_module_open(&proc, getpid(), &m, "../../../../bin/sh") < 0);
	close(proc.root_fd);
	/* The magic links of /proc lead anywhere. */
	proc.root_fd = open("/", O_PATH | O_CLOEXEC);
	mapping_of("/proc/self/exe", &m);
	assert_true(tide_module_open(&proc, getpid(), &m, "/proc/self/exe") < 0);
	close(proc.root_fd);
	unlink(link);
	rmdir(root);
}

static void another_file_of_the_same_name_is_not_taken(void **state)
{
	struct tide_proc proc = {.tgid = getpid(), .pidfd = -1};
	struct tide_mapping m;
	int fd;

	(void)state;
	proc.root_fd = open("/", O_PATH | O_CLOEXEC);
	mapping_of("/bin/sh", &m);
	fd = tide_module_open(&proc, getpid(), &m, "/bin/sh");
	assert_true(fd >= 0);
	close(fd);
	/* Only the device differs, as on overlayfs and btrfs. */
	m.dev_minor++;
	fd = tide_module_open(&proc, getpid(), &m, "/bin/sh");
	assert_true(fd >= 0);
	close(fd);
	m.inode++;
	assert_true(tide_module_open(&proc, getpid(), &m, "/bin/sh") < 0);
	close(proc.root_fd);
}

static void devices_and_fifos_are_not_opened(void **state)
{
	struct tide_proc proc = {.tgid = getpid(), .pidfd = -1};
	struct tide_mapping m;
	char fifo[64];

	(void)state;
	proc.root_fd = open("/", O_PATH | O_CLOEXEC);
	snprintf(fifo, sizeof(fifo), "/tmp/tidemark-fifo-%d", getpid());
	assert_ok(mkfifo(fifo, 0600));
	mapping_of(fifo, &m);
	/* Opening it for reading would wait for a writer. */
	assert_errno(tide_module_open(&proc, getpid(), &m, fifo), ENOEXEC);
	unlink(fifo);
	mapping_of("/dev/zero", &m);
	assert_errno(tide_module_open(&proc, getpid(), &m, "/dev/zero"), ENOEXEC);
	close(proc.root_fd);
}

static void become_cat(void *arg)
{
	(void)arg;
	/* Says that it is ready only by being cat: the pipe's end closes with the exec. */
	fcntl(child_ready_fd, F_SETFD, FD_CLOEXEC);
	execl("/bin/cat", "cat", "/dev/zero", NULL);
	_exit(127);
}

static pid_t start_cat(int *ret_stdout)
{
	int ready[2], out[2];
	pid_t tgid;
	char c;

	assert_ok(pipe(ready));
	assert_ok(pipe(out));
	tgid = fork();
	if (tgid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		close(ready[0]);
		child_ready_fd = ready[1];
		become_cat(NULL);
	}
	close(ready[1]);
	close(out[1]);
	assert_int_equal(read(ready[0], &c, 1), 0);
	/* Its first output: the dynamic linker has done its work. */
	assert_int_equal(read(out[0], &c, 1), 1);
	close(ready[0]);
	*ret_stdout = out[0];
	return tgid;
}

/* The same process, pidfd and start time, and all of its memory another program's. */
static void an_exec_changes_the_executable(void **state)
{
	TIDE_CLEANUP(tide_modules_free) struct tide_modules *mods = NULL;
	struct tide_proc self, cat;
	uint32_t before, after;
	int err, cat_stdout;
	uint64_t off;
	pid_t tgid;

	(void)state;
	tgid = start_cat(&cat_stdout);
	assert_int_equal(tide_proc_open(getpid(), &self, &err), TIDE_PROC_OK);
	assert_int_equal(tide_proc_open(tgid, &cat, &err), TIDE_PROC_OK);
	assert_ok(tide_modules_new(&mods));
	/* As if cat had been this program before. */
	assert_true(tide_modules_update(mods, &self) > 0);
	assert_ok(tide_modules_main(mods, &before));
	assert_true(tide_modules_update(mods, &cat) > 0);
	assert_ok(tide_modules_main(mods, &after));
	assert_int_not_equal(before, after);
	assert_string_equal(tide_modules_get(mods, after)->path, cat.exe);
	/* What the former program had there is kept for its stacks. */
	assert_int_equal(tide_modules_find(mods, (uintptr_t)setup, &off)->module_id, before);
	child_end(tgid);
	close(cat_stdout);
	tide_proc_close(&cat);
	tide_proc_close(&self);
}

static void process_gone_leaves_the_table_as_it_was(void **state)
{
	pid_t tgid = child_start(NULL, NULL);
	struct tide_modules *mods = NULL;
	struct tide_proc proc;
	uint64_t off;
	size_t cnt;
	int err;

	(void)state;
	assert_int_equal(tide_proc_open(tgid, &proc, &err), TIDE_PROC_OK);
	assert_ok(tide_modules_new(&mods));
	assert_true(tide_modules_update(mods, &proc) > 0);
	cnt = tide_modules_cnt(mods);
	child_end(tgid);
	assert_errno(tide_modules_update(mods, &proc), ESRCH);
	assert_int_equal(tide_modules_cnt(mods), cnt);
	/* A fork has its parent's addresses. */
	assert_non_null(tide_modules_find(mods, (uintptr_t)setup, &off));
	tide_modules_free(&mods);
	tide_proc_close(&proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_dynamic_linker),
		cmocka_unit_test(knows_the_executable),
		cmocka_unit_test(unknown_places_and_ids),
		cmocka_unit_test(a_second_look_adds_nothing),
		cmocka_unit_test(a_deleted_library_is_found_and_outlives_its_dlclose),
		cmocka_unit_test(what_replaces_an_unmapped_library_wins),
		cmocka_unit_test(mapped_files_that_are_no_elf_are_left_out),
		cmocka_unit_test(bias_takes_offset_and_address_into_account),
		cmocka_unit_test(paths_stay_inside_the_root),
		cmocka_unit_test(another_file_of_the_same_name_is_not_taken),
		cmocka_unit_test(devices_and_fifos_are_not_opened),
		cmocka_unit_test(an_exec_changes_the_executable),
		cmocka_unit_test(process_gone_leaves_the_table_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
