/* From what a process has mapped to what the unwind tables want to know.
 *
 * Owns: the list of one refresh and the copy of the vDSO. Never: writes, keeps state between calls.
 * Threads: as tide_unwind_tables_update(): one user at a time, not the draining thread.
 * Memory: ~100 bytes an executable mapping, during the call.
 */
#ifndef TIDE_PROBE_UNWIND_AREAS_H
#define TIDE_PROBE_UNWIND_AREAS_H

#include "probe/unwind_tables.h"
#include "target/maps.h"

/* Brings the tables of tgid up to date with maps; mods must have been updated for the same maps
 * or later ones. Cheap when nothing has changed. Errors as tide_unwind_tables_update().
 */
int tide_unwind_areas_update(struct tide_unwind_tables *tables, pid_t tgid,
			     const struct tide_maps *maps, const struct tide_modules *mods);

#endif
