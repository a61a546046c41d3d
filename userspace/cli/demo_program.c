#include "cli/demo_program.h"

/* TIDE_DEMO_PROGRAM is the path of the built program, from the Makefile. */
__asm__(".pushsection .rodata\n"
	".balign 16\n"
	".global tide_demo_program_begin\n"
	"tide_demo_program_begin:\n"
	".incbin \"" TIDE_DEMO_PROGRAM "\"\n"
	".global tide_demo_program_end\n"
	"tide_demo_program_end:\n"
	".popsection\n");
