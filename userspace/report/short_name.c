/* Not every angle bracket opens arguments:
 *
 *	operator<<, operator->, operator<=>          C++'s operators, copied as they are
 *	<alloc::vec::Vec<T> as core::Clone>::clone   Rust's path of a trait's function: what it says
 *	                                             is the name; only Vec's T goes
 *	fn(A) -> B                                   closes nothing
 *
 * A path begins where no name precedes the bracket; arguments follow a name or Rust's "::".
 */
#include "report/short_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define ARGUMENTS "<...>"

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '}' || c == ')' ||
	       c == ']' || (unsigned char)c >= 0x80;
}

/* The length of an operator's name at the beginning of text, 0: it is none. */
static size_t operator_len(const char *name, const char *at)
{
	static const char *const symbols[] = {"<<=", ">>=", "<=>", "->*", "<<", ">>",
					      "<=",  ">=",  "->",  "()",  "<",	">"};

	if (strncmp(at, "operator", 8) != 0 || (at > name && is_name_char(at[-1])))
		return 0;
	for (size_t i = 0; i < TIDE_ARRAY_CNT(symbols); i++)
		if (!strncmp(at + 8, symbols[i], strlen(symbols[i])))
			return 8 + strlen(symbols[i]);
	return 0;
}

/* What follows the bracket that closes the one at `at`, or NULL. */
static const char *behind_arguments(const char *at)
{
	size_t depth = 0;

	for (const char *c = at; *c; c++) {
		if (*c == '<') {
			depth++;
		} else if (*c == '>' && c[-1] != '-' && !--depth) {
			return c + 1;
		}
	}
	return NULL;
}

static bool opens_arguments(const char *name, const char *at)
{
	return at > name && (is_name_char(at[-1]) || at[-1] == ':');
}

char *tide_short_name(const char *name)
{
	/* Arguments are at least two brackets and one character: "<T>" becomes two longer. */
	char *shorter = malloc(2 * strlen(name) + 1), *out = shorter;
	const char *at = name, *behind;

	if (!shorter)
		return NULL;
	while (*at) {
		size_t len = operator_len(name, at);

		memcpy(out, at, len);
		out += len;
		at += len;
		/* "operator<< <char>": a blank keeps the two apart. */
		if (len && at[0] == ' ' && at[1] == '<')
			*out++ = *at++;
		else if (len)
			continue;
		behind = *at == '<' && (len || opens_arguments(name, at)) ? behind_arguments(at)
									  : NULL;
		if (!behind || behind - at < 3) {
			*out++ = *at++;
			continue;
		}
		memcpy(out, ARGUMENTS, strlen(ARGUMENTS));
		out += strlen(ARGUMENTS);
		at = behind;
	}
	*out = '\0';
	return shorter;
}
