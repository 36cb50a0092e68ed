#include "tests/sim/workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/definitions.h"
#include "tests/sim/must.h"
#include "workflow/state.h"

#define SECONDS(n) ((uint64_t)(n)*1000000)

static struct intent *intent_add(struct workload *workload)
{
    if (workload->intent_count == workload->intent_capacity) {
        workload->intent_capacity = workload->intent_capacity * 2 + 64;
        workload->intents =
            must_resize(workload->intents, workload->intent_capacity * sizeof *workload->intents);
    }
    struct intent *intent = &workload->intents[workload->intent_count++];
    *intent = (struct intent){.kind = REQUEST_START};
    return intent;
}

static void add_deploys(struct workload *workload, struct random *random)
{
    for (size_t i = 0; i < sim_definition_count; i++) {
        struct intent *intent = intent_add(workload);
        intent->kind = REQUEST_DEPLOY;
        intent->definition = (uint32_t)i;
        intent->request = random_id(random);
        intent->at_us = random_below(random, SECONDS(1));
    }
    workload->deploy_count = sim_definition_count;
}

/* The same request by another client, or another request for the same workflow id. */
static void add_rival(struct workload *workload, struct random *random, const struct plan *plan,
                      struct intent first)
{
    const bool is_twice = plan->is_enabled[FAULT_START_TWICE] && random_chance(random, 150000);
    const bool is_conflict =
        plan->is_enabled[FAULT_START_CONFLICT] && random_chance(random, 150000);
    if (!is_twice && !is_conflict)
        return;
    struct intent *rival = intent_add(workload);
    *rival = first;
    rival->starter = (first.starter + 1) % plan->starter_count;
    rival->at_us += random_below(random, SECONDS(3));
    if (is_twice) {
        workload->twice_count++;
    } else {
        workload->conflict_count++;
        rival->request = random_id(random);
        rival->on_conflict =
            random_chance(random, 500000) ? ON_CONFLICT_FAIL : ON_CONFLICT_USE_EXISTING;
    }
}

static void add_start(struct workload *workload, struct random *random, const struct plan *plan,
                      uint32_t number)
{
    struct intent *intent = intent_add(workload);
    intent->starter = number % plan->starter_count;
    intent->definition = (uint32_t)random_below(random, sim_definition_count);
    intent->request = random_id(random);
    intent->at_us = random_between(random, plan->start_from_us, plan->start_until_us);
    intent->input = (int32_t)random_below(random, 100);
    snprintf(intent->workflow_id, sizeof intent->workflow_id, "w-%u", (unsigned)number);
    add_rival(workload, random, plan, *intent);
}

void workload_draw(struct workload *workload, const struct random *root, const struct plan *plan)
{
    struct random random = random_fork(root, 3);
    *workload = (struct workload){0};
    add_deploys(workload, &random);
    for (uint32_t i = 0; i < plan->instance_count; i++)
        add_start(workload, &random, plan, i);
}

void workload_done(struct workload *workload)
{
    free(workload->intents);
}

bool workload_is_deployed(const struct workload *workload)
{
    for (size_t i = 0; i < workload->deploy_count; i++)
        if (!workload->intents[i].is_done)
            return false;
    return true;
}

bool workload_is_done(const struct workload *workload)
{
    for (size_t i = 0; i < workload->intent_count; i++)
        if (!workload->intents[i].is_done)
            return false;
    return true;
}

void workload_value(struct buffer *out, const char *key, uint64_t number)
{
    static const char filling[VALUE_REPEATED_BYTES_MAX];
    const bool is_large = number % 3 == 1;
    pack_map(out, is_large ? 2 : 1);
    pack_text(out, key);
    pack_unsigned(out, number);
    if (!is_large)
        return;
    pack_text(out, "filling");
    pack_string(out, bytes_of(filling, sizeof filling));
}

void workload_encode(const struct intent *intent, struct buffer *out)
{
    const struct sim_definition *definition = &sim_definitions[intent->definition];
    if (intent->kind == REQUEST_DEPLOY) {
        const struct msg_deploy deploy = {.source = bytes_string(definition->source)};
        codec_encode(&schema_deploy, &deploy, out);
        return;
    }
    struct buffer input = {0};
    workload_value(&input, "n", (uint64_t)intent->input);
    const struct msg_start start = {
        .namespace_name = BYTES_LITERAL(SIM_NAMESPACE),
        .definition = bytes_string(definition->name),
        .workflow_id = bytes_string(intent->workflow_id),
        .input = buffer_bytes(&input),
        .on_conflict = intent->on_conflict,
    };
    codec_encode(&schema_start, &start, out);
    buffer_done(&input);
}

/* ---- what handlers do ---- */

static uint64_t hash_of(struct bytes bytes, uint64_t hash)
{
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    return hash;
}

static uint32_t duration_us(struct random *random, struct bytes type)
{
    if (bytes_equal(type, BYTES_LITERAL("f.slow")))
        return (uint32_t)random_between(random, 200000, 4000000);
    return (uint32_t)random_between(random, 500, random_chance(random, 100000) ? 3000000 : 300000);
}

struct step_script step_script_of(const struct random *root, const struct plan *plan,
                                  const struct msg_handout *handout)
{
    struct random random =
        random_fork(root, hash_of(handout->idempotency_key, 0xcbf29ce484222325u));
    const bool is_undo = bytes_have_prefix(handout->type, BYTES_LITERAL("undo."));
    const uint32_t faults =
        random_chance(&random, 250000) ? (uint32_t)random_between(&random, 1, 5) : 0;
    const bool is_final = random_chance(&random, 200000) && !is_undo;
    struct step_script script = {.outcome = REPORT_COMPLETED};
    for (uint32_t i = 0; i < handout->attempt % 64; i++)
        script.duration_us = duration_us(&random, handout->type);
    if (plan->is_enabled[FAULT_STEP_FAULT] && handout->attempt <= (is_undo ? faults / 2 : faults))
        script.outcome = REPORT_FAILED;
    if (plan->is_enabled[FAULT_STEP_FAULT_FINAL] && is_final && handout->attempt == faults + 1) {
        script.outcome = REPORT_FAILED;
        script.is_final = true;
    }
    return script;
}
