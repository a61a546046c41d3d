/* Demangling hostile names.
 *
 * A symbol name comes from the target's file, and both manglings can refer back to what they
 * have said already: a kilobyte of input can stand for more output than there is memory. So the
 * output is taken piecewise through libiberty's callbacks, and once it passes OUTPUT_MAX the
 * demangler is left with longjmp(). The C++ one keeps all of its state on the stack; the Rust one
 * may leave one decoded punycode identifier behind, a few KiB at worst. The depth of recursion is
 * libiberty's to bound, which it does unless DMGL_NO_RECURSE_LIMIT is given.
 */
#include "symbolize/symbolize.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX  8192
#define OUTPUT_MAX 16384

struct output {
	char *text; /* OUTPUT_MAX + 1 bytes */
	size_t len;
	jmp_buf overflow;
};

static void append(const char *part, size_t len, void *opaque)
{
	struct output *out = opaque;

	if (len > OUTPUT_MAX - out->len)
		longjmp(out->overflow, 1);
	memcpy(out->text + out->len, part, len);
	out->len += len;
}

typedef int (*demangler_fn)(const char *, int, demangle_callbackref, void *);

static bool run_demangler(demangler_fn demangler, const char *name, struct output *out)
{
	out->len = 0;
	if (setjmp(out->overflow))
		return false;
	return demangler(name, DMGL_PARAMS | DMGL_ANSI, append, out) && out->len;
}

static demangler_fn demangler_of(const char *name)
{
	if (!strncmp(name, "_R", 2) || !strncmp(name, "__R", 3))
		return rust_demangle_callback;
	if (strncmp(name, "_Z", 2))
		return NULL;
	return cplus_demangle_v3_callback;
}

/* Rust's older scheme is a valid C++ name whose last part is "17h" and 16 hex digits. */
static bool may_be_legacy_rust(const char *name)
{
	const char *hash = strstr(name, "17h");

	if (strncmp(name, "_ZN", 3))
		return false;
	for (; hash; hash = strstr(hash + 1, "17h"))
		if (strspn(hash + 3, "0123456789abcdef") == 16 && hash[19] == 'E')
			return true;
	return false;
}

char *tide_demangle(const char *name)
{
	demangler_fn demangler = demangler_of(name);
	struct output out;
	char *shrunk;

	if (!demangler || strnlen(name, INPUT_MAX + 1) > INPUT_MAX)
		return strdup(name);
	out.text = malloc(OUTPUT_MAX + 1);
	if (!out.text)
		return NULL;
	if (!(may_be_legacy_rust(name) && run_demangler(rust_demangle_callback, name, &out)) &&
	    !run_demangler(demangler, name, &out)) {
		free(out.text);
		return strdup(name);
	}
	out.text[out.len] = '\0';
	shrunk = realloc(out.text, out.len + 1);
	return shrunk ? shrunk : out.text;
}
