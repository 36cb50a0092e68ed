/* wf_decide: one switch over the commands, and what a decision is made of. */
#include "workflow/decide.h"

#include <stdarg.h>
#include <stdio.h>

#include "workflow/cache.h"

#ifdef PAWL_MUTANTS
enum wf_mutant wf_mutant = WF_MUTANT_NONE;
#endif

void *wf_array_grow(struct arena *arena, void *rows, size_t *capacity, size_t count,
                    size_t row_bytes)
{
    if (count < *capacity)
        return rows;
    size_t wanted = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = arena_room(arena, wanted * row_bytes);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy(grown, rows, count * row_bytes);
    *capacity = wanted;
    return grown;
}

enum pawl_error wf_scratch_take(struct decide *decide, size_t begin, struct bytes *bytes_out)
{
    if (decide->scratch->is_failed)
        return PAWL_E_NO_MEMORY;
    size_t size = decide->scratch->size - begin;
    struct bytes bytes = arena_copy(decide->arena, bytes_of(decide->scratch->data + begin, size));
    decide->scratch->size = begin;
    if (bytes.data == NULL)
        return PAWL_E_NO_MEMORY;
    *bytes_out = bytes;
    return PAWL_OK;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t wf_random(struct decide *decide)
{
    uint64_t z = decide->random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

__attribute__((format(printf, 2, 0))) static struct bytes
text_format(struct decide *decide, const char *format, va_list arguments)
{
    char text[1024];
    int size = vsnprintf(text, sizeof text, format, arguments);
    size_t kept = size < 0 ? 0 : (size_t)size;
    if (kept >= sizeof text) { /* cut whole characters off */
        kept = sizeof text - 1;
        while (kept > 0 && ((uint8_t)text[kept] & 0xc0) == 0x80)
            kept--;
    }
    struct bytes bytes = bytes_of(text, kept);
    if (!utf8_is_valid(bytes))
        bytes = BYTES_LITERAL("(not text)");
    return arena_copy(decide->arena, bytes);
}

struct bytes wf_text(struct decide *decide, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct bytes text = text_format(decide, format, arguments);
    va_end(arguments);
    return text;
}

enum pawl_error wf_fault(struct decide *decide, enum problem_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    decide->fault = (struct fault){.problem = problem_of(kind)};
    decide->fault.problem.detail = text_format(decide, format, arguments);
    va_end(arguments);
    return WF_FAULTED;
}

enum pawl_error wf_decision_release(struct decide *decide, struct id128 session,
                                    const struct msg_fence *fence)
{
    struct decision *decision = decide->decision;
    struct decision_release *releases =
        wf_array_grow(decide->arena, decision->releases, &decide->release_capacity,
                      decision->release_count, sizeof *releases);
    if (releases == NULL)
        return PAWL_E_NO_MEMORY;
    decision->releases = releases;
    releases[decision->release_count++] =
        (struct decision_release){.session = session, .fence = *fence};
    dispatch_draft_give_back(&decision->draft, session);
    return PAWL_OK;
}

enum pawl_error wf_decision_readied(struct decide *decide, struct bytes type)
{
    struct decision *decision = decide->decision;
    for (size_t i = 0; i < decision->readied_count; i++)
        if (bytes_equal(decision->readied[i], type))
            return PAWL_OK;
    struct bytes *readied =
        wf_array_grow(decide->arena, decision->readied, &decide->readied_capacity,
                      decision->readied_count, sizeof *readied);
    struct bytes name = arena_copy(decide->arena, type);
    if (readied == NULL || name.data == NULL)
        return PAWL_E_NO_MEMORY;
    decision->readied = readied;
    readied[decision->readied_count++] = name;
    return PAWL_OK;
}

enum pawl_error wf_decision_closed(struct decide *decide, struct id128 run)
{
    struct decision *decision = decide->decision;
    struct id128 *closed = wf_array_grow(decide->arena, decision->closed, &decide->closed_capacity,
                                         decision->closed_count, sizeof *closed);
    if (closed == NULL)
        return PAWL_E_NO_MEMORY;
    decision->closed = closed;
    closed[decision->closed_count++] = run;
    return PAWL_OK;
}

struct id128 command_run(const struct command *command)
{
    static const struct id128 none;
    struct id128 run = none;
    uint64_t due_us;
    uint32_t number;
    switch (command->kind) {
    case CMD_STEP_REPORT:
        return command->report.run;
    case CMD_TIMER_FIRE:
        if (key_timer_parse(command->timer_key, &due_us, &run, &number))
            return run;
        return none;
    case CMD_START:
    case CMD_DEPLOY:
    case CMD_LEASE_LOST:
    case CMD_DISPATCH:
    case CMD_CLOCK_JUMP:
        return none;
    }
    return none;
}

static enum pawl_error command_decide(struct decide *decide)
{
    switch (decide->command->kind) {
    case CMD_START:
        return wf_start(decide);
    case CMD_STEP_REPORT:
        return wf_report(decide);
    case CMD_DEPLOY:
        return wf_deploy(decide);
    case CMD_TIMER_FIRE:
        return wf_timer_fire(decide);
    case CMD_LEASE_LOST:
        return wf_lease_lost(decide);
    case CMD_DISPATCH:
        return wf_dispatch_ready(decide);
    case CMD_CLOCK_JUMP:
        return wf_clock_jump(decide);
    }
    return PAWL_E_INVALID;
}

/* A rejection keeps its reason and its answer, and nothing else. */
static void decision_reject(struct decide *decide, enum pawl_error error)
{
    struct decision *decision = decide->decision;
    *decision = (struct decision){
        .rejection = error,
        .diag = decision->diag,
        .answer = decision->answer,
        .draft = {.arena = decide->arena},
    };
    if (decision->diag.text[0] == '\0')
        (void)diag_fail(&decision->diag, error, "%s", pawl_error_text(error));
}

enum pawl_error wf_decide(struct engine *engine, const struct view *view,
                          const struct command *command, const struct command_context *context,
                          struct decision *decision_out)
{
    struct decision decision = {.answer = value_null, .draft = {.arena = context->arena}};
    struct decide decide = {
        .engine = engine,
        .command = command,
        .context = context,
        .arena = context->arena,
        .scratch = engine_scratch(engine),
        .decision = &decision,
        .changes = {.view = view, .arena = context->arena},
        .random_state = context->seed[0] ^ context->seed[1] << 1,
        .arena_begin = context->arena->used,
        .fuel_end = MOVE_FUEL,
    };
    enum pawl_error error = command_decide(&decide);
    if (error == PAWL_OK)
        error = changes_writes(&decide.changes, &decision.writes, &decision.write_count);
    if (error == PAWL_E_NOT_LOADED || error == PAWL_E_NO_MEMORY)
        return error;
    if (error != PAWL_OK)
        decision_reject(&decide, error);
    *decision_out = decision;
    return PAWL_OK;
}
