/* Queries: what the answers to reads share. Private to the engine. */
#ifndef PAWL_WORKFLOW_QUERY_H
#define PAWL_WORKFLOW_QUERY_H

#include "proto/limits.h"
#include "workflow/changes.h"
#include "workflow/engine.h"
#include "workflow/state.h"

struct query {
    struct engine *engine;
    struct changes rows; /* nothing is changed: it reads and decodes */
    struct arena *arena;
    struct buffer *scratch;
    struct pawl_diag *diag;
};

/* A run that a target names. */
struct query_run {
    struct id128 id;
    struct instance row;
};
/* A stored value of a run; values: those of its header. Number 0 is null. */
MUST_USE enum pawl_error query_value(struct query *query, struct id128 run,
                                     const struct list *values, uint32_t number,
                                     struct bytes *value_out);
/* "running", "waiting", "completed" and so on. */
const char *query_status(const struct instance *row);
void query_id_pack(struct buffer *out, const char *key, struct id128 id);
void query_text_pack(struct buffer *out, const char *key, struct bytes text);
/* namespace, workflowId, run, definition, version, status, startedAt and endedAt (null while it
 * runs): 8 pairs. */
void query_head_pack(struct buffer *out, const struct query_run *run);
MUST_USE enum pawl_error query_answer_take(struct query *query, size_t begin,
                                           struct bytes *answer_out);

MUST_USE enum pawl_error query_show(struct query *query, const struct query_run *run,
                                    struct bytes *answer_out); /* query_show.c */
MUST_USE enum pawl_error query_history(struct query *query, const struct query_run *run,
                                       struct bytes *answer_out); /* query_history.c */
MUST_USE enum pawl_error query_list(struct query *query, const struct msg_list *list,
                                    struct bytes *answer_out); /* query_list.c */
MUST_USE enum pawl_error query_definition_list(struct query *query, const struct msg_list *list,
                                               struct bytes *answer_out); /* query_list.c */
MUST_USE enum pawl_error query_definition_show(struct query *query,
                                               const struct msg_definition *wanted,
                                               struct bytes *answer_out); /* query_list.c */

#endif
