/* Film: an engine that gets the commands of a script one at a time, and shows every decision.
 *
 * Lines that begin with "> " are commands, those with "| " the text under one; the rest of a
 * decision is shown indented and rewritten on demand. Time stands still but for `wait` and `fire`;
 * it is shown in milliseconds since the beginning.
 *
 *   worker NAME CREDIT TYPE...      a session that serves types
 *   gone NAME                       it is gone, and every lease it held is lost
 *   deploy [request=N] [file=PATH]  the text under it, or a file
 *   start DEFINITION ID [JSON] [conflict=use|terminate] [reuse=failed|reject] [request=N]
 * [version=V] complete ID STEP [JSON] [handout=K]     by the session of the step's newest hand-out,
 * or of its K-th fail ID STEP TYPE [JSON] [handout=K] [final] [after=MS]      JSON: the detail, a
 * string again                           the report or start before, with the same request id
 *   dispatch TYPE                   ready steps to whoever has credit
 *   wait MS                         time passes
 *   fire [early]                    the first timer, when it is due, or too early
 *   settle                          timers that are due now fire until there are none
 *   show|history|result ID · list · definitions · rows
 *
 * A command with the word `quiet` does not show its decision.
 */
#ifndef TESTS_WORKFLOW_FILM_H
#define TESTS_WORKFLOW_FILM_H

#include <stdbool.h>
#include <stdio.h>

/* Run a script and write it anew with what is decided. False: a command that is no command; it is
 * named. */
bool film_run(const char *script, FILE *out);

#endif
