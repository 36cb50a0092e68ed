/* Transcripts: scripts with what came of them, a text film each. Every script in a folder must come
 * out as it is written there. */
#ifndef TESTS_TRANSCRIPT_H
#define TESTS_TRANSCRIPT_H

#include <stdbool.h>
#include <stdio.h>

/* Run a script and write it anew with what comes of it; false: it is no script. */
typedef bool (*transcript_play)(const char *script, FILE *out);

/* The program PROGRAM FOLDER [--rewrite]: play every .txt file of the folder. Rewriting (or
 * PAWL_REWRITE=1) puts the present outputs into the files, for review as a diff. Its exit status.
 */
int transcripts_main(int argc, char **argv, transcript_play play);

#endif
