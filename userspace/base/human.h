/* Numbers as a tired person reads them.
 *
 * Owns: nothing. Threads: pure. Memory: writes into the caller's buffer, always terminated;
 * TIDE_HUMAN_SZ is enough for any of them. Each returns buf.
 */
#ifndef TIDE_BASE_HUMAN_H
#define TIDE_BASE_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#define TIDE_HUMAN_SZ 48

/* "0 B", "812 B", "1.4 KB", "22 KB", "810 MB", "1.21 GB": three significant digits, powers of
 * 1024 (as top and pmap count), no trailing zeros beyond what the digits say.
 */
const char *tide_human_bytes(uint64_t bytes, char buf[static TIDE_HUMAN_SZ]);
/* "1,234,567" */
const char *tide_human_count(uint64_t count, char buf[static TIDE_HUMAN_SZ]);
/* "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "14 days": two units at most. */
const char *tide_human_duration(uint64_t ns, char buf[static TIDE_HUMAN_SZ]);
/* Local wall clock: "14:02:31" when on the same local day as now, else "2026-11-08 14:02". */
const char *tide_human_time(uint64_t realtime_ns, uint64_t now_realtime_ns,
			    char buf[static TIDE_HUMAN_SZ]);
/* RFC 3339, UTC, milliseconds: "2026-11-22T16:50:26.123Z". */
const char *tide_rfc3339(uint64_t realtime_ns, char buf[static TIDE_HUMAN_SZ]);

#endif
