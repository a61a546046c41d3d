#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>

int tide_fail(struct tide_failure *fail, enum tide_exit code, int err, const char *fmt, ...)
{
	va_list args;

	if (!fail)
		return err;
	fail->exit = code;
	va_start(args, fmt);
	vsnprintf(fail->text, sizeof(fail->text), fmt, args);
	va_end(args);
	return err;
}
