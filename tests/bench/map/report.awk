# "container<TAB>measure<TAB>value" lines to the table and the targets of the map comparison.
BEGIN { FS = "\t" }

!($1 in seen) { seen[$1] = 1; names[++name_cnt] = $1 }

# The quietest of several runs: noise only adds.
{
	if (!(($1, $2) in v) || $3 + 0 < v[$1, $2])
		v[$1, $2] = $3 + 0
}

function cell(name, measure, unit, digits)
{
	if (!((name, measure) in v))
		return "-"
	return sprintf("%." digits "f", v[name, measure] / unit)
}

function row(title, measure, unit, digits,    i)
{
	printf "%-34s", title
	for (i = 1; i <= name_cnt; i++)
		printf " %19s", cell(names[i], measure, unit, digits)
	printf "\n"
}

function target(title, have, ratio, met)
{
	if (have)
		printf "%-66s %9.2f  %s\n", title, ratio, met ? "met" : "NOT met"
	else
		printf "%-66s %9s  %s\n", title, "-", "not measured"
}

function has(name, measure) { return (name, measure) in v }

function faster(title, measure, than, factor,    have, ratio)
{
	have = has(tide, measure) && has(than, measure)
	ratio = have ? v[than, measure] / v[tide, measure] : 0
	target(title sprintf(" / %s, at least %.1f", than, factor), have, ratio, ratio >= factor)
}

END {
	tide = "tide_blockmap"; absl = "absl::flat_hash_map"; std = "std::unordered_map"
	mb = 1048576
	for (i = 1; i <= name_cnt && n == 1000000; i++) {
		v[names[i], "churn_ns"] = v[names[i], "churn_small_ns"]
		v[names[i], "hinted_ns"] = v[names[i], "hinted_small_ns"]
	}
	printf "%-34s", n " entries; processor time"
	for (i = 1; i <= name_cnt; i++)
		printf " %19s", names[i]
	printf "\n"
	row("insert, ns", "insert_ns", 1, 0)
	row("find, hit, ns", "hit_ns", 1, 0)
	row("find, miss, ns", "miss_ns", 1, 0)
	row("churn at 1 M, ns a pair", "churn_small_ns", 1, 0)
	row("churn at N, ns a pair", "churn_ns", 1, 0)
	row("churn at 1 M with hints, ns a pair", "hinted_small_ns", 1, 0)
	row("churn at N with hints, ns a pair", "hinted_ns", 1, 0)
	row("drain, ns", "drain_ns", 1, 0)
	row("worst single insert, us", "worst_ns", 1000, 0)
	row("the same by the wall clock, us", "worst_wall_ns", 1000, 0)
	row("resident bytes an entry at N", "entry_bytes", 1, 1)
	row("the same after churn", "churn_entry_bytes", 1, 1)
	row("resident at 100 K, before, MB", "rss_before", mb, 1)
	row("at the spike, MB", "rss_spike", mb, 1)
	row("drained to 100 K again, MB", "rss_drained", mb, 1)
	row("after its own shrink call, MB", "rss_shrunk", mb, 1)

	printf "\n%-66s %9s\n", "targets", "measured"
	faster("churn at N, plain calls: throughput", "churn_ns", std, 3)
	faster("churn at N, plain calls: throughput", "churn_ns", absl, 0.8)
	faster("churn at N, hints where taken: throughput", "hinted_ns", std, 3)
	faster("churn at N, hints where taken: throughput", "hinted_ns", absl, 0.8)
	faster("worst single insert: 1", "worst_ns", absl, 100)
	have = has(tide, "rss_drained")
	r = have ? v[tide, "rss_drained"] / v[tide, "rss_before"] : 0
	target("resident after the drain / before the spike, at most 2.0", have, r, r <= 2)
	have = has(tide, "entry_bytes")
	r = have ? v[tide, "entry_bytes"] : 0
	target("resident bytes an entry at N, at most 32", have, r, r <= 32)
}
