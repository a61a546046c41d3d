/* Starts a command stopped just before its first allocation.
 *
 * Owns: the child until tide_spawn_release(); if Tidemark dies before its first release, the child
 * dies with it, later it goes on. Never: interprets a shell line; the command gets our environment
 * and a clean signal mask. Threads: one user; ptrace binds the child to the thread that started it.
 * Memory: fixed.
 */
#ifndef TIDE_SESSION_SPAWN_H
#define TIDE_SESSION_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/failure.h"

/* Starts argv[0] (searched in PATH) and stops it where every library is mapped and nothing has been
 * allocated yet. *ret_tgid is its pid. 0, or -errno with *fail (nothing is left running).
 */
int tide_spawn(char *const argv[], pid_t *ret_tgid, struct tide_failure *fail);
/* Lets it go. 0 or -errno. */
int tide_spawn_release(pid_t tgid);
/* Takes hold of our child again when it was stopped by SIGSTOP at an exec (tide_probe_opts
 * stop_on_exec), and brings it to the same point of its new program. 0 or -errno with *fail.
 */
int tide_spawn_catch_exec(pid_t tgid, struct tide_failure *fail);

#endif
