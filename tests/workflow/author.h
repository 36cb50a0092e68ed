/* Author: random definitions that are valid, and small enough to come to an end now and then. */
#ifndef TESTS_WORKFLOW_AUTHOR_H
#define TESTS_WORKFLOW_AUTHOR_H

#include "proto/bytes.h"

enum { AUTHOR_TYPES = 4 }; /* step types "t0" to "t3", and their undos "u0" to "u3" */

/* Append the text of a definition "<name> 1.0.0" of namespace "test". The same random state gives
 * the same text. */
void author_write(const char *name, uint64_t *random, struct buffer *out);

#endif
