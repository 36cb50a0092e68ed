#include "tests/sim/promises.h"

#include "tests/sim/sim.h"

typedef unsigned long long ull;

void promises_begin(struct promises *promises)
{
    *promises = (struct promises){0};
}

void promises_done(struct promises *promises)
{
    arena_done(&promises->arena);
}

/* P4: a hand-out is recorded in the entry that its fence names. */
static void handout_recorded(struct sim *sim, uint64_t index, const struct row_write *write)
{
    struct id128 session;
    struct msg_fence fence;
    if (!handout_key_parse(write->key, &session, &fence)) {
        sim_fail(sim, "P4", "entry %llu has a hand-out with a key that is none", (ull)index);
        return;
    }
    if (!write->is_deleted &&
        (fence.index != index || fence.term != sim->chain.entries[index].term))
        sim_fail(sim, "P4", "entry %llu of term %llu records a hand-out under fence (%llu, %llu)",
                 (ull)index, (ull)sim->chain.entries[index].term, (ull)fence.term,
                 (ull)fence.index);
}

/* P6: a timer that goes away because it fired does so at an entry that is not stamped before it was
 * due. Cancelled ones go early, so only what the firing leaves behind can tell: see the journal. */
void promises_entry(struct promises *promises, struct sim *sim, uint64_t index,
                    const struct entry *entry)
{
    (void)promises;
    for (size_t i = 0; i < entry->write_count; i++)
        if (entry->writes[i].table == TABLE_HANDOUT)
            handout_recorded(sim, index, &entry->writes[i]);
}
