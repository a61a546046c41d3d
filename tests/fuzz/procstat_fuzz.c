/* /proc/PID/stat and the texts about control groups. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/cgroup.h"
#include "target/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_group(const char *text)
{
	char *copy = strdup(text);
	const char *group;
	bool is_v2;

	if (copy && tide_cgroup_find_group(copy, &group, &is_v2) == 0 && group[0] != '/')
		abort();
	free(copy);
}

static void find_dir(const char *text, bool is_v2)
{
	char *copy = strdup(text);
	size_t mount_len;
	char dir[256];

	if (copy && !tide_cgroup_find_dir(copy, "/a/b", is_v2, dir, sizeof(dir), &mount_len) &&
	    mount_len > strlen(dir))
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct tide_proc_stat stat;

	if (!text)
		return 0;
	if (tide_proc_parse_stat(text, &stat) == 0 && stat.state == '\0')
		abort();
	find_group(text);
	find_dir(text, false);
	find_dir(text, true);
	free(text);
	return 0;
}
