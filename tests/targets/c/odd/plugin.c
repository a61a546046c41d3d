/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shared object for host.c: allocates when loaded, and when called. */
#include "../handshake.h"

enum { WHEN_LOADED = 40 };

static void *when_loaded[WHEN_LOADED];

void *plugin_alloc(void);

SITE void *site_plugin_loaded(void)
{
	void *block = malloc(300);

	KEEP(block, "site_plugin_loaded");
	return block;
}

__attribute__((constructor)) static void loaded(void)
{
	for (int i = 0; i < WHEN_LOADED; i++)
		when_loaded[i] = site_plugin_loaded();
}

__attribute__((noinline)) void *plugin_alloc(void)
{
	void *block = malloc(400);

	KEEP(block, "plugin_alloc");
	return block;
}
