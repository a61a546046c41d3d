/* What the workload asks of a container; one adaptor file each, all called the same way.
 *
 * Owns: nothing. Every container stores an 8-byte key and a 16-byte value.
 * Threads: one. Memory: the container's own.
 */
#ifndef TIDE_BENCH_CONTAINER_H
#define TIDE_BENCH_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_value {
	uint64_t birth_ns;
	uint32_t block_bytes;
	uint32_t site;
};

const char *bench_name(void);
void *bench_new(void);
void bench_put(void *map, uint64_t key, const struct bench_value *value);
bool bench_get(const void *map, uint64_t key, struct bench_value *ret);
bool bench_del(void *map, uint64_t key);
/* A hint that key will be used a few calls from now; nothing where there is no such call. */
void bench_prefetch(const void *map, uint64_t key);
/* What a user who knows that the spike is over would call; nothing where there is no such call. */
void bench_shrink(void *map);

#ifdef __cplusplus
}
#endif

#endif
