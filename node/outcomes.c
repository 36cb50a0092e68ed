/* Answers and effects that wait. They leave in log order, from the leader of the deciding term,
 * while it still leads. */
#include <assert.h>
#include <stdlib.h>

#include "node/mutant.h"
#include "node/partition.h"

/* Kept for decisions to come. */
enum { FREE_OUTCOMES_MAX = 1024, FREE_FRAMES_BYTES_MAX = 4096 };

static struct outcome *outcome_take(struct partition *partition)
{
    struct outcome *outcome = partition->free_outcomes;
    if (outcome == NULL)
        return calloc(1, sizeof *outcome);
    partition->free_outcomes = outcome->next;
    partition->free_outcome_count--;
    return outcome;
}

static void outcome_done(struct outcome *outcome)
{
    arena_done(&outcome->arena);
    buffer_done(&outcome->frames);
    free(outcome);
}

static void outcome_free(struct partition *partition, struct outcome *outcome)
{
    if (partition->free_outcome_count >= FREE_OUTCOMES_MAX) {
        outcome_done(outcome);
        return;
    }
    if (outcome->frames.capacity > FREE_FRAMES_BYTES_MAX)
        buffer_done(&outcome->frames);
    arena_reset(&outcome->arena);
    buffer_reset(&outcome->frames);
    outcome->next = partition->free_outcomes;
    partition->free_outcomes = outcome;
    partition->free_outcome_count++;
}

static void encode_response(struct outcome *outcome, const struct decision *decision)
{
    const struct bytes detail = decision->rejection == PAWL_OK ? (struct bytes){NULL, 0}
                                                               : bytes_string(decision->diag.text);
    outcome->response_bytes =
        clients_encode_response(outcome->origin, decision->rejection, detail, decision->answer,
                                outcome->index, PAWL_E_UNKNOWN_OUTCOME, &outcome->frames);
}

static void encode_handout(const struct partition *partition, struct outcome *outcome,
                           const struct decision_handout *handout)
{
    struct outgoing *outgoing = &outcome->handouts[outcome->handout_count++];
    outgoing->session = handout->session;
    outgoing->bytes =
        sessions_encode_handout(partition, handout, &outcome->frames, &outgoing->attachment);
}

struct outcome *outcome_new(struct partition *partition, struct origin origin,
                            const struct decision *decision, uint64_t index, uint64_t round)
{
    const size_t closed_bytes = decision->closed_count * sizeof *decision->closed;
    struct outcome *outcome = outcome_take(partition);
    if (outcome == NULL)
        return NULL;
    *outcome = (struct outcome){.origin = origin,
                                .index = index,
                                .round = round,
                                .frames = outcome->frames,
                                .closed_count = decision->closed_count,
                                .arena = outcome->arena};
    outcome->frames.limit = SIZE_MAX; /* each frame has its own */
    outcome->handouts =
        arena_array(&outcome->arena, decision->handout_count, sizeof *outcome->handouts);
    outcome->closed = arena_room(&outcome->arena, closed_bytes);
    if ((outcome->handouts == NULL && decision->handout_count > 0) ||
        (outcome->closed == NULL && closed_bytes > 0)) {
        outcome_done(outcome);
        return NULL;
    }
    if (origin.connection != 0)
        encode_response(outcome, decision);
    for (size_t i = 0; i < decision->handout_count; i++)
        encode_handout(partition, outcome, &decision->handouts[i]);
    if (closed_bytes > 0)
        memcpy(outcome->closed, decision->closed, closed_bytes);
    return outcome;
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

/* The next frame of so many bytes; *at moves behind it. */
static struct bytes frame_take(const uint8_t **at, size_t bytes)
{
    const uint8_t *begin = *at;
    *at += bytes;
    return bytes_of(begin, bytes);
}

static void leave(struct partition *partition, struct outcome *outcome)
{
    const uint8_t *at = outcome->frames.data;
    if (outcome->origin.connection != 0)
        clients_respond_with(partition->replica, outcome->origin,
                             frame_take(&at, outcome->response_bytes));
    for (size_t i = 0; i < outcome->handout_count; i++) {
        const struct outgoing *handout = &outcome->handouts[i];
        if (handout->bytes > 0)
            sessions_hand_out(partition, handout->session, handout->attachment,
                              frame_take(&at, handout->bytes));
    }
    for (size_t i = 0; i < outcome->closed_count; i++)
        reads_run_closed(partition, outcome->closed[i], outcome->index);
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
        outcome_done(outcome);
    }
}
