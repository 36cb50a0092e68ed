#include "tests/node/single.h"

#include <assert.h>
#include <string.h>

static struct id128 id_of(uint8_t number)
{
    struct id128 id = {0};
    id.byte[15] = number;
    return id;
}

/* ---- ports ---- */

static uint64_t monotonic_us(void *self)
{
    const struct single *single = self;
    return single->now_us;
}

static uint64_t wall_us(void *self)
{
    const struct single *single = self;
    return single->wall_us;
}

static void fill(void *self, void *out, size_t size)
{
    struct single *single = self;
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++) {
        single->random = single->random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(single->random >> 33);
    }
}

static void peer_send(void *self, uint64_t node, uint8_t type, const struct bytes *parts,
                      size_t part_count)
{
    (void)self, (void)node, (void)type, (void)parts, (void)part_count;
}

static bool client_send(void *self, uint64_t connection, uint8_t type, struct bytes body)
{
    struct single *single = self;
    struct arena arena = {0};
    struct msg_response response;
    struct msg_handouts handouts;
    if (type == FRAME_HANDOUTS &&
        codec_decode(&schema_handouts, body, &arena, &handouts, NULL) == PAWL_OK) {
        single->handouts.connection = connection;
        single->handouts.attachment = handouts.attachment;
        const struct msg_handout *handout = handouts.handouts.elements;
        for (size_t i = 0; i < handouts.handouts.count; i++, single->handouts.count++)
            if (single->handouts.count < SINGLE_HANDOUTS_MAX)
                single->handouts.fences[single->handouts.count] = handout[i].fence;
    }
    if (type == FRAME_RESPONSE &&
        codec_decode(&schema_response, body, &arena, &response, NULL) == PAWL_OK) {
        assert(response.correlation < SINGLE_ANSWERS_MAX);
        struct single_answer *answer = &single->answers[response.correlation];
        answer->is_here = true;
        answer->error = pawl_error_from_wire(response.error);
        answer->count++;
    }
    arena_done(&arena);
    return true;
}

static void client_close(void *self, uint64_t connection)
{
    (void)self, (void)connection;
}

static void submit(void *self, struct job *job_take)
{
    struct single *single = self;
    if (single->jobs == NULL)
        single->jobs_last_next = &single->jobs;
    job_take->next = NULL;
    *single->jobs_last_next = job_take;
    single->jobs_last_next = &job_take->next;
}

/* ---- work ---- */

static void run(struct single *single, struct job *job)
{
    const struct rows_port rows = rows_map_port(single->rows);
    switch (job->kind) {
    case JOB_LOG_APPEND:
    case JOB_LOG_READ:
    case JOB_LOG_CUT:
        return; /* its log is perfect */
    case JOB_FLUSH:
        job->flush.free_bytes = single->free_bytes;
        (void)job_run_flush(&rows, job);
        return;
    case JOB_LOAD:
    case JOB_QUERY:
        job_run_read(&rows, single->engine, job);
        return;
    }
}

static void turn(struct single *single, const struct replica_input *inputs, size_t count)
{
    single->now_us += 1000;
    single->wall_us += 1000;
    replica_turn(single->replica, inputs, count);
    replica_check(single->replica);
}

static bool holds(const struct single *single, const struct job *job)
{
    return (job->kind == JOB_LOAD && single->holds_loads) ||
           (job->kind == JOB_LOG_APPEND && single->holds_appends) ||
           (job->kind == JOB_FLUSH && single->holds_flushes) ||
           (job->kind == JOB_QUERY && single->holds_queries);
}

/* Do one job; false: none is left but those that are held. */
static bool work(struct single *single)
{
    for (struct job **at = &single->jobs; *at != NULL; at = &(*at)->next) {
        struct job *job = *at;
        if (holds(single, job))
            continue;
        *at = job->next;
        if (single->jobs_last_next == &job->next)
            single->jobs_last_next = at;
        run(single, job);
        const struct replica_input input = {.kind = REPLICA_JOB_DONE, .job = job};
        turn(single, &input, 1);
        return true;
    }
    return false;
}

void single_settle(struct single *single)
{
    enum { TURNS_MAX = 10000 };
    for (int i = 0; i < TURNS_MAX; i++) {
        if (work(single))
            continue;
        const struct replica_status status = replica_status(single->replica);
        if (status.flushed_index == status.last_index && status.is_active)
            return;
        if ((single->holds_loads || single->holds_appends || single->holds_flushes) &&
            status.is_active)
            return;
        turn(single, NULL, 0);
    }
    assert(!"it does not come to rest");
}

void single_sleep(struct single *single, uint64_t us)
{
    single->now_us += us;
    single->wall_us += us;
    turn(single, NULL, 0);
    single_settle(single);
}

/* ---- life ---- */

static void boot(struct single *single, const struct replica_restored *restored)
{
    struct replica_options options = {
        .node = 1,
        .name = BYTES_LITERAL("n1"),
        .member_count = 1,
        .clock = {single, monotonic_us, wall_us},
        .entropy = {single, fill},
        .links = {single, peer_send, client_send, client_close},
        .jobs = {single, submit},
    };
    options.members[0] = (struct msg_member){.node = 1, .name = BYTES_LITERAL("n1")};
    enum pawl_error error = replica_new(&options, restored, &single->replica);
    assert(error == PAWL_OK);
    single_settle(single);
}

void single_begin(struct single *single)
{
    const struct replica_restored restored = {.is_vote_withheld = false};
    *single = (struct single){.now_us = 1000000,
                              .wall_us = 1700000000000000,
                              .free_bytes = (uint64_t)1 << 40,
                              .random = 1,
                              .rows = rows_map_new(&(struct rows_map_options){1, {{0}}}),
                              .engine = engine_new()};
    assert(single->rows != NULL && single->engine != NULL);
    boot(single, &restored);
}

static void stop(struct single *single)
{
    while (single->jobs != NULL) {
        struct job *job = single->jobs;
        single->jobs = job->next;
        replica_abandon(single->replica, job);
    }
    replica_free(single->replica);
    memset(single->answers, 0, sizeof single->answers);
}

void single_end(struct single *single)
{
    stop(single);
    rows_map_free(single->rows);
    engine_free(single->engine);
}

void single_restart(struct single *single)
{
    const struct rows_port rows = rows_map_port(single->rows);
    struct rows_snapshot *snapshot;
    single_settle(single);
    stop(single);
    enum pawl_error error = rows.snapshot_open(rows.self, 0, &snapshot);
    assert(error == PAWL_OK);
    const struct rows_mark mark = rows.snapshot_mark(rows.self, snapshot);
    rows.snapshot_close(rows.self, snapshot);
    const struct replica_restored restored = {.log = {.term = mark.term,
                                                      .base_index = mark.index,
                                                      .base_term = mark.term,
                                                      .last_index = mark.index},
                                              .mark = mark};
    boot(single, &restored);
}

/* ---- clients ---- */

void single_frame(struct single *single, uint64_t connection, uint8_t type,
                  const struct schema *schema, const void *message)
{
    struct buffer body = {0};
    codec_encode(schema, message, &body);
    assert(!body.is_failed);
    const struct replica_input input = {.kind = REPLICA_CLIENT_FRAME,
                                        .source = connection,
                                        .type = type,
                                        .body = buffer_bytes(&body)};
    turn(single, &input, 1);
    buffer_done(&body);
}

void single_close(struct single *single, uint64_t connection)
{
    const struct replica_input input = {.kind = REPLICA_CLIENT_CLOSED, .source = connection};
    turn(single, &input, 1);
}

static void attach_with(struct single *single, uint64_t connection, uint8_t session,
                        uint64_t attachment, struct list types, uint32_t credit, struct list held)
{
    const struct msg_hello hello = {.version_min = PROTOCOL_VERSION,
                                    .version_max = PROTOCOL_VERSION,
                                    .session = id_of(session)};
    const struct msg_attach attach = {.term = replica_status(single->replica).term,
                                      .attachment = attachment,
                                      .session = id_of(session),
                                      .types = types,
                                      .credit = credit,
                                      .held = held};
    single_frame(single, connection, FRAME_HELLO, &schema_hello, &hello);
    single_frame(single, connection, FRAME_ATTACH, &schema_attach, &attach);
    single_settle(single);
}

void single_attach(struct single *single, uint64_t connection, uint8_t session, uint64_t attachment)
{
    const struct list none = {NULL, 0};
    attach_with(single, connection, session, attachment, none, 0, none);
}

void single_attach_holder(struct single *single, uint64_t connection, uint8_t session,
                          uint64_t attachment, const char *type, uint32_t credit,
                          const struct msg_fence *held, size_t held_count)
{
    struct bytes types = bytes_string(type);
    struct msg_fence fences[SINGLE_HANDOUTS_MAX];
    assert(held_count <= SINGLE_HANDOUTS_MAX);
    for (size_t i = 0; i < held_count; i++)
        fences[i] = held[i];
    attach_with(single, connection, session, attachment, (struct list){&types, 1}, credit,
                (struct list){fences, held_count});
}

void single_attach_worker(struct single *single, uint64_t connection, uint8_t session,
                          uint64_t attachment, const char *type)
{
    single_attach_holder(single, connection, session, attachment, type, 1, NULL, 0);
}

void single_request(struct single *single, uint64_t connection, uint64_t attachment,
                    uint64_t correlation, uint8_t request, enum request_kind kind,
                    const struct schema *schema, const void *body)
{
    struct buffer encoded = {0};
    codec_encode(schema, body, &encoded);
    assert(!encoded.is_failed);
    const struct msg_request message = {.correlation = correlation,
                                        .term = replica_status(single->replica).term,
                                        .attachment = attachment,
                                        .request = id_of(request),
                                        .kind = (uint8_t)kind,
                                        .body = buffer_bytes(&encoded)};
    single_frame(single, connection, FRAME_REQUEST, &schema_request, &message);
    buffer_done(&encoded);
    single_settle(single);
}

void single_deploy(struct single *single, uint8_t number, const char *text)
{
    enum { SESSION = 99, CORRELATION = SINGLE_ANSWERS_MAX - 1 };
    const uint64_t connection = 1000 + number;
    const struct msg_deploy deploy = {.source = bytes_string(text)};
    single_attach(single, connection, SESSION, number);
    single_request(single, connection, number, CORRELATION, (uint8_t)(200 + number), REQUEST_DEPLOY,
                   &schema_deploy, &deploy);
    assert(single->answers[CORRELATION].is_here && single->answers[CORRELATION].error == PAWL_OK);
}

size_t single_held(const struct single *single, enum job_kind kind)
{
    size_t count = 0;
    for (const struct job *job = single->jobs; job != NULL; job = job->next)
        count += job->kind == kind;
    return count;
}
