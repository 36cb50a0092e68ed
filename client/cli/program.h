/* One run of a program: input on its standard input, what it says on its standard output and
 * standard error. */
#ifndef PAWL_CLI_PROGRAM_H
#define PAWL_CLI_PROGRAM_H

#include "proto/bytes.h"
#include "proto/error.h"

struct program {
    char *const *words;       /* NULL-terminated; the first is looked for in PATH */
    char *const *environment; /* NULL-terminated */
    struct bytes input;
    size_t output_bytes_max;

    struct buffer output; /* whole */
    struct buffer errors; /* its last part */
    int exit_code;        /* 128 + n: ended by signal n */
};

/* Run it to its end. The caller gives output and errors back. PAWL_E_IO: it could not be started.
 * PAWL_E_LIMIT: it said more than output_bytes_max and was ended. */
MUST_USE enum pawl_error program_execute(struct program *program, struct pawl_diag *diag);

#endif
