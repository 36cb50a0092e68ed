/* Steps per second of a Restate server, for comparison: invocations of a handler that makes three
 * durable steps (tests/bench/restate/worker.mjs), with payloads of 200 bytes or as many as
 * --payload says, each waited for to its end, through the server's HTTP ingress.
 *
 *   restate_steps --port PORT --pids SERVER,WORKER [--concurrency C] [--seconds S]
 *                 [--payload BYTES]
 *
 * pids are those of the server and of the process that has the handler, for their CPU time. Three
 * seconds of warm-up, which the handler's JavaScript needs, are not counted. Prints one line of
 * JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/calls.h"

/* A JSON string. */
static size_t input_write(uint8_t *body, unsigned payload_bytes)
{
    body[0] = '"';
    memset(body + 1, 'x', payload_bytes);
    body[1 + payload_bytes] = '"';
    return payload_bytes + 2;
}

static void report(const struct calls_figures *figures)
{
    printf("{\"concurrency\":%u,\"steps_per_s\":%.0f,\"workflows_per_s\":%.0f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"cpu_us_per_step\":{\"server\":%.1f,\"worker\":%.1f,"
           "\"client\":%.1f}}\n",
           figures->concurrency, figures->calls_per_s * STEPS_PER_WORKFLOW, figures->calls_per_s,
           figures->p50_ms, figures->p99_ms, figures->server_us[0] / STEPS_PER_WORKFLOW,
           figures->server_us[1] / STEPS_PER_WORKFLOW, figures->client_us / STEPS_PER_WORKFLOW);
}

int main(int argc, char **argv)
{
    static const struct calls_kind invocation = {.path = "/steps/three",
                                                 .content_type = "application/json",
                                                 .good_header = ":status",
                                                 .good_value = "200",
                                                 .payload_bytes = 200,
                                                 .warm_up_s = 3,
                                                 .body_write = input_write};
    const struct calls_figures figures = calls_measure(&invocation, argc, argv);
    if (figures.server_count != 2)
        load_die("a server and a worker are expected", "--pids");
    report(&figures);
    return EXIT_SUCCESS;
}
