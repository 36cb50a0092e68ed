#include "tests/bench/cluster_client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/value.h"
#include "tests/sim/must.h"

enum { BODIES_BYTES_MAX = 1 << 28, TOKEN_KINDS = 8 };

static const char definition[] =
    "document: { dsl: '1.0.3', namespace: bench, name: steps, version: '1.0.0' }\n"
    "do:\n"
    "  - a: { call: bench.a, with: { data: '${ .data }' } }\n"
    "  - b: { call: bench.b, with: { data: '${ .data }' } }\n"
    "  - c: { call: bench.c, with: { data: '${ .data }' } }\n";

static _Noreturn void die(const char *what, enum pawl_error error, struct bytes detail)
{
    fprintf(stderr, "budget: %s: %s: %.*s\n", what, pawl_error_name(error), (int)detail.size,
            (const char *)detail.data);
    exit(EXIT_FAILURE);
}

/* ---- requests ---- */

/* Ask once the frames of this turn are through. The kind comes back in the token. */
static void ask(struct cluster_client *client, struct client_request request,
                const struct schema *schema, const void *message)
{
    if (client->request_count == client->request_capacity) {
        client->request_capacity = client->request_capacity * 2 + 64;
        client->requests =
            must_resize(client->requests, client->request_capacity * sizeof *client->requests);
    }
    const size_t begin = client->bodies.size;
    codec_encode(schema, message, &client->bodies);
    if (client->bodies.is_failed)
        die("a request cannot be encoded", PAWL_E_LIMIT, (struct bytes){NULL, 0});
    request.token = client->next_token++ * TOKEN_KINDS + (uint64_t)request.kind;
    /* The bodies may move until the requests are sent: only the size counts before. */
    request.body = (struct bytes){NULL, client->bodies.size - begin};
    client->requests[client->request_count++] = request;
}

/* An id as libpawl draws it: it begins with the time. */
static struct id128 request_id(struct cluster_client *client)
{
    uint8_t ms[8];
    struct id128 id = random_id(&client->random);
    be64_put(ms, client->cluster->now_us / 1000);
    memcpy(id.byte, ms + 2, 6);
    return id;
}

static void start_one(struct cluster_client *client)
{
    const struct msg_start start = {.namespace_name = BYTES_LITERAL("bench"),
                                    .definition = BYTES_LITERAL("steps"),
                                    .input = buffer_bytes(&client->input)};
    ask(client, (struct client_request){.kind = REQUEST_START, .request = request_id(client)},
        &schema_start, &start);
    client->started++;
}

static void await_result(struct cluster_client *client, const struct client_output *answer)
{
    struct msg_target target = {.namespace_name = BYTES_LITERAL("bench")};
    char run[40];
    const struct bytes text = value_map_string(answer->answer, BYTES_LITERAL("run"));
    snprintf(run, sizeof run, "%.*s", (int)text.size, (const char *)text.data);
    if (!id128_parse(bytes_string(run), &target.run))
        die("a start's answer names no run", PAWL_E_INVALID, text);
    ask(client, (struct client_request){.kind = REQUEST_RESULT}, &schema_target, &target);
}

static void report(struct cluster_client *client, const struct msg_handout *handout)
{
    const struct msg_report message = {.run = handout->run,
                                       .step = handout->step,
                                       .fence = handout->fence,
                                       .outcome = REPORT_COMPLETED,
                                       .output = handout->input};
    ask(client,
        (struct client_request){
            .kind = REQUEST_REPORT, .request = random_id(&client->random), .fence = handout->fence},
        &schema_report, &message);
}

static void answered(struct cluster_client *client, const struct client_output *answer)
{
    const enum request_kind kind = (enum request_kind)(answer->token % TOKEN_KINDS);
    if (answer->error != PAWL_OK)
        die("a request failed", answer->error, answer->detail);
    if (kind == REQUEST_DEPLOY) {
        client->is_deployed = true;
    } else if (kind == REQUEST_START) {
        await_result(client, answer);
    } else if (kind == REQUEST_REPORT) {
        client->acknowledged++;
    } else {
        client->ended++;
        start_one(client);
    }
}

/* ---- the core ---- */

/* "n3:1" is node 2 of the table. Connections are numbered so that they name their node. */
static void dial(struct cluster_client *client, const struct client_output *output)
{
    const uint64_t node = (uint64_t)(output->address.data[1] - '1');
    client->dialled_slots[client->dialled_count] = output->slot;
    client->dialled[client->dialled_count++] = ++client->connection_count * CLUSTER_NODES + node;
}

static void carry_out(struct cluster_client *client, const struct client_output *output)
{
    switch (output->kind) {
    case CLIENT_OUT_DIAL:
        dial(client, output);
        break;
    case CLIENT_OUT_SEND:
        client->frames++;
        client->bytes += output->body.size;
        mailbox_put(&client->cluster->nodes[output->connection % CLUSTER_NODES].from_clients,
                    output->connection, output->type, &output->body, 1);
        break;
    case CLIENT_OUT_CLOSE:
        die("the client closed a connection", PAWL_E_INTERNAL, output->body);
    case CLIENT_OUT_ANSWER:
        answered(client, output);
        break;
    case CLIENT_OUT_HANDOUT:
        report(client, &output->handout);
        break;
    case CLIENT_OUT_LEADER:
        break;
    }
}

static void input(struct cluster_client *client, struct client_input input)
{
    struct client_outputs outputs;
    input.now_ms = client->cluster->now_us / 1000;
    const enum pawl_error error = client_step(client->core, &input, &outputs);
    if (error != PAWL_OK)
        die("the client's core refuses an input", error, (struct bytes){NULL, 0});
    for (size_t i = 0; i < outputs.count; i++)
        carry_out(client, &outputs.output[i]);
}

/* Only answers and hand-outs make requests, and sending one brings neither. */
static void send_requests(struct cluster_client *client)
{
    size_t begin = 0;
    const size_t count = client->request_count;
    for (size_t i = 0; i < count; i++) {
        struct client_request request = client->requests[i];
        request.body = bytes_of(client->bodies.data + begin, request.body.size);
        begin += request.body.size;
        input(client, (struct client_input){.kind = CLIENT_IN_REQUEST, .request = request});
    }
    assert(client->request_count == count);
    client->request_count = 0;
    buffer_reset(&client->bodies);
}

static void turn(void *self)
{
    struct cluster_client *client = self;
    const size_t dialled_count = client->dialled_count;
    client->dialled_count = 0;
    for (size_t i = 0; i < dialled_count; i++)
        input(client, (struct client_input){.kind = CLIENT_IN_DIALLED,
                                            .slot = client->dialled_slots[i],
                                            .connection = client->dialled[i]});
    for (size_t i = 0; i < client->post->count; i++)
        input(client,
              (struct client_input){.kind = CLIENT_IN_FRAME,
                                    .connection = client->post->mails[i].source,
                                    .type = client->post->mails[i].type,
                                    .body = mail_body(client->post, &client->post->mails[i])});
    for (; client->start_count > 0; client->start_count--)
        start_one(client);
    send_requests(client);
    if (client_deadline(client->core) <= client->cluster->now_us / 1000)
        input(client, (struct client_input){.kind = CLIENT_IN_TICK});
}

static bool has_turn(const struct cluster_client *client)
{
    return client->post->count > 0 || client->dialled_count > 0 || client->request_count > 0 ||
           client->start_count > 0 ||
           client_deadline(client->core) <= client->cluster->now_us / 1000;
}

void cluster_client_round(struct cluster_client *client)
{
    client->post = mailbox_take(&client->inbox);
    if (has_turn(client))
        actor_do(ACTOR_CLIENT, turn, client, client->cluster->tallies);
}

/* ---- beginning and end ---- */

struct cluster_client *cluster_client_new(struct cluster *cluster, struct random random)
{
    struct cluster_client *client = must_alloc(sizeof *client);
    struct pawl_diag diag;
    client->cluster = cluster;
    client->random = random;
    client->bodies.limit = BODIES_BYTES_MAX;
    const struct client_options options = {
        .nodes = BYTES_LITERAL("n1:1,n2:1,n3:1"),
        .name = BYTES_LITERAL("budget"),
        .session = random_id(&client->random),
        .seed = random_u64(&client->random),
    };
    const enum pawl_error error =
        client_new(&options, cluster->now_us / 1000, &client->core, &diag);
    if (error != PAWL_OK)
        die("there is no client", error, bytes_string(diag.text));
    return client;
}

void cluster_client_free(struct cluster_client *client)
{
    client_free(client->core);
    mailbox_done(&client->inbox);
    buffer_done(&client->input);
    buffer_done(&client->bodies);
    free(client->requests);
    free(client);
}

static void fill_input(struct cluster_client *client, unsigned payload_bytes)
{
    pack_map(&client->input, 1);
    pack_text(&client->input, "data");
    pack_string_head(&client->input, payload_bytes);
    uint8_t *data = buffer_extend(&client->input, payload_bytes);
    if (data == NULL)
        die("the payload is too large", PAWL_E_LIMIT, (struct bytes){NULL, 0});
    memset(data, 'x', payload_bytes);
}

void cluster_client_begin(struct cluster_client *client, unsigned concurrency,
                          unsigned payload_bytes)
{
    const struct msg_deploy deploy = {.source = bytes_string(definition)};
    struct bytes types[] = {BYTES_LITERAL("bench.a"), BYTES_LITERAL("bench.b"),
                            BYTES_LITERAL("bench.c")};
    struct client_input offer = {.kind = CLIENT_IN_WORKER};
    offer.worker.types = types;
    offer.worker.type_count = sizeof types / sizeof types[0];
    offer.worker.credit = concurrency;
    input(client, offer);
    fill_input(client, payload_bytes);
    ask(client, (struct client_request){.kind = REQUEST_DEPLOY, .request = request_id(client)},
        &schema_deploy, &deploy);
}

void cluster_client_start(struct cluster_client *client, unsigned count)
{
    client->start_count += count;
}
