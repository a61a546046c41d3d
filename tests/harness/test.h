/* The one include of every cmocka test: cmocka with what it needs, and a few asserts.
 *
 * Tests are compiled with -Werror=unused-function, so a test that was written but not put
 * into its group does not compile. A missing tool is a failure; a missing kernel feature or
 * privilege is a skip that says what is missing.
 */
#ifndef TIDE_HARNESS_TEST_H
#define TIDE_HARNESS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(expr)		assert_int_equal((expr), 0)
#define assert_errno(expr, err) assert_int_equal((expr), -(err))

/* Skips the running test; tests/harness/run.sh reads the line and shows the reason. */
#define skip_because(...)            \
	do {                         \
		printf("# skip: ");  \
		printf(__VA_ARGS__); \
		putchar('\n');       \
		skip();              \
	} while (0)

#define need_root()                                 \
	do {                                        \
		if (geteuid() != 0)                 \
			skip_because("needs root"); \
	} while (0)

#endif
