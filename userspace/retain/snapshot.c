#include "retain/snapshot.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

int tide_snapshot_new(struct tide_snapshot **ret)
{
	struct tide_snapshot *snap = calloc(1, sizeof(*snap));

	if (!snap)
		return -ENOMEM;
	*ret = snap;
	return 0;
}

static void free_frames(struct tide_frame *frames, size_t cnt)
{
	for (size_t i = 0; frames && i < cnt; i++) {
		free(frames[i].function);
		free(frames[i].file);
		free(frames[i].module);
		free(frames[i].build_id);
	}
	free(frames);
}

static void free_sites(struct tide_site_report *sites, size_t cnt)
{
	for (size_t i = 0; sites && i < cnt; i++) {
		free(sites[i].why);
		free(sites[i].fix);
		free_frames(sites[i].frames, sites[i].frame_cnt);
		free(sites[i].points);
	}
	free(sites);
}

static void free_coverage(struct tide_coverage_report *coverage)
{
	for (size_t i = 0; coverage->allocators && i < coverage->allocator_cnt; i++) {
		free(coverage->allocators[i].name);
		free(coverage->allocators[i].object);
		free(coverage->allocators[i].build_id);
		free(coverage->allocators[i].placement);
	}
	free(coverage->allocators);
	for (size_t i = 0; coverage->notes && i < coverage->note_cnt; i++)
		free(coverage->notes[i]);
	free(coverage->notes);
}

void tide_snapshot_free(struct tide_snapshot **snap)
{
	struct tide_snapshot *s = snap ? *snap : NULL;

	if (!s)
		return;
	free(s->process.comm);
	free(s->process.exe);
	free(s->process.cgroup);
	free_coverage(&s->coverage);
	free_sites(s->sites, s->site_cnt);
	free(s->blocks);
	free(s);
	*snap = NULL;
}

int tide_snapshot_note(struct tide_snapshot *snap, const char *fmt, ...)
{
	struct tide_coverage_report *coverage = &snap->coverage;
	TIDE_AUTO_FREE char *text = NULL;
	char **notes;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		text = NULL;
		return -ENOMEM;
	}
	notes = realloc(coverage->notes, (coverage->note_cnt + 1) * sizeof(*notes));
	if (!notes)
		return -ENOMEM;
	coverage->notes = notes;
	notes[coverage->note_cnt++] = TIDE_TAKE_PTR(text);
	return 0;
}

const char *tide_verdict_name(enum tide_verdict verdict)
{
	static const char *const names[] = {
#define X(id, name, help) [TIDE_VERDICT_##id] = name,
		TIDE_VERDICTS(X)
#undef X
	};

	return (size_t)verdict < TIDE_ARRAY_CNT(names) ? names[verdict] : "unknown";
}

const char *tide_evidence_name(enum tide_evidence evidence)
{
	static const char *const names[] = {
		[TIDE_EVIDENCE_LIKELY] = "likely",
		[TIDE_EVIDENCE_PROVEN] = "proven",
	};

	return (size_t)evidence < TIDE_ARRAY_CNT(names) ? names[evidence] : "unknown";
}

const char *tide_part_name(enum tide_part part)
{
	static const char *const names[] = {
#define X(id, name, help) [TIDE_PART_##id] = name,
		TIDE_PARTS(X)
#undef X
	};

	return (size_t)part < TIDE_ARRAY_CNT(names) ? names[part] : "unknown";
}
