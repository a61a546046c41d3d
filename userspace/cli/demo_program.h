/* The program of the story (tests/targets/c/story.c), carried inside ours so that `tidemark demo`
 * works wherever Tidemark is installed.
 */
#ifndef TIDE_CLI_DEMO_PROGRAM_H
#define TIDE_CLI_DEMO_PROGRAM_H

/* An ELF executable, from begin up to end. */
extern const char tide_demo_program_begin[];
extern const char tide_demo_program_end[];

#endif
