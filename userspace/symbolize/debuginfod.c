/* Loaded by name at run time, as elfutils' own libdwfl does it: a tool for servers need not bring
 * an HTTP client with it. Declarations: elfutils' debuginfod.h, 0.188.
 */
#include "symbolize/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

struct client;

struct library {
	struct client *(*begin)(void);
	int (*find_debuginfo)(struct client *client, const unsigned char *build_id,
			      int build_id_len, char **ret_path);
	void (*end)(struct client *client);
};

/* It stays loaded: its own dependencies do not stand to be unloaded. */
static bool load(struct library *ret)
{
	void *handle = dlopen("libdebuginfod.so.1", RTLD_LAZY | RTLD_LOCAL);

	if (!handle)
		return false;
	*(void **)&ret->begin = dlsym(handle, "debuginfod_begin");
	*(void **)&ret->find_debuginfo = dlsym(handle, "debuginfod_find_debuginfo");
	*(void **)&ret->end = dlsym(handle, "debuginfod_end");
	return ret->begin && ret->find_debuginfo && ret->end;
}

bool tide_debuginfod_usable(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct library library;

	return urls && *urls && load(&library);
}

int tide_debuginfod_fetch(const unsigned char *build_id, size_t build_id_len, char **ret_path)
{
	struct library library;
	struct client *client;
	int fd;

	/* A length of 0 would mean that the id is text in hex. */
	if (!build_id_len || build_id_len > 64 || !tide_debuginfod_usable() || !load(&library))
		return -ENOTSUP;
	client = library.begin();
	if (!client)
		return -ENOMEM;
	fd = library.find_debuginfo(client, build_id, (int)build_id_len, ret_path);
	library.end(client);
	return fd;
}
