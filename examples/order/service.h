/* A service of the order example: a program that embeds libpawl, works for some step types and
 * keeps a ledger.
 *
 * Usage of every service: NAME --ledger FILE [--nodes HOST:PORT,...] [--concurrency N] [--delay-ms
 * N]
 */
#ifndef EXAMPLES_ORDER_SERVICE_H
#define EXAMPLES_ORDER_SERVICE_H

#include <jansson.h>

#include "client/pawl.h"

/* What a step came to. */
struct service_result {
    json_t *output;         /* of a completed step; taken */
    const char *fault_type; /* of a failed one, else NULL */
    const char *detail;
    uint32_t status;
    bool is_final;
};

struct service_step {
    const char *type;
    /* input is borrowed; attempt counts from 1 */
    struct service_result (*serve)(const json_t *input, const char *key, unsigned attempt);
};

/* Serve until SIGTERM or SIGINT; returns the program's exit status. steps ends with a NULL type. */
int service_run(const char *name, const struct service_step *steps, int argc, char **argv);

/* The failures of this example. */
struct service_result service_completed(json_t *output_take);
struct service_result service_failed(const char *type, uint32_t status, const char *detail);
struct service_result service_unavailable(const char *detail); /* may be tried again */

#endif
