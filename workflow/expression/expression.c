#include "workflow/expression/expression.h"

#include "workflow/expression/machine.h"
#include "workflow/expression/text.h"

enum { REPORT_BYTES_MAX = 400 };

/* As much of a text as a diag takes, in whole characters. */
static struct bytes brief(const struct text *text)
{
    size_t size = text->size;
    if (size > REPORT_BYTES_MAX) {
        size = REPORT_BYTES_MAX;
        while (size > 0 && (text->data[size] & 0xc0) == 0x80)
            size--;
    }
    return bytes_of(text->data, size);
}

static enum pawl_error report_limit(const struct work *work, struct pawl_diag *diag)
{
    return diag_fail(diag, PAWL_E_LIMIT, "the expression was stopped: %s", work->limit);
}

/* What a person reads: the error as text, or the limit that was passed. */
static enum pawl_error report(struct work *work, struct bytes *error_out, struct pawl_diag *diag)
{
    struct text text = {.work = work};
    const struct datum error = work->error;
    struct bytes value;
    if (work->failure != PAWL_E_EXPRESSION)
        return report_limit(work, diag);
    text_append_plain(&text, error);
    if (text.is_failed || !datum_encode(work, error, &value))
        return report_limit(work, diag);
    if (error_out != NULL)
        *error_out = value;
    const struct bytes message = brief(&text);
    return diag_fail(diag, PAWL_E_EXPRESSION, "%.*s", (int)message.size,
                     (const char *)message.data);
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
