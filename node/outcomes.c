/* Answers and effects that wait. They leave in log order, from the leader of the deciding term,
 * while it still leads. */
#include <assert.h>
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

enum { FREE_OUTCOMES_MAX = 1024 }; /* kept for decisions to come */

struct outcome *outcome_new(struct partition *partition)
{
    struct outcome *outcome = partition->free_outcomes;
    if (outcome == NULL)
        return calloc(1, sizeof *outcome);
    partition->free_outcomes = outcome->next;
    partition->free_outcome_count--;
    return outcome;
}

void outcome_free(struct partition *partition, struct outcome *outcome)
{
    if (partition->free_outcome_count >= FREE_OUTCOMES_MAX) {
        arena_done(&outcome->arena);
        free(outcome);
        return;
    }
    arena_reset(&outcome->arena);
    outcome->next = partition->free_outcomes;
    partition->free_outcomes = outcome;
    partition->free_outcome_count++;
}

void outcomes_add(struct outcome_queue *queue, struct outcome *outcome)
{
    if (queue->first == NULL)
        queue->last_next = &queue->first;
    outcome->next = NULL;
    *queue->last_next = outcome;
    queue->last_next = &outcome->next;
}

static struct outcome *take_first(struct outcome_queue *queue)
{
    struct outcome *outcome = queue->first;
    queue->first = outcome->next;
    return outcome;
}

static void leave(struct partition *partition, struct outcome *outcome)
{
    const struct decision *decision = &outcome->decision;
    const struct bytes detail = decision->rejection == PAWL_OK ? (struct bytes){NULL, 0}
                                                               : bytes_string(decision->diag.text);
    clients_respond(partition->replica, outcome->origin, decision->rejection, detail,
                    decision->answer, outcome->index);
    for (size_t i = 0; i < decision->handout_count; i++)
        sessions_hand_out(partition, &decision->handouts[i]);
    for (size_t i = 0; i < decision->closed_count; i++)
        reads_run_closed(partition, decision->closed[i], outcome->index);
    outcome_free(partition, outcome);
}

void outcomes_release(struct partition *partition)
{
    const uint64_t committed =
        NODE_MUTANT(ANSWER_BEFORE_COMMIT) ? UINT64_MAX : partition->applied_index;
    while (partition->decided.first != NULL && partition->decided.first->index <= committed)
        leave(partition, take_first(&partition->decided));
    while (partition->quiet.first != NULL && partition->quiet.first->index <= committed &&
           partition->quiet.first->round <= partition->confirmed_round)
        leave(partition, take_first(&partition->quiet));
}

static void fail_queue(struct partition *partition, struct outcome_queue *queue,
                       enum pawl_error error)
{
    while (queue->first != NULL) {
        struct outcome *outcome = take_first(queue);
        clients_respond(partition->replica, outcome->origin, error, (struct bytes){NULL, 0},
                        (struct bytes){NULL, 0}, 0);
        outcome_free(partition, outcome);
    }
}

void outcomes_fail_all(struct partition *partition)
{
    fail_queue(partition, &partition->decided, PAWL_E_UNKNOWN_OUTCOME);
    fail_queue(partition, &partition->quiet, PAWL_E_UNKNOWN_OUTCOME);
}

void outcomes_done(struct partition *partition)
{
    while (partition->free_outcomes != NULL) {
        struct outcome *outcome = partition->free_outcomes;
        partition->free_outcomes = outcome->next;
        arena_done(&outcome->arena);
        free(outcome);
    }
}
