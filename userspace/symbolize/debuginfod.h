/* Debug files from the debuginfod servers of DEBUGINFOD_URLS. The only place that may use the
 * network, and only for a module that was made with leave to: the user's own, by --debuginfod.
 *
 * Owns: nothing; libdebuginfod is loaded when first needed and keeps what it fetches in its cache.
 * Never: sends more than a build id. Threads: one user at a time. Memory: libdebuginfod's.
 */
#ifndef TIDE_SYMBOLIZE_DEBUGINFOD_H
#define TIDE_SYMBOLIZE_DEBUGINFOD_H

#include <stdbool.h>
#include <stddef.h>

/* False when libdebuginfod is not installed or the environment names no server. */
bool tide_debuginfod_usable(void);
/* Blocks as long as DEBUGINFOD_TIMEOUT says (90 s without progress). The descriptor, and its path
 * in *ret_path (malloc'ed), or -errno.
 */
int tide_debuginfod_fetch(const unsigned char *build_id, size_t build_id_len, char **ret_path);

#endif
