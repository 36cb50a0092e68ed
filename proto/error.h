/* Errors: one closed list, the same in C, on the wire, in HTTP, at the command line and in pages.
 *
 * 1. 0 is success. Numbers are wire-stable; the list is errors.def.
 * 2. Outs are untouched on failure.
 * 3. Detail for people goes into a caller-owned struct pawl_diag, which may always be NULL.
 */
#ifndef PAWL_PROTO_ERROR_H
#define PAWL_PROTO_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum pawl_error {
    PAWL_OK = 0,
#define PAWL_ERROR(name, number, http, outcome, retryable, text) PAWL_E_##name = number,
#include "proto/errors.def"
#undef PAWL_ERROR
};

/* What became of a request that ended in an error (promise P12). */
enum pawl_outcome { PAWL_OUTCOME_NONE, PAWL_OUTCOME_UNKNOWN };

/* What a person should read: what happened, and where in their text if that is known. */
struct pawl_diag {
    char text[480]; /* a sentence, NUL-terminated */
    int line;       /* from 1; 0: no place */
    int column;     /* from 1; 0: no place */
};

#ifndef MUST_USE
#define MUST_USE __attribute__((warn_unused_result))
#endif

/* Leave on the first failure. Only where the function owns nothing that must be given back. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum pawl_error try_error_ = (call);                                                       \
        if (try_error_ != PAWL_OK)                                                                 \
            return try_error_;                                                                     \
    } while (0)

/* "NOT_FOUND" and so on; "UNKNOWN_ERROR" for a number that is not in the list. Static text. */
const char *pawl_error_name(enum pawl_error error);
/* The sentence of errors.def. Static text. */
const char *pawl_error_text(enum pawl_error error);
/* HTTP status; 500 for a number that is not in the list. */
int pawl_error_http(enum pawl_error error);
bool pawl_error_is_retryable(enum pawl_error error);
enum pawl_outcome pawl_error_outcome(enum pawl_error error);
/* A number from a wire as an error of the list; anything unknown becomes PAWL_E_INTERNAL, 0 stays
 * PAWL_OK. */
enum pawl_error pawl_error_from_wire(unsigned long long number);

/* What has just been formatted into diag may have been cut off anywhere: whole characters stay. */
void diag_cut(struct pawl_diag *diag);
/* Write a sentence into diag (NULL: nothing happens) and return error, so that
 * `return diag_fail(diag, PAWL_E_INVALID, "...", ...)` reads as one step. */
enum pawl_error diag_fail(struct pawl_diag *diag, enum pawl_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
