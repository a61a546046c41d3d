/* The module table. An update reads the mappings and makes the list of executable ranges anew:
 *
 *	maps lines r-x --> module of (dev, inode), opened when it is new
 *	               --> new list of ranges, ascending
 *	ranges of the former list that are no longer mapped --> head of the old ranges
 *
 * A lookup asks the present ranges first (binary search), then the old ones from the newest on.
 * Our descriptor keeps a file's inode from being used again, so (dev, inode) stays a sound key
 * after the file was unlinked.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "target/elf.h"
#include "target/maps.h"
#include "target/module_open.h"
#include "target/procfs.h"

#define VDSO_PATH    "[vdso]"
#define MAX_LOADS    64
#define REJECTED_CNT 64
#define NO_MODULE    UINT32_MAX

struct entry {
	struct tide_module module;
	struct tide_elf_load *loads;
	size_t load_cnt;
	uint64_t lowest; /* of its mappings, when the file itself does not tell */
	uint64_t bias;
	bool has_bias;
};

struct file_key {
	uint64_t dev, inode;
};

struct tide_modules {
	struct entry *entries[TIDE_MAX_MODULES];
	size_t cnt;
	struct tide_range *ranges; /* ascending */
	size_t range_cnt;
	struct tide_range *old; /* newest first */
	size_t old_cnt;
	uint32_t main_id;
	bool incomplete;
	/* Mapped files that are no ELF file: not to be opened at every update. A ring. */
	struct file_key rejected[REJECTED_CNT];
	size_t rejected_next;
};

static void free_entry(struct entry *entry)
{
	if (!entry)
		return;
	if (entry->module.fd >= 0)
		close(entry->module.fd);
	free(entry->module.path);
	free(entry->loads);
	free(entry);
}

int tide_modules_new(struct tide_modules **ret)
{
	struct tide_modules *mods = calloc(1, sizeof(*mods));

	if (!mods)
		return -ENOMEM;
	mods->main_id = NO_MODULE;
	*ret = mods;
	return 0;
}

void tide_modules_free(struct tide_modules **mods)
{
	if (!*mods)
		return;
	for (size_t i = 0; i < (*mods)->cnt; i++)
		free_entry((*mods)->entries[i]);
	free((*mods)->ranges);
	free((*mods)->old);
	free(*mods);
	*mods = NULL;
}

static struct file_key key_of(const struct tide_mapping *m)
{
	return (struct file_key){makedev(m->dev_major, m->dev_minor), m->inode};
}

static uint32_t find_module(const struct tide_modules *mods, struct file_key key)
{
	for (size_t i = 0; i < mods->cnt; i++) {
		const struct tide_module *module = &mods->entries[i]->module;

		if (module->inode == key.inode && module->dev == key.dev)
			return (uint32_t)i;
	}
	return NO_MODULE;
}

static bool is_rejected(const struct tide_modules *mods, struct file_key key)
{
	for (size_t i = 0; key.inode && i < REJECTED_CNT; i++)
		if (mods->rejected[i].inode == key.inode && mods->rejected[i].dev == key.dev)
			return true;
	return false;
}

static void reject(struct tide_modules *mods, struct file_key key)
{
	mods->rejected[mods->rejected_next++ % REJECTED_CNT] = key;
}

/* Reads what the table needs of the file. -ENOEXEC: not a module. */
static int examine_file(struct entry *entry)
{
	struct tide_elf_load loads[MAX_LOADS];
	struct tide_elf_info info = {};
	int r = tide_elf_read_info(entry->module.fd, &info);

	if (r == -ENOEXEC || r == -ENOMEM)
		return r;
	/* Mapped and malformed: the kernel needs less of a file than we do. */
	if (r < 0)
		tide_debug("%s: %s", entry->module.path, strerror(-r));
	memcpy(entry->module.build_id, info.build_id, sizeof(info.build_id));
	r = tide_elf_read_loads(entry->module.fd, loads, MAX_LOADS);
	if (r <= 0)
		return 0;
	entry->loads = calloc((size_t)r, sizeof(*loads));
	if (!entry->loads)
		return -ENOMEM;
	memcpy(entry->loads, loads, (size_t)r * sizeof(*loads));
	entry->load_cnt = (size_t)r;
	return 0;
}

static int make_entry(const struct tide_mapping *m, const char *path, int fd, struct entry **ret)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	int r = 0;

	if (!entry) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	entry->module.fd = fd;
	entry->module.dev = key_of(m).dev;
	entry->module.inode = m->inode;
	entry->module.deleted = m->deleted;
	entry->lowest = m->start;
	entry->module.path = strdup(path);
	if (!entry->module.path)
		r = -ENOMEM;
	else if (fd >= 0)
		r = examine_file(entry);
	if (r < 0) {
		free_entry(entry);
		return r;
	}
	*ret = entry;
	return 0;
}

/* Adds the module of a mapping that has none. 1, 0 (it is none) or -errno. */
static int add_module(struct tide_modules *mods, const struct tide_proc *proc, pid_t tid,
		      const struct tide_mapping *m, const char *path)
{
	bool is_vdso = m->inode == 0;
	struct entry *entry = NULL;
	int fd = -1, r;

	if (mods->cnt >= TIDE_MAX_MODULES) {
		mods->incomplete = true;
		return 0;
	}
	if (!is_vdso)
		fd = tide_module_open(proc, tid, m, path);
	if (fd == -ENOEXEC) {
		reject(mods, key_of(m));
		return 0;
	}
	if (fd < 0 && !is_vdso) {
		tide_debug("%s: cannot be opened: %s", path, strerror(-fd));
		mods->incomplete = true;
	}
	r = make_entry(m, path, fd < 0 ? -1 : fd, &entry);
	if (r == -ENOEXEC) {
		reject(mods, key_of(m));
		return 0;
	}
	if (r < 0)
		return r;
	entry->module.id = (uint32_t)mods->cnt;
	mods->entries[mods->cnt++] = entry;
	return 1;
}

static bool is_module_mapping(const struct tide_mapping *m, const char *path)
{
	if (!m->exec)
		return false;
	return m->inode ? path[0] == '/' : !strcmp(path, VDSO_PATH);
}

/* Where segment and mapping agree on a file offset they also agree on an address. Offsets of the
 * mapping are page aligned, those of the segment need not be. With no such executable segment
 * any other serves: a program may make its data executable.
 */
static void learn_bias(struct entry *entry, const struct tide_range *range)
{
	const uint64_t page_mask = ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
	const struct tide_elf_load *best = NULL;

	for (size_t i = 0; i < entry->load_cnt; i++) {
		const struct tide_elf_load *load = &entry->loads[i];

		if (range->file_off < (load->file_off & page_mask) ||
		    range->file_off - (load->file_off & page_mask) >= load->file_bytes)
			continue;
		if (!best || (load->exec && !best->exec))
			best = load;
	}
	if (best) {
		entry->bias = range->start - range->file_off + best->file_off - best->vaddr;
		entry->has_bias = true;
	} else if (!strcmp(entry->module.path, VDSO_PATH)) {
		/* The kernel links it to 0 and maps it whole. */
		entry->bias = range->start;
		entry->has_bias = true;
	}
}

static bool same_range(const struct tide_range *a, const struct tide_range *b)
{
	return a->start == b->start && a->end == b->end && a->file_off == b->file_off &&
	       a->module_id == b->module_id;
}

/* Puts what was mapped and is not any more at the head of the old ranges. Both lists ascend. */
static int retire_ranges(struct tide_modules *mods, const struct tide_range *now, size_t now_cnt)
{
	struct tide_range *old;
	size_t cnt = 0, at = 0;

	old = calloc(TIDE_MAX_OLD_RANGES, sizeof(*old));
	if (!old)
		return -ENOMEM;
	for (size_t i = 0; i < mods->range_cnt && cnt < TIDE_MAX_OLD_RANGES; i++) {
		while (at < now_cnt && now[at].start < mods->ranges[i].start)
			at++;
		if (at >= now_cnt || !same_range(&now[at], &mods->ranges[i]))
			old[cnt++] = mods->ranges[i];
	}
	if (cnt == 0) {
		free(old);
		return 0;
	}
	for (size_t i = 0; i < mods->old_cnt && cnt < TIDE_MAX_OLD_RANGES; i++)
		old[cnt++] = mods->old[i];
	free(mods->old);
	mods->old = old;
	mods->old_cnt = cnt;
	return 0;
}

/* Makes the list of ranges of maps, adding modules. Their number or -errno. */
static int collect(struct tide_modules *mods, const struct tide_proc *proc,
		   const struct tide_maps *maps, struct tide_range *ranges, size_t *ret_cnt)
{
	int added = 0, r;
	pid_t tid;

	r = tide_proc_live_tid(proc->tgid, &tid);
	if (r < 0)
		return r;
	for (size_t i = 0; i < maps->cnt; i++) {
		const struct tide_mapping *m = &maps->mappings[i];
		const char *path = tide_mapping_path(maps, m);
		uint32_t id;

		if (!is_module_mapping(m, path) || is_rejected(mods, key_of(m)))
			continue;
		id = find_module(mods, key_of(m));
		if (id == NO_MODULE) {
			r = add_module(mods, proc, tid, m, path);
			if (r < 0)
				return r;
			if (r == 0)
				continue;
			added++;
			id = (uint32_t)mods->cnt - 1;
		}
		ranges[(*ret_cnt)++] = (struct tide_range){m->start, m->end, m->file_off, id};
	}
	return added;
}

/* The first range of a module decides: with several copies of it (dlmopen) the lowest. */
static void learn_places(struct tide_modules *mods, const struct tide_maps *maps)
{
	TIDE_AUTO_FREE bool *done = calloc(mods->cnt + 1, sizeof(*done));

	if (!done)
		return;
	for (size_t i = 0; i < mods->range_cnt; i++) {
		uint32_t id = mods->ranges[i].module_id;

		if (!done[id])
			learn_bias(mods->entries[id], &mods->ranges[i]);
		done[id] = true;
	}
	/* Backwards: the lowest mapping has the last word. Only needed where the file is unknown.
	 */
	for (size_t i = mods->incomplete ? maps->cnt : 0; i-- > 0;) {
		uint32_t id = maps->mappings[i].inode
				      ? find_module(mods, key_of(&maps->mappings[i]))
				      : NO_MODULE;

		if (id != NO_MODULE)
			mods->entries[id]->lowest = maps->mappings[i].start;
	}
}

static void learn_main(struct tide_modules *mods, const struct tide_proc *proc)
{
	char link[TIDE_PROCFS_PATH_SZ];
	struct stat exe, st;
	pid_t tid;

	if (tide_proc_live_tid(proc->tgid, &tid) < 0)
		return;
	snprintf(link, sizeof(link), "/proc/%d/exe", tid);
	if (stat(link, &exe) < 0)
		return;
	for (size_t i = 0; i < mods->cnt; i++) {
		int fd = mods->entries[i]->module.fd;

		if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != exe.st_dev ||
		    st.st_ino != exe.st_ino)
			continue;
		mods->main_id = (uint32_t)i;
		return;
	}
}

int tide_modules_update(struct tide_modules *mods, const struct tide_proc *proc)
{
	TIDE_CLEANUP(tide_maps_done) struct tide_maps maps = {};
	TIDE_AUTO_FREE struct tide_range *ranges = NULL;
	size_t cnt = 0;
	int added, r;

	r = tide_maps_read(proc->tgid, &maps);
	if (r < 0)
		return r;
	ranges = calloc(maps.cnt, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	added = collect(mods, proc, &maps, ranges, &cnt);
	if (added < 0)
		return added;
	/* All was read by number: was it still this process? */
	if (!tide_proc_alive(proc))
		return -ESRCH;
	r = retire_ranges(mods, ranges, cnt);
	if (r < 0)
		return r;
	free(mods->ranges);
	mods->ranges = TIDE_TAKE_PTR(ranges);
	mods->range_cnt = cnt;
	mods->incomplete |= maps.truncated;
	learn_places(mods, &maps);
	learn_main(mods, proc);
	return added;
}

size_t tide_modules_cnt(const struct tide_modules *mods)
{
	return mods->cnt;
}

const struct tide_module *tide_modules_get(const struct tide_modules *mods, uint32_t id)
{
	return id < mods->cnt ? &mods->entries[id]->module : NULL;
}

int tide_modules_main(const struct tide_modules *mods, uint32_t *ret_id)
{
	if (mods->main_id == NO_MODULE)
		return -ENOENT;
	*ret_id = mods->main_id;
	return 0;
}

bool tide_modules_incomplete(const struct tide_modules *mods)
{
	return mods->incomplete;
}

static const struct tide_range *find_current(const struct tide_modules *mods, uint64_t addr)
{
	size_t low = 0, high = mods->range_cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr < mods->ranges[mid].start)
			high = mid;
		else if (addr >= mods->ranges[mid].end)
			low = mid + 1;
		else
			return &mods->ranges[mid];
	}
	return NULL;
}

const struct tide_range *tide_modules_find(const struct tide_modules *mods, uint64_t addr,
					   uint64_t *ret_file_off)
{
	const struct tide_range *range = find_current(mods, addr);

	for (size_t i = 0; !range && i < mods->old_cnt; i++)
		if (addr >= mods->old[i].start && addr < mods->old[i].end)
			range = &mods->old[i];
	if (range)
		*ret_file_off = addr - range->start + range->file_off;
	return range;
}

int tide_modules_bias(const struct tide_modules *mods, uint32_t id, uint64_t *ret_bias)
{
	if (id >= mods->cnt || !mods->entries[id]->has_bias)
		return -ENOENT;
	*ret_bias = mods->entries[id]->bias;
	return 0;
}

int tide_modules_base(const struct tide_modules *mods, uint32_t id, uint64_t *ret_addr)
{
	const uint64_t page_mask = ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
	const struct entry *entry;
	uint64_t lowest_vaddr = UINT64_MAX;

	if (id >= mods->cnt)
		return -ENOENT;
	entry = mods->entries[id];
	for (size_t i = 0; i < entry->load_cnt; i++)
		if (entry->loads[i].vaddr < lowest_vaddr)
			lowest_vaddr = entry->loads[i].vaddr;
	*ret_addr = entry->load_cnt && entry->has_bias ? (lowest_vaddr & page_mask) + entry->bias
						       : entry->lowest;
	return 0;
}
