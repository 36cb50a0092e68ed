/* The client core against three imagined nodes that elect, drop, delay and refuse at random. From
 * one seed, in one thread. Checked after every step:
 *
 * 1. A request is sent once in an attachment, and again in it only after an answer that said "no
 *    effect, later".
 * 2. Every request is answered exactly once.
 * 3. Every attach lists exactly the fences that were handed out and whose reports were not
 *    answered.
 * 4. A hand-out is taken only from the newest attachment, and none twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/core.h"
#include "client/mutant.h"

enum {
    NODES = 3,
    CONNECTIONS = 4000,
    QUEUE = 512,
    REQUESTS = 400,
    HANDOUTS = 200,
    STEPS = 12000,
    SETTLE = 60000,
};

struct frame {
    uint8_t type;
    uint8_t *body;
    size_t size;
};

struct queue {
    struct frame frames[QUEUE];
    size_t count;
};

struct connection {
    uint64_t number;
    unsigned node; /* 0: not open */
    struct queue up, down;
};

struct question {
    bool is_asked, is_answered;
    enum request_kind kind;
    size_t handout;           /* of a report */
    uint64_t sent_attachment; /* last sending */
    bool may_send_again;      /* its answer was BUSY */
};

struct step {
    struct msg_fence fence;
    struct id128 session;
    bool is_forgotten; /* by a goodbye */
    bool is_recorded, is_taken, is_reported, is_ended, is_report_answered;
};

struct pending_answer {
    uint64_t connection, correlation;
    size_t token;
};

enum { OPEN_MAX = 10, PENDING_MAX = 64, DIALS_MAX = 16 };

struct world {
    uint64_t random;
    struct client_core *core;
    uint64_t now_ms;
    uint64_t term;
    unsigned leader;
    uint64_t newest; /* attachment of this term's leader */
    uint64_t newest_connection;
    struct id128 session; /* the one that attached last */
    uint64_t index;
    struct connection open[OPEN_MAX];
    uint64_t connection_next;
    struct {
        uint32_t slot;
        unsigned node;
        bool is_used;
    } dials[DIALS_MAX];
    struct pending_answer pending[PENDING_MAX];
    size_t pending_count;
    struct question questions[REQUESTS];
    size_t question_count;
    struct step handouts[HANDOUTS];
    size_t handout_count;
    uint64_t last_attach, last_attach_connection;
    uint64_t frame_attachment, frame_connection; /* of the hand-outs being heard */
    bool is_calm;
    struct arena arena;
    char violation[256];
};

static uint64_t draw(struct world *world, uint64_t bound)
{
    world->random = world->random * 6364136223846793005u + 1442695040888963407u;
    return (world->random >> 33) % bound;
}

static void violate(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void violate(struct world *world, const char *format, ...)
{
    if (world->violation[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->violation, sizeof world->violation, format, arguments);
    va_end(arguments);
}

/* Connections */

static struct connection *find(struct world *world, uint64_t number)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (world->open[i].node != 0 && world->open[i].number == number)
            return &world->open[i];
    return NULL;
}

static void push(struct queue *queue, uint8_t type, struct bytes body)
{
    assert_true(queue->count < QUEUE);
    struct frame *frame = &queue->frames[queue->count++];
    *frame = (struct frame){.type = type, .body = malloc(body.size + 1), .size = body.size};
    memcpy(frame->body, body.data, body.size);
}

static struct frame shift(struct queue *queue)
{
    struct frame first = queue->frames[0];
    queue->count--;
    memmove(queue->frames, queue->frames + 1, queue->count * sizeof queue->frames[0]);
    return first;
}

static void queue_clear(struct queue *queue)
{
    while (queue->count > 0)
        free(queue->frames[--queue->count].body);
}

static void shut(struct connection *connection)
{
    queue_clear(&connection->up);
    queue_clear(&connection->down);
    connection->node = 0;
}

static void tell(struct world *world, struct connection *connection, uint8_t type,
                 const struct schema *schema, const void *message)
{
    (void)world;
    struct buffer body = {0};
    codec_encode(schema, message, &body);
    assert_false(body.is_failed);
    push(&connection->down, type, buffer_bytes(&body));
    buffer_done(&body);
}

/* What the core puts out */

static size_t handout_of(const struct world *world, const struct msg_fence *fence)
{
    for (size_t i = 0; i < world->handout_count; i++)
        if (world->handouts[i].fence.index == fence->index)
            return i;
    return HANDOUTS;
}

static bool is_held(const struct step *step)
{
    return step->is_taken && !step->is_report_answered && !step->is_forgotten;
}

static void check_attach(struct world *world, uint64_t connection, struct bytes body)
{
    struct msg_attach attach;
    assert_int_equal(codec_decode(&schema_attach, body, &world->arena, &attach, NULL), PAWL_OK);
    if (attach.attachment <= world->last_attach)
        violate(world, "attachment %llu after %llu", (unsigned long long)attach.attachment,
                (unsigned long long)world->last_attach);
    world->last_attach = attach.attachment;
    world->last_attach_connection = connection;
    size_t held = 0;
    for (size_t i = 0; i < world->handout_count; i++)
        held += is_held(&world->handouts[i]);
    const struct msg_fence *fence = attach.held.elements;
    if (attach.held.count != held)
        violate(world, "%zu fences listed, %zu are held", attach.held.count, held);
    for (size_t i = 0; i < attach.held.count; i++) {
        size_t at = handout_of(world, &fence[i]);
        if (at == HANDOUTS || !is_held(&world->handouts[at]))
            violate(world, "fence %llu is listed and not held", (unsigned long long)fence[i].index);
    }
}

static size_t token_of(const struct msg_request *request)
{
    return (size_t)be64_get(request->request.byte);
}

static void check_request(struct world *world, struct bytes body)
{
    struct msg_request request;
    assert_int_equal(codec_decode(&schema_request, body, &world->arena, &request, NULL), PAWL_OK);
    if (request.kind == REQUEST_STATUS)
        return;
    struct question *question = &world->questions[token_of(&request)];
    if (question->is_answered)
        violate(world, "request %zu is sent after its answer", token_of(&request));
    if (request.attachment != world->last_attach)
        violate(world, "request %zu under attachment %llu, newest %llu", token_of(&request),
                (unsigned long long)request.attachment, (unsigned long long)world->last_attach);
    if (question->sent_attachment == request.attachment && !question->may_send_again)
        violate(world, "request %zu twice in one attachment", token_of(&request));
    question->sent_attachment = request.attachment;
    question->may_send_again = false;
}

static void take_send(struct world *world, const struct client_output *output)
{
    if (output->type == FRAME_ATTACH)
        check_attach(world, output->connection, output->body);
    if (output->type == FRAME_REQUEST)
        check_request(world, output->body);
    struct connection *connection = find(world, output->connection);
    if (connection != NULL)
        push(&connection->up, output->type, output->body);
}

static void take_dial(struct world *world, const struct client_output *output)
{
    for (size_t i = 0; i < DIALS_MAX; i++)
        if (!world->dials[i].is_used) {
            world->dials[i].is_used = true;
            world->dials[i].slot = output->slot;
            world->dials[i].node = (unsigned)(output->address.data[1] - '0');
            return;
        }
    violate(world, "too many dials at once");
}

static void take_answer(struct world *world, const struct client_output *output)
{
    struct question *question = &world->questions[output->token];
    if (question->is_answered)
        violate(world, "request %llu is answered twice", (unsigned long long)output->token);
    question->is_answered = true;
    if (question->kind == REQUEST_REPORT)
        world->handouts[question->handout].is_report_answered = true;
}

static void take_handout(struct world *world, const struct client_output *output)
{
    size_t at = handout_of(world, &output->handout.fence);
    assert_true(at < HANDOUTS);
    if (world->handouts[at].is_taken)
        violate(world, "fence %llu is handed out twice",
                (unsigned long long)output->handout.fence.index);
    if (world->frame_attachment != world->last_attach ||
        world->frame_connection != world->last_attach_connection)
        violate(world, "a hand-out of attachment %llu is taken, newest %llu",
                (unsigned long long)world->frame_attachment,
                (unsigned long long)world->last_attach);
    world->handouts[at].is_taken = true;
}

static void take_output(struct world *world, const struct client_output *output)
{
    struct connection *connection;
    switch (output->kind) {
    case CLIENT_OUT_DIAL:
        take_dial(world, output);
        break;
    case CLIENT_OUT_SEND:
        take_send(world, output);
        break;
    case CLIENT_OUT_CLOSE:
        connection = find(world, output->connection);
        if (connection != NULL)
            shut(connection);
        break;
    case CLIENT_OUT_ANSWER:
        take_answer(world, output);
        break;
    case CLIENT_OUT_HANDOUT:
        take_handout(world, output);
        break;
    case CLIENT_OUT_LEADER:
        break;
    }
}

static void step(struct world *world, struct client_input input)
{
    struct client_outputs outputs;
    input.now_ms = world->now_ms;
    assert_int_equal(client_step(world->core, &input, &outputs), PAWL_OK);
    for (size_t i = 0; i < outputs.count; i++)
        take_output(world, &outputs.output[i]);
    client_check(world->core);
    arena_reset(&world->arena);
}

/* The nodes */

static void announce(struct world *world, struct connection *connection)
{
    char address[8];
    snprintf(address, sizeof address, "n%u:1", world->leader);
    const struct msg_leader leader = {
        .term = world->term, .node = world->leader, .client_address = bytes_string(address)};
    tell(world, connection, FRAME_LEADER, &schema_leader, &leader);
}

static void elect(struct world *world)
{
    world->term++;
    world->leader = 1 + (unsigned)draw(world, NODES);
    world->newest = 0;
    world->newest_connection = 0;
    world->pending_count = 0; /* the old leader's waiting answers are lost with its role */
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (world->open[i].node != 0)
            announce(world, &world->open[i]);
}

static void greet(struct world *world, struct connection *connection)
{
    struct msg_member members[NODES];
    char addresses[NODES][8];
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(addresses[i], sizeof addresses[i], "n%u:1", i + 1);
        members[i] =
            (struct msg_member){.node = i + 1, .client_address = bytes_string(addresses[i])};
    }
    const struct msg_welcome welcome = {.version = 1,
                                        .cluster = {{9}},
                                        .node = connection->node,
                                        .heartbeat_ms = 50,
                                        .backoff_ms_max = 100,
                                        .members = {.elements = members, .count = NODES}};
    tell(world, connection, FRAME_WELCOME, &schema_welcome, &welcome);
    announce(world, connection);
}

static void hand_out(struct world *world, struct connection *connection, size_t at)
{
    struct msg_handout handout = {
        .fence = world->handouts[at].fence, .run = {{1}}, .step = 1, .type = BYTES_LITERAL("t")};
    const struct msg_handouts handouts = {.term = world->term,
                                          .attachment = world->newest,
                                          .handouts = {.elements = &handout, .count = 1}};
    tell(world, connection, FRAME_HANDOUTS, &schema_handouts, &handouts);
}

static void resend_missing(struct world *world, struct connection *connection,
                           const struct msg_attach *attach)
{
    const struct msg_fence *fence = attach->held.elements;
    for (size_t i = 0; i < world->handout_count; i++) {
        bool is_listed = false;
        for (size_t k = 0; k < attach->held.count; k++)
            is_listed |= fence[k].index == world->handouts[i].fence.index;
        bool is_its = id128_equal(world->handouts[i].session, attach->session);
        if (!is_listed && is_its && !world->handouts[i].is_ended)
            hand_out(world, connection, i);
    }
}

static void node_attach(struct world *world, struct connection *connection, struct bytes body)
{
    struct msg_attach attach;
    assert_int_equal(codec_decode(&schema_attach, body, &world->arena, &attach, NULL), PAWL_OK);
    struct msg_attached attached = {.term = attach.term, .attachment = attach.attachment};
    if (connection->node != world->leader || attach.term != world->term)
        attached.error = PAWL_E_NOT_LEADER;
    else if (attach.attachment <= world->newest)
        attached.error = PAWL_E_STALE;
    else if (!world->is_calm && draw(world, 8) == 0)
        attached.error = PAWL_E_NOT_READY;
    tell(world, connection, FRAME_ATTACHED, &schema_attached, &attached);
    if (attached.error != 0)
        return;
    world->newest = attach.attachment;
    world->newest_connection = connection->number;
    world->session = attach.session;
    resend_missing(world, connection, &attach);
}

static bool is_attached(const struct world *world, const struct connection *connection,
                        uint64_t term, uint64_t attachment)
{
    return connection->node == world->leader && term == world->term &&
           attachment == world->newest && connection->number == world->newest_connection;
}

static void answer(struct world *world, struct connection *connection, uint64_t correlation,
                   enum pawl_error error)
{
    const struct msg_response response = {.correlation = correlation, .error = (uint32_t)error};
    tell(world, connection, FRAME_RESPONSE, &schema_response, &response);
}

static void node_request(struct world *world, struct connection *connection, struct bytes body)
{
    static const enum pawl_error refusals[] = {PAWL_E_BUSY, PAWL_E_NOT_READY, PAWL_E_NOT_LEADER,
                                               PAWL_E_UNKNOWN_OUTCOME};
    struct msg_request request;
    assert_int_equal(codec_decode(&schema_request, body, &world->arena, &request, NULL), PAWL_OK);
    struct question *question = &world->questions[token_of(&request)];
    if (!is_attached(world, connection, request.term, request.attachment)) {
        answer(world, connection, request.correlation,
               connection->node == world->leader ? PAWL_E_NOT_ATTACHED : PAWL_E_NOT_LEADER);
        return;
    }
    if (world->pending_count == PENDING_MAX || (!world->is_calm && draw(world, 6) == 0)) {
        enum pawl_error error = refusals[draw(world, world->is_calm ? 2 : 4)];
        question->may_send_again |= error == PAWL_E_BUSY || error == PAWL_E_NOT_READY;
        answer(world, connection, request.correlation, error);
        return;
    }
    if (question->kind == REQUEST_REPORT)
        world->handouts[question->handout].is_ended = true;
    world->pending[world->pending_count++] =
        (struct pending_answer){connection->number, request.correlation, token_of(&request)};
}

static void node_hear(struct world *world, struct connection *connection, struct frame *frame)
{
    struct bytes body = bytes_of(frame->body, frame->size);
    struct msg_heartbeat heartbeat;
    if (frame->type == FRAME_HELLO) {
        greet(world, connection);
    } else if (frame->type == FRAME_ATTACH) {
        node_attach(world, connection, body);
    } else if (frame->type == FRAME_REQUEST) {
        node_request(world, connection, body);
    } else if (frame->type == FRAME_HEARTBEAT) {
        assert_int_equal(codec_decode(&schema_heartbeat, body, &world->arena, &heartbeat, NULL),
                         PAWL_OK);
        if (is_attached(world, connection, heartbeat.term, heartbeat.attachment))
            tell(world, connection, FRAME_HEARTBEAT, &schema_heartbeat, &heartbeat);
    }
}

static void answer_one(struct world *world)
{
    if (world->pending_count == 0)
        return;
    size_t at = draw(world, world->pending_count);
    struct pending_answer pending = world->pending[at];
    world->pending[at] = world->pending[--world->pending_count];
    struct connection *connection = find(world, pending.connection);
    if (connection != NULL)
        answer(world, connection, pending.correlation, PAWL_OK);
}

static void hand_out_one(struct world *world)
{
    struct connection *connection = find(world, world->newest_connection);
    if (connection == NULL || world->handout_count == HANDOUTS)
        return;
    size_t at = world->handout_count++;
    world->handouts[at] = (struct step){
        .fence = {.term = world->term, .index = ++world->index, .ordinal = 1},
        .session = world->session,
        .is_recorded = true,
    };
    if (world->is_calm || draw(world, 4) != 0) /* else its connection dies before it is sent */
        hand_out(world, connection, at);
}

/* What may happen */

static void client_hear(struct world *world, struct connection *connection)
{
    struct frame frame = shift(&connection->down);
    struct msg_handouts handouts;
    if (frame.type == FRAME_HANDOUTS) {
        assert_int_equal(codec_decode(&schema_handouts, bytes_of(frame.body, frame.size),
                                      &world->arena, &handouts, NULL),
                         PAWL_OK);
        world->frame_attachment = handouts.attachment;
        world->frame_connection = connection->number;
    }
    step(world, (struct client_input){.kind = CLIENT_IN_FRAME,
                                      .connection = connection->number,
                                      .type = frame.type,
                                      .body = bytes_of(frame.body, frame.size)});
    free(frame.body);
}

static void deliver(struct world *world)
{
    struct connection *connection = &world->open[draw(world, OPEN_MAX)];
    if (connection->node == 0)
        return;
    if (draw(world, 2) == 0 && connection->up.count > 0) {
        struct frame frame = shift(&connection->up);
        node_hear(world, connection, &frame);
        free(frame.body);
    } else if (connection->down.count > 0) {
        client_hear(world, connection);
    }
}

static struct connection *vacancy(struct world *world)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (world->open[i].node == 0)
            return &world->open[i];
    return NULL;
}

static void end_dial(struct world *world)
{
    size_t at = draw(world, DIALS_MAX);
    if (!world->dials[at].is_used)
        return;
    uint32_t slot = world->dials[at].slot;
    struct connection *connection = vacancy(world);
    world->dials[at].is_used = false;
    if (connection == NULL || (!world->is_calm && draw(world, 4) == 0)) {
        step(world, (struct client_input){.kind = CLIENT_IN_CLOSED, .slot = slot});
        return;
    }
    connection->number = world->connection_next++;
    connection->node = world->dials[at].node;
    step(world, (struct client_input){
                    .kind = CLIENT_IN_DIALLED, .slot = slot, .connection = connection->number});
}

static void drop(struct world *world)
{
    struct connection *connection = &world->open[draw(world, OPEN_MAX)];
    if (connection->node == 0)
        return;
    uint64_t number = connection->number;
    shut(connection);
    step(world, (struct client_input){.kind = CLIENT_IN_CLOSED, .connection = number});
}

/* Some requests have a deadline; reports never do. */
static void ask(struct world *world, enum request_kind kind, size_t handout)
{
    if (world->question_count == REQUESTS)
        return;
    size_t token = world->question_count++;
    world->questions[token] = (struct question){.is_asked = true, .kind = kind, .handout = handout};
    struct client_input input = {.kind = CLIENT_IN_REQUEST,
                                 .request = {.token = token, .kind = kind}};
    be64_put(input.request.request.byte, token);
    input.request.request.byte[15] = 1;
    if (kind == REQUEST_REPORT)
        input.request.fence = world->handouts[handout].fence;
    else if (draw(world, 3) == 0)
        input.request.deadline_ms = world->now_ms + 1 + draw(world, 400);
    step(world, input);
}

static void cancel_one(struct world *world)
{
    if (world->question_count == 0)
        return;
    size_t token = draw(world, world->question_count);
    if (world->questions[token].kind != REQUEST_REPORT)
        step(world, (struct client_input){.kind = CLIENT_IN_CANCEL, .token = token});
}

/* Whatever is held is forgotten, and no more is handed out until the next offer. */
static void say_goodbye(struct world *world)
{
    step(world, (struct client_input){.kind = CLIENT_IN_GOODBYE});
    for (size_t i = 0; i < world->handout_count; i++)
        world->handouts[i].is_forgotten |= world->handouts[i].is_taken;
}

static void report_one(struct world *world)
{
    for (size_t i = 0; i < world->handout_count; i++)
        if (world->handouts[i].is_taken && !world->handouts[i].is_reported &&
            world->question_count < REQUESTS) {
            world->handouts[i].is_reported = true;
            ask(world, REQUEST_REPORT, i);
            return;
        }
}

static void offer(struct world *world, uint32_t credit)
{
    const struct bytes types[] = {BYTES_LITERAL("t")};
    step(world,
         (struct client_input){.kind = CLIENT_IN_WORKER,
                               .worker = {.types = types, .type_count = 1, .credit = credit}});
}

static void pass_time(struct world *world)
{
    world->now_ms += draw(world, 10);
    if (client_deadline(world->core) <= world->now_ms)
        step(world, (struct client_input){.kind = CLIENT_IN_TICK});
}

static void happen(struct world *world)
{
    uint64_t lot = draw(world, 1000);
    if (lot < 600)
        deliver(world);
    else if (lot < 700)
        pass_time(world);
    else if (lot < 780)
        answer_one(world);
    else if (lot < 880)
        end_dial(world);
    else if (lot < 920)
        report_one(world);
    else if (world->is_calm)
        return;
    else if (lot < 950)
        ask(world, draw(world, 2) == 0 ? REQUEST_START : REQUEST_RESULT, 0);
    else if (lot < 970)
        hand_out_one(world);
    else if (lot < 980)
        drop(world);
    else if (lot < 983)
        elect(world);
    else if (lot < 985)
        offer(world, 1 + (uint32_t)draw(world, 4));
    else if (lot < 987)
        say_goodbye(world);
    else if (lot < 989)
        cancel_one(world);
}

static bool is_settled(const struct world *world)
{
    for (size_t i = 0; i < world->question_count; i++)
        if (!world->questions[i].is_answered)
            return false;
    return true;
}

static struct world *world_new(uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);
    world->random = seed * 7919 + 1;
    world->now_ms = 1000;
    world->connection_next = 1;
    const struct client_options options = {
        .nodes = BYTES_LITERAL("n1:1,n2:1,n3:1"), .session = {{1}}, .seed = seed};
    assert_int_equal(client_new(&options, world->now_ms, &world->core, NULL), PAWL_OK);
    elect(world);
    return world;
}

static void world_free(struct world *world)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        shut(&world->open[i]);
    client_free(world->core);
    arena_done(&world->arena);
    free(world);
}

/* One history; what it violated is in violation_out. */
static void run(uint64_t seed, char violation_out[256])
{
    struct world *world = world_new(seed);
    step(world, (struct client_input){.kind = CLIENT_IN_TICK});
    offer(world, 4);
    for (size_t i = 0; i < STEPS && world->violation[0] == '\0'; i++)
        happen(world);
    world->is_calm = true;
    for (size_t i = 0; i < SETTLE && world->violation[0] == '\0' && !is_settled(world); i++)
        happen(world);
    if (!is_settled(world))
        violate(world, "a request was never answered");
    memcpy(violation_out, world->violation, sizeof world->violation);
    world_free(world);
}

enum { SEEDS = 30 };

static void test_core_random_histories_keep_the_protocol(void **state)
{
    (void)state;
    const char *chosen = getenv("PAWL_SEED");
    uint64_t first = chosen != NULL ? strtoull(chosen, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (chosen != NULL ? 1 : SEEDS); seed++) {
        char violation[256];
        run(seed, violation);
        if (violation[0] != '\0')
            fail_msg("seed %llu: %s", (unsigned long long)seed, violation);
    }
}

#ifdef PAWL_MUTANTS
static void test_core_mutants_are_noticed(void **state)
{
    (void)state;
    static const enum client_mutant mutants[] = {CLIENT_MUTANT_HELD_LIST_EMPTY,
                                                 CLIENT_MUTANT_OLD_HANDOUT_TAKEN};
    for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
        bool is_noticed = false;
        client_mutant_set(mutants[i]);
        for (uint64_t seed = 1; seed <= SEEDS && !is_noticed; seed++) {
            char violation[256];
            run(seed, violation);
            is_noticed = violation[0] != '\0';
        }
        client_mutant_set(CLIENT_MUTANT_NONE);
        assert_true(is_noticed);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_random_histories_keep_the_protocol),
#ifdef PAWL_MUTANTS
        cmocka_unit_test(test_core_mutants_are_noticed),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
