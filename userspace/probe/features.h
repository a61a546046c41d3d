/* What this kernel and these privileges allow, each with the next step when it is missing.
 *
 * Owns: the table that `tidemark doctor` prints and that failures are explained with.
 * Never: a kernel version number where the thing itself can be tried.
 * Threads: any; the checks create and close a few kernel objects. Memory: fixed.
 */
#ifndef TIDE_PROBE_FEATURES_H
#define TIDE_PROBE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

struct tide_feature {
	const char *name;
	bool required; /* without it nothing can be watched */
	bool (*check)(void);
	const char *gives;  /* what it is for */
	const char *advice; /* what to do when it is missing */
};

const struct tide_feature *tide_features(size_t *ret_cnt);
/* The first required feature that is missing, or NULL. */
const struct tide_feature *tide_features_missing(void);
/* Multi-uprobes with a pid filter that covers every thread (Linux 6.10 and later). */
bool tide_feature_multi_uprobe(void);

#endif
