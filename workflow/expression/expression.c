#include "workflow/expression/expression.h"

#include "workflow/expression/machine.h"
#include "workflow/expression/text.h"

/* What a person reads: the error as text, or what was passed. */
static enum pawl_error report(struct work *work, struct bytes *error_out, struct pawl_diag *diag)
{
    if (work->failure != PAWL_E_EXPRESSION)
        return diag_fail(diag, work->failure, "the expression was stopped: %s", work->limit);
    struct text text = {.work = work};
    const struct datum error = work->error;
    if (error_out != NULL && !datum_encode(work, error, error_out))
        return diag_fail(diag, work->failure, "the expression was stopped: %s", work->limit);
    text_append_plain(&text, error);
    if (text.is_failed)
        return diag_fail(diag, PAWL_E_EXPRESSION, "the expression failed");
    return diag_fail(diag, PAWL_E_EXPRESSION, "%.*s", (int)text.size, (const char *)text.data);
}

/* The arena may grow by EXPRESSION_ARENA_MAX, whatever it may hold altogether. */
static size_t arena_limit(const struct arena *arena)
{
    const size_t whole = arena->limit != 0 ? arena->limit : ARENA_BYTES_MAX;
    const size_t own = arena->used + EXPRESSION_ARENA_MAX;
    return own < whole ? own : whole;
}

enum pawl_error expression_evaluate_each(const struct expression *expression,
                                         const struct expression_context *context,
                                         expression_each each, void *user, struct bytes *error_out,
                                         struct pawl_diag *diag)
{
    struct work work = {.arena = context->arena, .fuel = *context->fuel, .now_us = context->now_us};
    struct machine machine = {.work = &work, .context = context, .each = each, .user = user};
    const size_t limit = context->arena->limit;
    context->arena->limit = arena_limit(context->arena);
    enum pawl_error error = PAWL_OK;
    if (!machine_run(&machine, expression->root, datum_of_value(context->input)))
        error = report(&work, error_out, diag);
    context->arena->limit = limit;
    *context->fuel = work.fuel;
    return error;
}

static bool take_first(void *user, struct bytes value)
{
    struct bytes *first = user;
    *first = value;
    return false;
}

enum pawl_error expression_evaluate(const struct expression *expression,
                                    const struct expression_context *context,
                                    struct bytes *value_out, struct bytes *error_out,
                                    struct pawl_diag *diag)
{
    struct bytes first = value_null;
    TRY(expression_evaluate_each(expression, context, take_first, &first, error_out, diag));
    *value_out = first;
    return PAWL_OK;
}
