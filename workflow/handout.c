/* Hand-outs as rows tell them, for the replica: their keys, and the message rebuilt. */
#include "workflow/decide.h"
#include "workflow/find.h"

bool handout_key_parse(struct bytes key, struct id128 *session_out, struct msg_fence *fence_out)
{
    if (key.size != 40)
        return false;
    memcpy(session_out->byte, key.data, 16);
    *fence_out = (struct msg_fence){.partition = be32_get(key.data + 16),
                                    .term = be64_get(key.data + 20),
                                    .index = be64_get(key.data + 28),
                                    .ordinal = be32_get(key.data + 36)};
    return true;
}

struct bytes handout_key_prefix(const struct id128 *session)
{
    return id128_bytes(session);
}

enum pawl_error wf_handout(const struct view *view, struct id128 session,
                           const struct msg_fence *fence, struct arena *arena,
                           struct msg_handout *handout_out)
{
    struct changes rows = {.view = view, .arena = arena};
    struct handout_row handout;
    struct instance instance;
    TRY(changes_get_row(&rows, TABLE_HANDOUT, key_handout(arena, session, fence),
                        &schema_handout_row, &handout));
    TRY(find_instance(&rows, handout.run, &instance));
    const struct step_row *awaited = awaited_step(&instance, handout.step);
    if (awaited == NULL || awaited->state != STEP_OUT || !fence_equal(&awaited->fence, fence))
        return PAWL_E_NOT_FOUND;
    struct step_row step = *awaited;
    if (step.arguments_value != 0)
        TRY(changes_get(&rows, TABLE_VALUE,
                        key_run_number(arena, handout.run, step.arguments_value), &step.arguments));
    return wf_handout_fill(arena, &instance, handout.run, handout.step, &step, handout_out);
}
