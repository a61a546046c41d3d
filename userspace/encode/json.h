/* JSON values out of what reports have, over jansson.
 *
 * Owns: nothing; each function hands out a new value. Never: writes anything that is not valid
 * UTF-8. Threads: pure.
 * Memory: jansson's; a NULL value means that there was none, and is noticed when it is put.
 */
#ifndef TIDE_ENCODE_JSON_H
#define TIDE_ENCODE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* null for NULL; invalid UTF-8 is repaired. */
json_t *tide_json_text(const char *bytes);
/* JSON readers have 64 bits with a sign: more becomes INT64_MAX. */
json_t *tide_json_u64(uint64_t number);
/* 16 lower-case hex digits: for identities, which no reader may round. */
json_t *tide_json_hex64(uint64_t number);
/* null when not finite. */
json_t *tide_json_real(double number);
/* Seconds with milliseconds. */
json_t *tide_json_seconds(uint64_t ns);
/* RFC 3339, UTC. */
json_t *tide_json_time(uint64_t realtime_ns);

/* Give the value away; *failed becomes true when there was no memory, for this value or for the
 * container, and is otherwise left alone.
 */
void tide_json_put(json_t *object, const char *key, json_t *value, bool *failed);
void tide_json_append(json_t *array, json_t *value, bool *failed);

/* One document written piece by piece, so that a report of ten thousand sites needs the memory of
 * one: an object whose members are values or arrays. Indented by two, keys in the order in which
 * they come, ASCII only (what is not is escaped), a newline at its end.
 *
 *     tide_json_begin(&writer, out);
 *     tide_json_member(&writer, "schema", tide_json_u64(1));
 *     tide_json_begin_array(&writer, "sites");
 *     tide_json_element(&writer, site); ...
 *     tide_json_end_array(&writer);
 *     r = tide_json_end(&writer);
 *
 * Values are given away. Errors stay in err, and nothing is written after the first.
 */
struct tide_json_writer {
	FILE *out;
	int err; /* 0 or -errno */
	size_t member_cnt, element_cnt;
};

void tide_json_begin(struct tide_json_writer *writer, FILE *out);
/* key: plain ASCII, ours. */
void tide_json_member(struct tide_json_writer *writer, const char *key, json_t *value);
void tide_json_begin_array(struct tide_json_writer *writer, const char *key);
void tide_json_element(struct tide_json_writer *writer, json_t *value);
void tide_json_end_array(struct tide_json_writer *writer);
/* Returns err. */
int tide_json_end(struct tide_json_writer *writer);

#endif
