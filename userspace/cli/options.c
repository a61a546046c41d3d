/* The options that attach, run and demo share: one table gives parsing and help. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/cmd.h"
#include "probe/probe.h"
#include "report/report.h"

#define DEFAULT_HOLD_NS	   (300 * TIDE_NS_PER_SEC)
#define DEFAULT_RING_BYTES (16ULL << 20)
#define DEFAULT_BLOCKS	   (4U << 20)
#define DEFAULT_SITES	   (64U << 10)
#define DEFAULT_TOP	   10
#define MAX_BLOCKS	   (1ULL << 30)
#define MAX_SITES	   (1ULL << 23)
#define SHOW_BLOCKS_CNT	   100

enum {
	OPT_HOLD = 256,
	OPT_TIER,
	OPT_FOR,
	OPT_FORMAT,
	OPT_RING,
	OPT_BLOCKS,
	OPT_SITES,
	OPT_FRAMES,
	OPT_STACKS,
	OPT_SHORT_NAMES,
	OPT_DEBUGINFOD,
	OPT_SINGLE
};

struct option_spec {
	const char *name;
	int id; /* a letter, or above 255 when there is only the long form */
	const char *arg;
	const char *help;
};

static const struct option_spec specs[] = {
	{"top", 'T', "N", "sites in a text report (default 10)"},
	{"min-size", 'z', "BYTES", "do not track smaller allocations (default 0)"},
	{"older", 'o', "TIME", "count only blocks older than this"},
	{"show-allocs", 'a', NULL, "list the largest blocks too"},
	{"hold", OPT_HOLD, "TIME", "how long a thing must stay to count as held (default 5m)"},
	{"for", OPT_FOR, "TIME", "end the session after this long"},
	{"tier", OPT_TIER, "TIER", "what is probed; this version knows: all"},
	{"format", OPT_FORMAT, "FORMAT", "text or json (default text)"},
	{"output", 'O', "FILE", "write reports there instead of to stdout"},
	{"stacks", OPT_STACKS, NULL, "text reports: every frame of every stack"},
	{"short-names", OPT_SHORT_NAMES, NULL, "text reports: names without template arguments"},
	{"debuginfod", OPT_DEBUGINFOD, NULL,
	 "fetch debug files from DEBUGINFOD_URLS (default: no network)"},
	{"ring-size", OPT_RING, "BYTES",
	 "room for events on their way (default 16M; a power of two)"},
	{"max-blocks", OPT_BLOCKS, "N", "live blocks that can be tracked (default 4194304)"},
	{"max-sites", OPT_SITES, "N", "call sites that can be told apart (default 65536)"},
	{"max-frames", OPT_FRAMES, "N", "frames kept of a stack (default and at most 127)"},
	{"single-uprobes", OPT_SINGLE, NULL, "do not use multi-uprobes, as on kernels before 6.10"},
	{"quiet", 'q', NULL, "no status line"},
	{"verbose", 'v', NULL, "say more on stderr"},
	{"help", 'h', NULL, "this text"},
};

void tide_options_init(struct tide_options *opts)
{
	memset(opts, 0, sizeof(*opts));
	opts->session.hold_ns = DEFAULT_HOLD_NS;
	opts->session.ring_bytes = DEFAULT_RING_BYTES;
	opts->session.max_blocks = DEFAULT_BLOCKS;
	opts->session.max_sites = DEFAULT_SITES;
	opts->session.max_frames = TIDE_MAX_FRAMES;
	opts->top_cnt = DEFAULT_TOP;
	opts->format = "text";
}

/* A text report shows the first few that have something to say, and passes over some on the way
 * to them; the others hold every site with its stack.
 */
size_t tide_named_sites(const struct tide_options *opts)
{
	if (strcmp(opts->format, "text"))
		return SIZE_MAX;
	return opts->top_cnt > 1000 ? SIZE_MAX : 64 + 4 * opts->top_cnt;
}

int tide_usage_error(const struct tide_cmd *cmd, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "tidemark %s: ", cmd->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nusage: tidemark %s %s\n`tidemark %s --help` lists the options.\n",
		cmd->name, cmd->args, cmd->name);
	return TIDE_EXIT_USAGE;
}

int tide_failed(const struct tide_failure *fail)
{
	tide_err("%s", fail->text);
	return fail->exit;
}

void tide_options_help(const struct tide_cmd *cmd)
{
	printf("usage: tidemark %s %s\n%s\n\n", cmd->name, cmd->args, cmd->summary);
	for (size_t i = 0; i < TIDE_ARRAY_CNT(specs); i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%c%s--%s %s", specs[i].id < 256 ? "-" : " ",
			 specs[i].id < 256 ? specs[i].id : ' ', specs[i].id < 256 ? ", " : "  ",
			 specs[i].name, specs[i].arg ? specs[i].arg : "");
		printf("  %-26s %s\n", left, specs[i].help);
	}
	printf("\nSizes take K, M, G; times ms, s, m, h. Reports go to stdout, messages to stderr.\n"
	       "Exit: 0 done, 1 failed, 2 usage, 3 not permitted, 4 the target is gone or cannot be "
	       "watched.\n");
}

static int bounded(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int err = tide_parse_u64(text, &value);

	if (err)
		return err;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

static int set_u32(const char *text, uint64_t max, uint32_t *ret)
{
	uint64_t value;
	int err = bounded(text, 1, max, &value);

	if (!err)
		*ret = (uint32_t)value;
	return err;
}

static int set_ring(const char *text, uint64_t *ret_bytes)
{
	uint64_t bytes;
	int err = tide_parse_bytes(text, &bytes);

	if (err)
		return err;
	if (bytes < TIDE_RING_MIN_BYTES || bytes > TIDE_RING_MAX_BYTES || (bytes & (bytes - 1)))
		return -ERANGE;
	*ret_bytes = bytes;
	return 0;
}

static int set_time(const char *text, bool zero_ok, uint64_t *ret_ns)
{
	uint64_t ns;
	int err = tide_parse_duration(text, &ns);

	if (err)
		return err;
	if (!ns && !zero_ok)
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

static int set_count(const char *text, size_t *ret)
{
	uint64_t value;
	int err = bounded(text, 0, SIZE_MAX, &value);

	if (!err)
		*ret = value;
	return err;
}

/* Only what exists is accepted; the other tiers of the design come with later versions. */
static int set_tier(const char *text)
{
	return strcmp(text, "all") ? -EINVAL : 0;
}

static int set_format(const char *text, const char **ret)
{
	if (!tide_report_format_find(text))
		return -EINVAL;
	*ret = text;
	return 0;
}

static int set_flag(int id, struct tide_options *o)
{
	switch (id) {
	case 'a':
		o->session.show_blocks_cnt = SHOW_BLOCKS_CNT;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'v':
		tide_log_set_level(TIDE_LOG_DEBUG);
		return 0;
	case OPT_STACKS:
		o->full_stacks = true;
		return 0;
	case OPT_SHORT_NAMES:
		o->short_names = true;
		return 0;
	case OPT_DEBUGINFOD:
		o->session.debuginfod = true;
		return 0;
	case OPT_SINGLE:
		o->session.single_uprobes = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int set_option(int id, const char *arg, struct tide_options *o)
{
	switch (id) {
	case 'T':
		return set_count(arg, &o->top_cnt);
	case 'z':
		return tide_parse_bytes(arg, &o->session.min_bytes);
	case 'o':
		return set_time(arg, true, &o->session.older_ns);
	case 'O':
		o->output = arg;
		return 0;
	case OPT_HOLD:
		return set_time(arg, false, &o->session.hold_ns);
	case OPT_FOR:
		return set_time(arg, false, &o->for_ns);
	case OPT_TIER:
		return set_tier(arg);
	case OPT_FORMAT:
		return set_format(arg, &o->format);
	case OPT_RING:
		return set_ring(arg, &o->session.ring_bytes);
	case OPT_BLOCKS:
		return set_u32(arg, MAX_BLOCKS, &o->session.max_blocks);
	case OPT_SITES:
		return set_u32(arg, MAX_SITES, &o->session.max_sites);
	case OPT_FRAMES:
		return set_u32(arg, TIDE_MAX_FRAMES, &o->session.max_frames);
	default:
		return set_flag(id, o);
	}
}

static const struct option_spec *spec_of(int id)
{
	for (size_t i = 0; i < TIDE_ARRAY_CNT(specs); i++)
		if (specs[i].id == id)
			return &specs[i];
	return NULL;
}

static int bad_value(const struct tide_cmd *cmd, int id, const char *arg)
{
	const struct option_spec *spec = spec_of(id);

	return -1 -
	       tide_usage_error(cmd, "--%s: '%s' will not do: %s", spec->name, arg, spec->help);
}

/* getopt's tables, made from ours. "+": options end at the first operand (run's command has its
 * own);
 * ":": we print the messages.
 */
static void make_tables(struct option *longs, char *shorts)
{
	*shorts++ = '+';
	*shorts++ = ':';
	for (size_t i = 0; i < TIDE_ARRAY_CNT(specs); i++) {
		longs[i] =
			(struct option){.name = specs[i].name,
					.has_arg = specs[i].arg ? required_argument : no_argument,
					.val = specs[i].id};
		if (specs[i].id > 255)
			continue;
		*shorts++ = (char)specs[i].id;
		if (specs[i].arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

static int parse_at(const struct tide_cmd *cmd, int argc, char **argv, struct tide_options *opts)
{
	struct option longs[TIDE_ARRAY_CNT(specs) + 1] = {0};
	char shorts[3 * TIDE_ARRAY_CNT(specs) + 3];
	int id;

	make_tables(longs, shorts);
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (id == 'h') {
			tide_options_help(cmd);
			return -1 - TIDE_EXIT_OK;
		}
		if (id == '?')
			return -1 - tide_usage_error(cmd, "no option '%s'", argv[optind - 1]);
		if (id == ':')
			return -1 - tide_usage_error(cmd, "'%s' needs a value", argv[optind - 1]);
		if (set_option(id, optarg, opts))
			return bad_value(cmd, id, optarg ? optarg : "");
	}
	return optind;
}

/* Options may stand before and after operands for attach (`attach 42 --hold 2s 5`): operands are
 * moved to the front in their order. A lone "--" ends the options.
 */
int tide_options_parse(const struct tide_cmd *cmd, int argc, char **argv, struct tide_options *opts)
{
	int kept = 1, at;

	opterr = 0;
	optind = 1;
	if (cmd->run == tide_cmd_run)
		return parse_at(cmd, argc, argv, opts);
	while ((at = parse_at(cmd, argc, argv, opts)) >= 0 && at < argc) {
		bool rest = !strcmp(argv[at - 1], "--");

		while (at < argc) {
			argv[kept++] = argv[at++];
			if (!rest)
				break;
		}
		optind = at;
	}
	if (at < 0)
		return at;
	argv[kept] = NULL;
	return 1;
}
