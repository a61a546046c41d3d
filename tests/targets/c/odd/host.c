/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads a plugin while it is watched.
 *
 * host PLUGIN.so
 * stdin: load | call N | quit
 * stdout: ready, then "done N"
 */
#include "../handshake.h"

#include <dlfcn.h>

enum { MAX_BLOCKS = 65536 };

static void *blocks[MAX_BLOCKS];

int main(int argc, char **argv)
{
	void *(*plugin_alloc)(void) = NULL;
	void *plugin = NULL;
	unsigned long arg = 0;
	const char *line;

	if (argc < 2)
		return 113;
	say("ready\n");
	while ((line = hear()) && !is_command(line, "quit", &arg)) {
		if (is_command(line, "load", &arg)) {
			plugin = dlopen(argv[1], RTLD_NOW);
			if (plugin)
				*(void **)&plugin_alloc = dlsym(plugin, "plugin_alloc");
			if (!plugin_alloc)
				return 114;
		}
		if (!is_command(line, "call", &arg))
			arg = 0;
		for (unsigned long i = 0; plugin_alloc && i < arg && i < MAX_BLOCKS; i++)
			blocks[i] = plugin_alloc();
		say("done %lu\n", arg);
	}
	return 0;
}
