/* What most commands need: a handle made from the global options, and an answer or an error to
 * print. */
#ifndef PAWL_CLI_SESSION_H
#define PAWL_CLI_SESSION_H

#include "client/cli/print.h"

struct session {
    const struct arguments *arguments;
    struct pawl *pawl;
    uint32_t timeout_ms; /* 0: none was given */
    struct pawl_answer *answer;
    struct pawl_diag diag;
};

/* EXIT_OK, or what was printed. */
enum exit_code session_open(struct session *session, const struct arguments *arguments);
void session_close(struct session *session);
/* Print the error of the last call, as its exit code. */
enum exit_code session_fail(struct session *session, enum pawl_error error, const char *hint);
/* The value of the answer. */
struct bytes session_value(const struct session *session);

/* Say what the last call came to: its error, or its answer, as JSON when that is wanted and through
 * print otherwise. */
enum exit_code session_answered(struct session *session, enum pawl_error error,
                                void (*print)(struct bytes answer));

typedef enum pawl_error (*ask_list)(struct pawl *pawl, const struct pawl_list *list,
                                    struct pawl_answer **answer_out, struct pawl_diag *diag);

/* A whole command: ask for the list that the options name, and print the page. */
enum exit_code session_list(const struct arguments *arguments, ask_list ask,
                            void (*print)(struct bytes answer));

/* The content of a file, or of standard input for "-", with a NUL behind it. */
MUST_USE enum pawl_error file_read(const char *path, size_t bytes_max, struct buffer *content,
                                   struct pawl_diag *diag);

#endif
