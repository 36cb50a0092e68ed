/* Visits: what makes two attempts of a step the same piece of work, and two rounds of a loop
 * different ones.
 *
 * 1. The visit of a task is the number of backward jumps taken so far in each list around it,
 * outermost first, with dots between them and zeros at the end left out: "0" for the usual case,
 * which rows leave out, "2" in the third round of a top-level loop.
 * 2. A retry of a try begins its list's count anew, so every attempt visits its tasks under the
 * same names.
 * 3. Once a compensation has undone something, later visits carry the number of such compensations
 * behind a '+': what was undone is not the same work when it is done again.
 */
#include "workflow/decide.h"

enum {
    KEY_BYTES_MAX = 256, /* of an idempotency key */
    VISIT_BYTES_MAX = 160,
};

/* A text being put together; what does not fit is only counted. */
struct text {
    size_t size;
    char data[KEY_BYTES_MAX];
};

static void text_add(struct text *text, struct bytes part)
{
    if (text->size + part.size <= sizeof text->data && part.size > 0)
        memcpy(text->data + text->size, part.data, part.size);
    text->size += part.size;
}

static void text_add_number(struct text *text, uint32_t number)
{
    char digits[10];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    text_add(text, bytes_of(digits + first, sizeof digits - first));
}

static struct bytes text_take(const struct text *text, struct arena *arena)
{
    return arena_copy(arena, bytes_of(text->data, text->size));
}

enum pawl_error wf_visit(struct decide *decide, const struct run *run, struct bytes *visit_out)
{
    uint32_t count = run->frame_count - 1; /* the lists around the innermost task */
    while (count > 1 && run->frames[count - 1].loops == 0)
        count--;
    *visit_out = bytes_of(NULL, 0);
    if (count == 1 && run->frames[0].loops == 0 && run->row.undo_rounds == 0)
        return PAWL_OK;
    struct text text;
    text.size = 0;
    for (uint32_t i = 0; i < count; i++) {
        text_add(&text, i == 0 ? bytes_of(NULL, 0) : BYTES_LITERAL("."));
        text_add_number(&text, run->frames[i].loops);
    }
    if (run->row.undo_rounds > 0) {
        text_add(&text, BYTES_LITERAL("+"));
        text_add_number(&text, run->row.undo_rounds);
    }
    if (text.size >= VISIT_BYTES_MAX)
        return wf_fault(decide, PROBLEM_RUNTIME, "too many nested loops to name a step");
    *visit_out = text_take(&text, decide->arena);
    return visit_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

static void key_begin(struct text *text, struct id128 run)
{
    char id[37];
    id128_format(run, id);
    text->size = 0;
    text_add(text, bytes_of(id, 36));
}

static void key_end_with(struct text *text, const struct step_row *step)
{
    text_add(text, BYTES_LITERAL("/"));
    text_add(text, step->visit.size > 0 ? step->visit : BYTES_LITERAL("0"));
    text_add(text, step->is_undo ? BYTES_LITERAL("/undo") : bytes_of(NULL, 0));
}

enum pawl_error wf_idempotency_key(struct arena *arena, struct id128 run,
                                   const struct step_row *step, struct bytes *key_out)
{
    struct text text;
    key_begin(&text, run);
    text_add(&text, step->pointer);
    key_end_with(&text, step);
    if (text.size > KEY_BYTES_MAX) { /* the task's index says the same as its pointer, shorter */
        key_begin(&text, run);
        text_add(&text, BYTES_LITERAL("/#"));
        text_add_number(&text, step->task);
        key_end_with(&text, step);
    }
    *key_out = text_take(&text, arena);
    return key_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}
