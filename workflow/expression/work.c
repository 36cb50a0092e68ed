#include "workflow/expression/work.h"

#include <stdarg.h>

#include "workflow/expression/text.h"

bool work_limit(struct work *work, const char *limit)
{
    work->failure = PAWL_E_LIMIT;
    work->limit = limit;
    return false;
}

bool work_charge(struct work *work, uint64_t units)
{
    if (units > work->fuel) {
        work->fuel = 0;
        return work_limit(work, "it takes more work than one evaluation may do");
    }
    work->fuel -= units;
    return true;
}

bool work_charge_bytes(struct work *work, size_t byte_count)
{
    const size_t bytes_per_element = WORK_BYTES_PER_UNIT / WORK_ELEMENTS_PER_UNIT;
    return work_charge_elements(work, byte_count / bytes_per_element);
}

void *work_alloc(struct work *work, size_t size)
{
    void *memory = arena_alloc(work->arena, size);
    if (memory == NULL)
        work_limit(work, "it takes more memory than one evaluation may use");
    return memory;
}

void *work_alloc_charged(struct work *work, size_t size)
{
    return work_charge_bytes(work, size) ? work_alloc(work, size) : NULL;
}

bool work_raise(struct work *work, struct datum error)
{
    work->failure = PAWL_E_EXPRESSION;
    work->error = error;
    return false;
}

static void fail_part(struct text *text, char kind, va_list *arguments)
{
    if (kind == 's') {
        text_append(text, bytes_string(va_arg(*arguments, const char *)));
        return;
    }
    const struct datum *datum = va_arg(*arguments, const struct datum *);
    if (kind == 'a')
        text_append(text, datum_bytes(*datum));
    if (kind == 't' || kind == 'v')
        text_append(text, bytes_string(datum_type(*datum)));
    if (kind == 'v')
        text_append(text, BYTES_LITERAL(" ("));
    if (kind == 'v' || kind == 'j')
        text_append_brief(text, *datum);
    if (kind == 'v')
        text_append(text, BYTES_LITERAL(")"));
}

bool work_fail(struct work *work, const char *format, ...)
{
    struct text text = {.work = work};
    va_list arguments;
    va_start(arguments, format);
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '%')
            fail_part(&text, *++at, &arguments);
        else
            text_append(&text, bytes_of(at, 1));
    }
    va_end(arguments);
    struct datum message;
    if (!text_take(&text, &message))
        return false;
    return work_raise(work, message);
}
