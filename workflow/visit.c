/* Visits: what makes two attempts of a step the same piece of work, and two rounds of a loop
 * different ones.
 *
 * 1. The visit of a task is the number of backward jumps taken so far in each list around it,
 * outermost first, with dots between them and zeros at the end left out: "0" for the usual case,
 * "2" in the third round of a top-level loop.
 * 2. A retry of a try begins its list's count anew, so every attempt visits its tasks under the
 * same names.
 * 3. Once a compensation has undone something, later visits carry the number of such compensations
 * behind a '+': what was undone is not the same work when it is done again.
 */
#include "workflow/decide.h"

#include <stdio.h>

enum {
    KEY_BYTES_MAX = 256, /* of an idempotency key */
    VISIT_BYTES_MAX = 160,
};

enum pawl_error wf_visit(struct decide *decide, const struct run *run, struct bytes *visit_out)
{
    uint32_t count = run->frame_count - 1; /* the lists around the innermost task */
    while (count > 1 && run->frames[count - 1].loops == 0)
        count--;
    char text[VISIT_BYTES_MAX + 24];
    int size = 0;
    for (uint32_t i = 0; i < count && size < VISIT_BYTES_MAX; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, i == 0 ? "%u" : ".%u",
                         run->frames[i].loops);
    if (run->row.undo_rounds > 0 && size < VISIT_BYTES_MAX)
        size += snprintf(text + size, sizeof text - (size_t)size, "+%u", run->row.undo_rounds);
    if (size >= VISIT_BYTES_MAX)
        return wf_fault(decide, PROBLEM_RUNTIME, "too many nested loops to name a step");
    *visit_out = arena_copy(decide->arena, bytes_of(text, (size_t)size));
    return visit_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}

enum pawl_error wf_idempotency_key(struct arena *arena, struct id128 run,
                                   const struct step_row *step, struct bytes *key_out)
{
    char id[37], text[KEY_BYTES_MAX + 1];
    id128_format(run, id);
    const char *undo = step->is_undo ? "/undo" : "";
    int size = snprintf(text, sizeof text, "%s%.*s/%.*s%s", id, (int)step->pointer.size,
                        (const char *)step->pointer.data, (int)step->visit.size,
                        (const char *)step->visit.data, undo);
    if (size > KEY_BYTES_MAX) /* the task's index says the same as its pointer, shorter */
        size = snprintf(text, sizeof text, "%s/#%u/%.*s%s", id, step->task, (int)step->visit.size,
                        (const char *)step->visit.data, undo);
    *key_out = arena_copy(arena, bytes_of(text, (size_t)size));
    return key_out->data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
}
