/* Multi-uprobe links: all probes of a program in one link, removed in one grace period.
 *
 * Owns: the system call, which libbpf 1.1 (Debian 12) does not know yet; it can go when the floor
 * is libbpf 1.3. Threads: reentrant. Memory: none.
 */
#ifndef TIDE_PROBE_MULTI_H
#define TIDE_PROBE_MULTI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* enum bpf_attach_type, include/uapi/linux/bpf.h, Linux 6.6 (89ae89f53d20). */
#define TIDE_BPF_TRACE_UPROBE_MULTI 48

/* Attaches program prog_fd at cnt file offsets of path in process tgid (0: our own; -1 is used by
 * the feature test only). Returns a link descriptor or -errno.
 */
int tide_multi_attach(int prog_fd, const char *path, const uint64_t *offsets,
		      const uint64_t *cookies, size_t cnt, bool at_return, pid_t tgid);

#endif
