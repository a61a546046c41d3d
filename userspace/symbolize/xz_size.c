/* libdwfl unfolds .gnu_debugdata whole and without a bound, and 10 MB of .xz can stand for 70 GB.
 *The sizes in the stream's index may lie, for a decoder compares them when it has finished. The
 *chunks cannot: a decoder makes of each exactly what its header says.
 *
 *	stream   header 12 │ block │ block │ ... │ 0x00 index ...
 *	block    header (4 x (first byte + 1)) │ chunk │ chunk │ ... │ 0x00 │ padding │ check
 *	chunk    0x01, 0x02: raw, size - 1 in 16 bits │ that many bytes
 *	         0x80..: bits 16-20 of size - 1, 16 more │ packed size - 1 │ [properties] │ bytes
 *
 * Layouts: "The .xz File Format" 1.2.1, sections 2 and 3 (tukaani.org/xz/xz-file-format.txt), and
 * LZMA2's chunks as liblzma's lzma2_decoder.c reads them. Filters before LZMA2 (x86, delta) keep
 * the size.
 */
#include "symbolize/xz_size.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define STREAM_HEADER_BYTES 12
#define LZMA2_END	    0x00
#define LZMA2_RAW	    0x01 /* after a reset of the dictionary; 2: without */
#define LZMA2_RAW_ON	    0x02
#define LZMA2_PACKED	    0x80
#define LZMA2_PROPERTIES    0xc0 /* and beyond: a byte of properties follows the sizes */

struct reader {
	const uint8_t *bytes;
	size_t at, len;
};

static bool skip(struct reader *reader, size_t cnt)
{
	if (cnt > reader->len - reader->at)
		return false;
	reader->at += cnt;
	return true;
}

/* Two bytes, the high one first, at an offset from here. */
static size_t be16(const struct reader *reader, size_t off)
{
	return (size_t)reader->bytes[reader->at + off] << 8 | reader->bytes[reader->at + off + 1];
}

/* One chunk behind its control byte. */
static bool add_chunk(struct reader *reader, uint8_t control, uint64_t *bytes)
{
	size_t packed;

	if (control == LZMA2_RAW || control == LZMA2_RAW_ON) {
		if (reader->len - reader->at < 2)
			return false;
		packed = be16(reader, 0) + 1;
		*bytes += packed;
		return skip(reader, 2 + packed);
	}
	if (control < LZMA2_PACKED || reader->len - reader->at < 4)
		return false;
	*bytes += ((uint64_t)(control & 0x1f) << 16) + be16(reader, 0) + 1;
	packed = be16(reader, 2) + 1;
	return skip(reader, 4 + (control >= LZMA2_PROPERTIES) + packed);
}

static bool add_block(struct reader *reader, size_t check_bytes, uint64_t *bytes)
{
	uint8_t control;
	size_t start;

	if (!skip(reader, ((size_t)reader->bytes[reader->at] + 1) * 4))
		return false;
	start = reader->at;
	while (reader->at < reader->len) {
		control = reader->bytes[reader->at++];
		if (control == LZMA2_END)
			return skip(reader, -(reader->at - start) % 4 + check_bytes);
		if (!add_chunk(reader, control, bytes))
			return false;
	}
	return false;
}

int tide_xz_size(const void *stream, size_t len, uint64_t *ret_bytes)
{
	static const uint8_t check_sizes[16] = {0,  4,	4,  4,	8,  8,	8,  16,
						16, 16, 32, 32, 32, 64, 64, 64};
	struct reader reader = {.bytes = stream, .len = len};
	uint64_t bytes = 0;
	size_t check_bytes;

	if (len < STREAM_HEADER_BYTES || memcmp(stream,
						"\xfd"
						"7zXZ\0\0",
						7) != 0)
		return -EBADMSG;
	check_bytes = check_sizes[reader.bytes[7] & 0xf];
	reader.at = STREAM_HEADER_BYTES;
	while (reader.at < len && reader.bytes[reader.at])
		if (!add_block(&reader, check_bytes, &bytes))
			return -EBADMSG;
	if (reader.at == len)
		return -EBADMSG;
	*ret_bytes = bytes;
	return 0;
}
