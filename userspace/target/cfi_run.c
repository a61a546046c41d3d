/* A function's program, executed once, gives all its rows (cfi.c says what the entries look like).
 * The state has three columns, CFA, rbp and the return address; instructions about other registers
 * are read and forgotten. A row is handed on when the place advances.
 */
#include "target/cfi_cursor.h"

#include <errno.h>

#define REG_RBP 6 /* System V ABI, AMD64 supplement, figure 3.36 */
#define REG_RSP 7
#define REG_RA	16

/* Nesting of DW_CFA_remember_state. Compilers use one. */
#define MAX_REMEMBERED 16

enum column_kind { COL_UNSET, COL_SAME, COL_UNDEFINED, COL_AT_CFA, COL_AT_EXPR, COL_OTHER };

struct column {
	enum column_kind kind;
	int64_t off; /* COL_AT_CFA */
	uint32_t expr_off, expr_bytes;
};

struct row_state {
	bool cfa_is_expr;
	uint64_t cfa_reg;
	int64_t cfa_off;
	uint32_t expr_off, expr_bytes;
	struct column rbp, ra;
};

struct machine {
	struct cie cie;
	struct row_state now, initial;
	struct row_state remembered[MAX_REMEMBERED];
	unsigned remembered_cnt;
	uint64_t pc;
	const struct tide_cfi_fde *fde;
	tide_cfi_row_fn row;
	void *arg;
};

/* ---- rules ---- */

static bool fits_s16(int64_t v)
{
	return v >= INT16_MIN && v <= INT16_MAX;
}

/* breg6|breg7 off: its register and offset. */
static bool get_breg(struct cursor *c, uint64_t *ret_reg, int64_t *ret_off)
{
	uint8_t op = get_fixed(c, 1);

	if (op < DW_OP_breg0 || op > DW_OP_breg31)
		return false;
	*ret_reg = op - DW_OP_breg0;
	*ret_off = get_sleb(c);
	return !c->bad && (*ret_reg == REG_RBP || *ret_reg == REG_RSP);
}

/* What the linkers write for .plt, where the stack is one word deeper once a stub has pushed the
 * number of its symbol: rsp + 8 + ((rip & 15) >= n ? 8 : 0), n 11, or 10 where the stub begins
 * with endbr64 or bnd.
 */
static bool match_plt(const uint8_t *expr, size_t bytes, int32_t *ret_from)
{
	const uint8_t plt[] = {DW_OP_breg7, 8,	       DW_OP_breg16, 0,
			       DW_OP_lit15, DW_OP_and, DW_OP_lit11,  DW_OP_ge,
			       DW_OP_lit3,  DW_OP_shl, DW_OP_plus};

	if (bytes != sizeof(plt) || memcmp(expr, plt, 6) || memcmp(expr + 7, plt + 7, 4) ||
	    expr[6] < DW_OP_lit0 || expr[6] > DW_OP_lit15)
		return false;
	*ret_from = expr[6] - DW_OP_lit0;
	return true;
}

/* The forms of a CFA expression that occur: PLT, reg + off, *(reg + off) and *(reg + off) + add. */
static void cfa_from_expr(const struct tide_cfi_section *s, const struct row_state *st,
			  struct tide_unwind_rule *rule)
{
	struct cursor c = {.s = s, .at = st->expr_off, .end = st->expr_off + st->expr_bytes};
	uint64_t reg, add = 0;
	int64_t off;
	int32_t from;

	rule->cfa = TIDE_CFA_UNSUPPORTED;
	if (match_plt(s->data + c.at, st->expr_bytes, &from)) {
		rule->cfa = TIDE_CFA_PLT;
		rule->cfa_off = from;
		return;
	}
	if (!get_breg(&c, &reg, &off))
		return;
	if (c.at == c.end && off == (int32_t)off) {
		rule->cfa = reg == REG_RSP ? TIDE_CFA_SP : TIDE_CFA_FP;
		rule->cfa_off = off;
		return;
	}
	if (get_fixed(&c, 1) != DW_OP_deref)
		return;
	if (c.at != c.end && (get_fixed(&c, 1) != DW_OP_plus_uconst || (add = get_uleb(&c), c.bad)))
		return;
	if (c.at != c.end || !fits_s16(off) || add > INT16_MAX)
		return;
	rule->cfa = reg == REG_RSP ? TIDE_CFA_DEREF_SP : TIDE_CFA_DEREF_FP;
	rule->deref_off = off;
	rule->deref_add = add;
}

static void fp_from_column(const struct tide_cfi_section *s, const struct row_state *st,
			   struct tide_unwind_rule *rule)
{
	const struct column *col = &st->rbp;
	struct cursor c = {.s = s, .at = col->expr_off, .end = col->expr_off + col->expr_bytes};
	uint64_t reg;
	int64_t off;

	rule->fp = TIDE_FP_UNKNOWN;
	if (col->kind == COL_UNSET || col->kind == COL_SAME) {
		rule->fp = TIDE_FP_SAME;
	} else if (col->kind == COL_AT_CFA && fits_s16(col->off)) {
		rule->fp = TIDE_FP_CFA;
		rule->fp_off = col->off;
	} else if (col->kind == COL_AT_EXPR && get_breg(&c, &reg, &off) && c.at == c.end) {
		if (reg == REG_RBP && fits_s16(off)) {
			rule->fp = TIDE_FP_FP;
			rule->fp_off = off;
		} else if (reg == REG_RSP && rule->cfa == TIDE_CFA_SP &&
			   fits_s16(off - rule->cfa_off)) {
			rule->fp = TIDE_FP_CFA;
			rule->fp_off = off - rule->cfa_off;
		}
	}
}

static void make_rule(const struct tide_cfi_section *s, const struct machine *m,
		      struct tide_unwind_rule *rule)
{
	const struct row_state *st = &m->now;

	memset(rule, 0, sizeof(*rule));
	if (m->cie.signal) {
		rule->cfa = TIDE_CFA_SIGNAL;
		return;
	}
	if (st->ra.kind == COL_UNDEFINED || st->ra.kind == COL_UNSET) {
		rule->cfa = TIDE_CFA_END;
		return;
	}
	rule->cfa = TIDE_CFA_UNSUPPORTED;
	if (st->ra.kind != COL_AT_CFA || st->ra.off != -8)
		return;
	if (st->cfa_is_expr) {
		cfa_from_expr(s, st, rule);
	} else if (st->cfa_off == (int32_t)st->cfa_off) {
		if (st->cfa_reg == REG_RSP)
			rule->cfa = TIDE_CFA_SP;
		else if (st->cfa_reg == REG_RBP)
			rule->cfa = TIDE_CFA_FP;
		rule->cfa_off = st->cfa_off;
	}
	if (rule->cfa == TIDE_CFA_UNSUPPORTED)
		rule->cfa_off = 0;
	else
		fp_from_column(s, st, rule);
}

/* ---- executing ---- */

static int advance(const struct tide_cfi_section *s, struct machine *m, uint64_t delta)
{
	struct tide_unwind_rule rule;
	uint64_t next;
	int r = 0;

	if (!m->fde || __builtin_mul_overflow(delta, m->cie.code_align, &delta) ||
	    __builtin_add_overflow(m->pc, delta, &next))
		return -EBADMSG;
	if (delta && m->pc < m->fde->end) {
		make_rule(s, m, &rule);
		r = m->row(m->arg, m->pc, &rule);
	}
	m->pc = next;
	return r;
}

static struct column *column_of(struct machine *m, struct row_state *st, uint64_t reg)
{
	if (reg == REG_RBP)
		return &st->rbp;
	return reg == m->cie.ra_reg ? &st->ra : NULL;
}

static void set_column(struct machine *m, uint64_t reg, enum column_kind kind, int64_t off)
{
	struct column *col = column_of(m, &m->now, reg);

	if (col)
		*col = (struct column){.kind = kind, .off = off};
}

static void restore_column(struct machine *m, uint64_t reg)
{
	struct column *col = column_of(m, &m->now, reg);

	if (col)
		*col = *column_of(m, &m->initial, reg);
}

/* An expression's bytes stay where they are; the cursor moves behind them. */
static void get_expr(struct cursor *c, uint32_t *ret_off, uint32_t *ret_bytes)
{
	uint64_t bytes = get_uleb(c);

	*ret_off = c->at;
	skip(c, bytes);
	*ret_bytes = c->bad ? 0 : bytes;
}

static void set_column_expr(struct machine *m, struct cursor *c)
{
	uint64_t reg = get_uleb(c);
	struct column *col = column_of(m, &m->now, reg);
	struct column expr = {.kind = COL_AT_EXPR};

	get_expr(c, &expr.expr_off, &expr.expr_bytes);
	if (col)
		*col = expr;
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t off)
{
	m->now.cfa_is_expr = false;
	m->now.cfa_reg = reg;
	m->now.cfa_off = off;
}

/* Offsets are products of two values of the file; they wrap, as unsigned numbers may. */
static int64_t scaled(const struct machine *m, uint64_t v)
{
	return (int64_t)(v * (uint64_t)m->cie.data_align);
}

static int remember(struct machine *m)
{
	if (m->remembered_cnt == MAX_REMEMBERED)
		return -EBADMSG;
	m->remembered[m->remembered_cnt++] = m->now;
	return 0;
}

static int restore(struct machine *m)
{
	if (!m->remembered_cnt)
		return -EBADMSG;
	m->now = m->remembered[--m->remembered_cnt];
	return 0;
}

/* Instructions about the CFA. */
static bool run_cfa(struct machine *m, struct cursor *c, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = get_uleb(c);
		set_cfa(m, reg, get_uleb(c));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = get_uleb(c);
		set_cfa(m, reg, scaled(m, get_sleb(c)));
		return true;
	case DW_CFA_def_cfa_register:
		set_cfa(m, get_uleb(c), m->now.cfa_off);
		return true;
	case DW_CFA_def_cfa_offset:
		set_cfa(m, m->now.cfa_reg, get_uleb(c));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		set_cfa(m, m->now.cfa_reg, scaled(m, get_sleb(c)));
		return true;
	case DW_CFA_def_cfa_expression:
		m->now.cfa_is_expr = true;
		get_expr(c, &m->now.expr_off, &m->now.expr_bytes);
		return true;
	default:
		return false;
	}
}

/* Instructions about a register. */
static bool run_register(struct machine *m, struct cursor *c, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_offset_extended:
		reg = get_uleb(c);
		set_column(m, reg, COL_AT_CFA, scaled(m, get_uleb(c)));
		return true;
	case DW_CFA_offset_extended_sf:
		reg = get_uleb(c);
		set_column(m, reg, COL_AT_CFA, scaled(m, get_sleb(c)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		reg = get_uleb(c);
		set_column(m, reg, COL_AT_CFA, scaled(m, -get_uleb(c)));
		return true;
	case DW_CFA_restore_extended:
		restore_column(m, get_uleb(c));
		return true;
	case DW_CFA_undefined:
		set_column(m, get_uleb(c), COL_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_column(m, get_uleb(c), COL_SAME, 0);
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
		set_column(m, get_uleb(c), COL_OTHER, 0);
		(void)get_uleb(c);
		return true;
	case DW_CFA_expression:
		set_column_expr(m, c);
		return true;
	case DW_CFA_val_expression:
		reg = get_uleb(c);
		skip(c, get_uleb(c));
		set_column(m, reg, COL_OTHER, 0);
		return true;
	default:
		return false;
	}
}

/* Instructions about the place, and the rest. */
static int run_place(const struct tide_cfi_section *s, struct machine *m, struct cursor *c,
		     uint8_t op)
{
	uint64_t to;

	switch (op) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_advance_loc1:
		return advance(s, m, get_fixed(c, 1));
	case DW_CFA_advance_loc2:
		return advance(s, m, get_fixed(c, 2));
	case DW_CFA_advance_loc4:
		return advance(s, m, get_fixed(c, 4));
	case DW_CFA_set_loc:
		to = get_encoded(c, m->cie.fde_enc);
		if (to < m->pc || m->cie.code_align != 1)
			return -EBADMSG;
		return advance(s, m, to - m->pc);
	case DW_CFA_remember_state:
		return remember(m);
	case DW_CFA_restore_state:
		return restore(m);
	case DW_CFA_GNU_args_size:
		(void)get_uleb(c);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int run_one(const struct tide_cfi_section *s, struct machine *m, struct cursor *c)
{
	uint8_t op = get_fixed(c, 1);

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		return advance(s, m, op & 0x3f);
	case DW_CFA_offset:
		set_column(m, op & 0x3f, COL_AT_CFA, scaled(m, get_uleb(c)));
		return 0;
	case DW_CFA_restore:
		restore_column(m, op & 0x3f);
		return 0;
	}
	if (run_cfa(m, c, op) || run_register(m, c, op))
		return 0;
	return run_place(s, m, c, op);
}

static int run(const struct tide_cfi_section *s, struct machine *m, uint32_t off, uint32_t bytes)
{
	struct cursor c = {.s = s, .at = off, .end = (size_t)off + bytes};
	int r;

	while (c.at < c.end) {
		r = run_one(s, m, &c);
		if (c.bad)
			return -EBADMSG;
		if (r)
			return r;
	}
	return 0;
}

int tide_cfi_run(const struct tide_cfi_section *s, const struct tide_cfi_fde *fde,
		 tide_cfi_row_fn row, void *arg)
{
	struct machine m = {.row = row, .arg = arg, .pc = fde->start};
	struct tide_unwind_rule rule;
	int r;

	if (tide_cfi_read_cie(s, fde->cie_off, &m.cie))
		return -EBADMSG;
	if (m.cie.ra_reg != REG_RA)
		return -EBADMSG;
	/* A CIE's program has no place: with fde unset, advancing is an error. */
	r = run(s, &m, m.cie.instr_off, m.cie.instr_bytes);
	if (r)
		return r;
	m.initial = m.now;
	m.fde = fde;
	r = run(s, &m, fde->off, fde->instr_bytes);
	if (r || m.pc >= fde->end)
		return r;
	make_rule(s, &m, &rule);
	return row(arg, m.pc, &rule);
}
