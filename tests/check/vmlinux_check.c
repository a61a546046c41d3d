/* Holds vmlinux/vmlinux.h against the types of a kernel: vmlinux_check OBJECT [BTF]
 *
 * OBJECT is a BPF object with one variable for each type to check (tests/check/vmlinux writes it):
 * fields_T for a type that is relocated by field name at load time, exact_T for one whose layout
 * is used as it stands. BTF is that of the running kernel unless given.
 *
 *   fields_T   the kernel has T and every field of it, of the same kind (CO-RE's own rule:
 *              integers of one size, pointers to anything, structs by the fields named here)
 *   exact_T    every field also at the same offset; every enumerator with the same value
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/util.h"

#define MAX_DEPTH 8

struct check {
	const struct btf *ours;
	const struct btf *kernel;
	bool exact;
	int depth; /* of structs within structs */
	int finding_cnt;
	int field_cnt;
};

struct place {
	const struct btf_type *type;
	__u32 bit_offset;
};

static void finding(struct check *c, const char *type, const char *field, const char *why)
{
	c->finding_cnt++;
	printf("%s%s%s: %s\n", type, *field ? "." : "", field, why);
}

/* The type behind typedefs and qualifiers, NULL for void. */
static const struct btf_type *skip_names(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* A field by name, also within anonymous structs and unions. */
static bool find_field(const struct btf *btf, const struct btf_type *t, const char *name, int depth,
		       struct place *ret)
{
	const struct btf_member *m = btf_members(t);

	for (__u32 i = 0; i < btf_vlen(t); i++, m++) {
		const char *found = btf__name_by_offset(btf, m->name_off);
		const struct btf_type *inner = skip_names(btf, m->type);
		struct place sub;

		if (strcmp(found, name) == 0) {
			*ret = (struct place){inner, btf_member_bit_offset(t, i)};
			return true;
		}
		if (*found || !inner || !btf_is_composite(inner) || depth >= MAX_DEPTH)
			continue;
		if (find_field(btf, inner, name, depth + 1, &sub)) {
			*ret = (struct place){sub.type,
					      btf_member_bit_offset(t, i) + sub.bit_offset};
			return true;
		}
	}
	return false;
}

static void check_fields(struct check *c, const char *name, const struct btf_type *ours,
			 const struct btf_type *kernel);

static void check_kind(struct check *c, const char *type, const char *field,
		       const struct btf_type *ours, const struct btf_type *kernel)
{
	if (!ours || !kernel || btf_kind(ours) != btf_kind(kernel)) {
		finding(c, type, field, "is another kind of type in the kernel");
		return;
	}
	if (btf_is_int(ours) && ours->size != kernel->size)
		finding(c, type, field, "is an integer of another size in the kernel");
	if (btf_is_composite(ours) && c->depth < MAX_DEPTH) {
		c->depth++;
		check_fields(c, field, ours, kernel);
		c->depth--;
	}
}

static void check_fields(struct check *c, const char *name, const struct btf_type *ours,
			 const struct btf_type *kernel)
{
	const struct btf_member *m = btf_members(ours);

	for (__u32 i = 0; i < btf_vlen(ours); i++, m++) {
		const char *field = btf__name_by_offset(c->ours, m->name_off);
		struct place there;

		c->field_cnt++;
		if (!find_field(c->kernel, kernel, field, 0, &there)) {
			finding(c, name, field, "the kernel has no such field");
			continue;
		}
		/* In an exact type a word may be split by the kernel (x86's cs, since FRED). */
		if (!c->exact)
			check_kind(c, name, field, skip_names(c->ours, m->type), there.type);
		else if (btf_member_bit_offset(ours, i) != there.bit_offset)
			finding(c, name, field, "is at another offset in the kernel");
	}
}

static void check_enum(struct check *c, const char *name, const struct btf_type *ours,
		       const struct btf_type *kernel)
{
	const struct btf_enum *a = btf_enum(ours);

	for (__u32 i = 0; i < btf_vlen(ours); i++) {
		const char *word = btf__name_by_offset(c->ours, a[i].name_off);
		const struct btf_enum *b = btf_enum(kernel);
		__u32 k = 0;

		c->field_cnt++;
		while (k < btf_vlen(kernel) &&
		       strcmp(btf__name_by_offset(c->kernel, b[k].name_off), word) != 0)
			k++;
		if (k == btf_vlen(kernel) || b[k].val != a[i].val)
			finding(c, name, word, "has another value in the kernel, or none");
	}
}

/* "task_struct___old" is a flavour of task_struct: one of several forms, and may be absent. */
static void check_type(struct check *c, const char *name, const struct btf_type *ours)
{
	const char *flavour = strstr(name, "___");
	const struct btf_type *kernel;
	char base[128];
	int id;

	snprintf(base, sizeof(base), "%.*s", flavour ? (int)(flavour - name) : 100, name);
	id = btf__find_by_name_kind(c->kernel, base, btf_kind(ours));
	if (id < 0) {
		if (!flavour)
			finding(c, name, "", "the kernel has no such type");
		return;
	}
	kernel = btf__type_by_id(c->kernel, id);
	if (btf_is_enum(ours))
		check_enum(c, name, ours, kernel);
	else if (btf_is_composite(ours))
		check_fields(c, name, ours, kernel);
}

static int check_all(struct check *c)
{
	int type_cnt = 0;

	for (__u32 id = 1; id < btf__type_cnt(c->ours); id++) {
		const struct btf_type *var = btf__type_by_id(c->ours, id);
		const char *name = btf__name_by_offset(c->ours, var->name_off);
		const struct btf_type *type;

		if (!btf_is_var(var))
			continue;
		c->exact = strncmp(name, "exact_", 6) == 0;
		if (!c->exact && strncmp(name, "fields_", 7) != 0)
			continue;
		type = skip_names(c->ours, var->type);
		check_type(c, btf__name_by_offset(c->ours, type->name_off), type);
		type_cnt++;
	}
	return type_cnt;
}

int main(int argc, char **argv)
{
	const char *kernel_path = argc > 2 ? argv[2] : "/sys/kernel/btf/vmlinux";
	struct check c = {};
	int type_cnt;

	if (argc < 2)
		return 2;
	c.ours = btf__parse_elf(argv[1], NULL);
	c.kernel = btf__parse(kernel_path, NULL);
	if (!c.ours || !c.kernel) {
		printf("cannot read the BTF of %s: %s\n", c.ours ? kernel_path : argv[1],
		       strerror(errno));
		return 1;
	}
	type_cnt = check_all(&c);
	printf("      %d types, %d fields and values\n", type_cnt, c.field_cnt);
	btf__free((struct btf *)c.ours);
	btf__free((struct btf *)c.kernel);
	return c.finding_cnt || !type_cnt;
}
