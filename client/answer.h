/* An answer: an error, words about it, and a value. */
#ifndef PAWL_CLIENT_ANSWER_H
#define PAWL_CLIENT_ANSWER_H

#include "client/pawl.h"
#include "proto/arena.h"

struct pawl_answer {
    enum pawl_error error;
    uint64_t index;
    struct bytes value;  /* borrowed, or in kept */
    struct bytes detail; /* the same */
    const char *words;   /* detail with its NUL */
    struct arena texts;  /* strings that were asked for */
    struct buffer json;
    struct buffer kept;
};

/* A view of what is passed in. The answer is zeroed, or was used before: its memory is used again.
 */
void answer_set(struct pawl_answer *answer, enum pawl_error error, struct bytes detail,
                struct bytes value, uint64_t index);
void answer_done(struct pawl_answer *answer);
/* A copy that owns everything; NULL: no memory. */
struct pawl_answer *answer_keep(const struct pawl_answer *answer);

#endif
