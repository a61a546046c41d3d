/* What a frame is called in text.
 * Owns: nothing. Threads: pure. Memory: results are malloc'ed, NULL only without memory.
 * Results are printable (see encode/utf8.h).
 */
#ifndef TIDE_REPORT_FRAME_NAME_H
#define TIDE_REPORT_FRAME_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "retain/snapshot.h"

/* "table_resize"; "libfoo.so+0x1f30" without a name; "0x7f0000001f30" without a file. short_names:
 * without template arguments.
 */
char *tide_frame_function(const struct tide_frame *frame, bool short_names);
/* "batch.c:88", "batch.c", else the module's name; "" when the function's stand-in says it. */
char *tide_frame_place(const struct tide_frame *frame);
/* The frame that names the site: the innermost that is not a library's way to allocate
 * (operator new, std::vector, alloc::raw_vec, ...: fold_table.h). NULL when there is no frame.
 */
const struct tide_frame *tide_site_frame(const struct tide_site_report *site);
/* Frames without the C library's way into the program and its threads at the outer end. */
size_t tide_site_own_frames(const struct tide_site_report *site);
/* True when frames of the program are missing: a walk that came as far as main() has them all, even
 * when the C library's frames beyond it could not be followed.
 */
bool tide_site_stops_early(const struct tide_site_report *site);
/* "table_resize (batch.c:88)" of that frame; the function's name is cut to fit. */
char *tide_site_label(const struct tide_site_report *site, size_t max_columns, bool short_names);

#endif
