/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocations that know their own call stack: backtrace(), taken in the very function that calls
 * malloc, a moment before it does.
 *
 * Owns: the records. Never: frees a block (a site keeps its figures), allocates on its own account.
 * Threads: truth_alloc() from any, and from signal handlers. Memory: TRUTH_MAX records of ~2 KiB.
 *
 * stdin: go | quit
 * stdout: ready; after go "size label address...", innermost first, for each record, lines
 * "map start end file_off path" for executable mappings, and "done N".
 */
#ifndef TIDE_TARGET_TRUTH_H
#define TIDE_TARGET_TRUTH_H

#ifdef __cplusplus
extern "C" {
#endif

#define NOINLINE __attribute__((noinline))

/* label: what kind of stack it is, one word. Each call asks for a size of its own. */
void *truth_alloc(const char *label);
/* Says ready and waits for the test; then the program makes its stacks. */
void truth_begin(void);
/* Says what was recorded and waits for quit. */
int truth_end(void);

#ifdef __cplusplus
}
#endif

#endif
