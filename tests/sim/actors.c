#include "tests/sim/actors.h"

#include "tests/sim/sim.h"

/* A token is the operation's number in the ledger, plus 1. */
void actor_ask(struct host *host, const struct client_request *request, const char *workflow_id,
               uint64_t detail)
{
    const size_t operation = ledger_invoke(host->sim, host->index, request, workflow_id);
    struct client_input input = {.kind = CLIENT_IN_REQUEST, .request = *request};
    host->sim->ledger.operations[operation].detail = detail;
    input.request.token = operation + 1;
    host_input(host, &input);
}

uint64_t actor_answered(struct host *host, const struct client_output *answer)
{
    ledger_answer(host->sim, (size_t)answer->token - 1, answer);
    return host->sim->ledger.operations[answer->token - 1].detail;
}
