/* Show: what goes in and out of a core, as one line of text each, for transcripts and traces. */
#ifndef TESTS_RAFT_SHOW_H
#define TESTS_RAFT_SHOW_H

#include <stdio.h>

#include "raft/raft.h"

void show_message(FILE *out, const struct raft_message *message);
/* "1 commits 4" and so on; node says whose output it is. */
void show_output(FILE *out, raft_node node, const struct raft_output *output);
/* One line: role, term, leader, log as runs of terms, what is committed and what is stable. */
void show_state(FILE *out, raft_node node, const struct raft *raft);
const char *show_error(enum raft_error error);

#endif
