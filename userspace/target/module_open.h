/* Opening the file behind a mapping of another process. For modules.c only.
 *
 * Owns: nothing. Never: leaves the target's root by a link; opens anything but a regular file.
 * Threads: reentrant. Memory: none.
 */
#ifndef TIDE_TARGET_MODULE_OPEN_H
#define TIDE_TARGET_MODULE_OPEN_H

#include "target/maps.h"
#include "target/proc.h"

/* tid: a living thread of proc. A descriptor open for reading, or -errno. */
int tide_module_open(const struct tide_proc *proc, pid_t tid, const struct tide_mapping *m,
		     const char *path);

#endif
