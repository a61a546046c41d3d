/* Messages to stderr, never to stdout (that is for reports).
 *
 * Owns: the level. Never: exits, allocates. Threads: each call writes one line at once.
 * Libraries (ds, encode, target, symbolize, retain) log at debug level only and return codes;
 * probe, session and cli say an error once, where it happens.
 */
#ifndef TIDE_BASE_LOG_H
#define TIDE_BASE_LOG_H

enum tide_log_level { TIDE_LOG_ERROR, TIDE_LOG_WARN, TIDE_LOG_INFO, TIDE_LOG_DEBUG };

void tide_log_set_level(enum tide_log_level level);
enum tide_log_level tide_log_get_level(void);

/* Prints "tidemark: <text>\n" (warnings and debug lines with their level's name). */
void tide_log(enum tide_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define tide_err(...)	tide_log(TIDE_LOG_ERROR, __VA_ARGS__)
#define tide_warn(...)	tide_log(TIDE_LOG_WARN, __VA_ARGS__)
#define tide_info(...)	tide_log(TIDE_LOG_INFO, __VA_ARGS__)
#define tide_debug(...) tide_log(TIDE_LOG_DEBUG, __VA_ARGS__)

#endif
