/* Names of C++ and Rust functions without their template arguments and generics.
 * Owns: nothing. Threads: pure. Memory: the result is malloc'ed, NULL only without memory.
 */
#ifndef TIDE_REPORT_SHORT_NAME_H
#define TIDE_REPORT_SHORT_NAME_H

/* "void std::vector<int, A<int> >::reserve(...)" as "void std::vector<...>::reserve(...)". What is
 * in angle brackets that do not close stays as it is.
 */
char *tide_short_name(const char *name);

#endif
