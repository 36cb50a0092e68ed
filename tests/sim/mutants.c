#include "tests/sim/mutants.h"

#include <stdio.h>
#include <string.h>

#ifdef PAWL_MUTANTS
#include "node/mutant.h"
#include "node/wal/mutant.h"
#include "raft/mutant.h"
#include "workflow/mutant.h"

static void set_raft(int number)
{
    raft_mutant_set((enum raft_mutant)number);
}

static void set_node(int number)
{
    node_mutant_set((enum node_mutant)number);
}

static void set_wal(int number)
{
    wal_mutant_set((enum wal_mutant)number);
}

static void set_workflow(int number)
{
    wf_mutant = (enum wf_mutant)number;
}

/* Those that a whole cluster shows. Others are hidden by a second guard behind the first, or want
 * an accident too rare to wait for; the tests of their rooms find them. */
static const struct mutant {
    const char *name;
    void (*set)(int number);
    int number;
} mutants[] = {
#define RAFT(name)                                                                                 \
    {                                                                                              \
        "raft." #name, set_raft, RAFT_MUTANT_##name                                                \
    }
#define NODE(name)                                                                                 \
    {                                                                                              \
        "node." #name, set_node, NODE_MUTANT_##name                                                \
    }
#define WAL(name)                                                                                  \
    {                                                                                              \
        "wal." #name, set_wal, WAL_MUTANT_##name                                                   \
    }
#define WORKFLOW(name)                                                                             \
    {                                                                                              \
        "workflow." #name, set_workflow, WF_MUTANT_##name                                          \
    }
    RAFT(COUNT_SELF_EARLY),
    RAFT(VOTE_UNSYNCED),
    RAFT(VOTE_OLDER_LOG),
    NODE(ANSWER_BEFORE_COMMIT),
    NODE(REJECT_WITHOUT_READ_ROUND),
    NODE(READ_WITHOUT_ROUND),
    NODE(HEAD_KEPT_ON_STEP_DOWN),
    NODE(DECIDE_BEFORE_NOOP),
    NODE(CUT_BEFORE_FLUSH),
    NODE(FLUSH_UNSYNCED),
    NODE(APPLY_SKIPS_INHERITED),
    NODE(CLOCK_FOLLOWS_WALL),
    WAL(SYNC_SKIPPED),
    WAL(SYNC_ERROR_IGNORED),
    WAL(BODY_UNCHECKED),
    WAL(HARD_STATE_UNCARRIED),
    WAL(ROLL_UNSYNCED),
    WORKFLOW(FENCE_UNCHECKED),
    WORKFLOW(REQUEST_FORGOTTEN),
    WORKFLOW(STEP_HANDED_OUT_TWICE),
    WORKFLOW(UNDO_FORWARD),
};
static const size_t mutant_count = sizeof mutants / sizeof mutants[0];

bool mutants_choose(const char *name)
{
    for (size_t i = 0; i < mutant_count; i++)
        if (strcmp(mutants[i].name, name) == 0) {
            mutants[i].set(mutants[i].number);
            return true;
        }
    return false;
}

void mutants_print(void)
{
    for (size_t i = 0; i < mutant_count; i++)
        puts(mutants[i].name);
}
#else
bool mutants_choose(const char *name)
{
    (void)name;
    return false;
}

void mutants_print(void)
{
    puts("none in this build");
}
#endif
