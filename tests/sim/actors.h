/* The actors: who the hosts are. */
#ifndef PAWL_SIM_ACTORS_H
#define PAWL_SIM_ACTORS_H

#include "tests/sim/host.h"

struct actor starter_new(struct host *host, uint32_t number);
struct actor reader_new(struct host *host);
/* serves_all: every step type; else some of them. */
struct actor worker_new(struct host *host, bool serves_all);
/* No more hand-outs; its leases end at once. */
void worker_say_goodbye(struct host *host);

/* Send a request and enter it in the ledger. detail comes back with its answer. */
void actor_ask(struct host *host, const struct client_request *request, const char *workflow_id,
               uint64_t detail);
/* Enter an answer in the ledger: the detail of its request. */
uint64_t actor_answered(struct host *host, const struct client_output *answer);

#endif
