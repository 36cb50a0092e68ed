/* The reader: looks at workflows, lists, histories and results, all the time. */
#include <stdlib.h>

#include "tests/sim/actors.h"
#include "tests/sim/definitions.h"
#include "tests/sim/must.h"
#include "tests/sim/sim.h"

enum { UNANSWERED_MAX = 4 };

struct reader_actor {
    struct host *host;
    uint32_t unanswered;
};

static void begin(void *self)
{
    struct reader_actor *reader = self;
    reader->unanswered = 0;
    host_timer(reader->host, random_below(&reader->host->random, 500000), 0);
}

static enum request_kind pick_kind(struct random *random)
{
    static const enum request_kind kinds[] = {
        REQUEST_SHOW,
        REQUEST_SHOW,
        REQUEST_SHOW,
        REQUEST_SHOW,
        REQUEST_RESULT,
        REQUEST_RESULT,
        REQUEST_HISTORY,
        REQUEST_LIST,
        REQUEST_DEFINITION_LIST,
        REQUEST_DEFINITION_SHOW,
    };
    return kinds[random_below(random, sizeof kinds / sizeof kinds[0])];
}

static void encode(struct host *host, enum request_kind kind, struct buffer *out)
{
    const struct workload *workload = &host->sim->workload;
    const struct bytes space = BYTES_LITERAL(SIM_NAMESPACE);
    const size_t start =
        workload->deploy_count +
        random_below(&host->random, workload->intent_count - workload->deploy_count);
    const struct intent *intent = &workload->intents[start];
    const struct msg_target target = {.namespace_name = space,
                                      .workflow_id = bytes_string(intent->workflow_id)};
    const struct msg_list list = {.namespace_name = space,
                                  .limit = (uint32_t)random_between(&host->random, 1, 50)};
    const struct msg_definition definition = {
        .namespace_name = space, .name = bytes_string(sim_definitions[intent->definition].name)};
    if (kind == REQUEST_LIST || kind == REQUEST_DEFINITION_LIST)
        codec_encode(&schema_list, &list, out);
    else if (kind == REQUEST_DEFINITION_SHOW)
        codec_encode(&schema_definition, &definition, out);
    else
        codec_encode(&schema_target, &target, out);
}

static void timer(void *self, uint64_t detail)
{
    struct reader_actor *reader = self;
    struct host *host = reader->host;
    host_timer(host, random_between(&host->random, 1000, host->sim->plan.read_pause_us_max),
               detail);
    if (reader->unanswered >= UNANSWERED_MAX || host->sim->is_finished)
        return;
    struct buffer body = {0};
    const enum request_kind kind = pick_kind(&host->random);
    encode(host, kind, &body);
    const struct client_request request = {
        .kind = kind,
        .body = buffer_bytes(&body),
        .deadline_ms = host_now_ms(host) + random_between(&host->random, 500, 8000),
    };
    reader->unanswered++;
    actor_ask(host, &request, "", 0);
    buffer_done(&body);
}

static void answer(void *self, const struct client_output *answer)
{
    struct reader_actor *reader = self;
    reader->unanswered--;
    (void)actor_answered(reader->host, answer);
}

static void no_handout(void *self, const struct msg_handout *handout)
{
    struct reader_actor *reader = self;
    (void)handout;
    sim_fail(reader->host->sim, "P4", "a client that works for nobody was handed a step");
}

struct actor reader_new(struct host *host)
{
    struct reader_actor *reader = must_alloc(sizeof *reader);
    reader->host = host;
    return (struct actor){.self = reader,
                          .begin = begin,
                          .timer = timer,
                          .answer = answer,
                          .handout = no_handout,
                          .free = free};
}
