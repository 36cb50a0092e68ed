/* Random plays: random definitions, random commands in random order, every decision made twice (see
 * world.h), and a model that knows no engine but knows what has been promised.
 *
 *   workflow_random_test [--seeds COUNT] [--seed SEED] [--mutant NAME] [--show]
 *
 * With a mutant the test succeeds when some seed finds it. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "author.h"
#include "workflow/mutant.h"
#include "world.h"

enum { DEFINITIONS = 3, SESSIONS = 4, STARTS_MAX = 64, COMMANDS = 160 };

/* What became of a hand-out. */
enum fate { FATE_OUT, FATE_ACCEPTED, FATE_ENDED };

struct known_start {
    struct command command;
    struct bytes answer; /* in lasting */
};

struct play {
    struct world world;
    enum fate *fates;  /* one per hand-out of the world */
    uint8_t *outcomes; /* accepted ones */
    size_t fate_count;
    struct known_start starts[STARTS_MAX];
    size_t start_count;
    uint64_t request_last;
    bool has_session[SESSIONS];
    struct arena lasting;
    char violation[sizeof((struct pawl_diag *)0)->text];
    bool is_mutant, is_shown;
    uint64_t completed, faulted, paused, decisions;
};

static bool fail(struct play *play, const char *what)
{
    if (play->violation[0] == '\0')
        (void)snprintf(play->violation, sizeof play->violation, "%s", what);
    return false;
}

static uint64_t draw(struct play *play, uint64_t below)
{
    return world_random(&play->world) % below;
}

/* ---- The model of hand-outs. ---- */

static bool is_same_step(const struct msg_handout *a, const struct msg_handout *b)
{
    return a->step == b->step && id128_equal(a->run, b->run);
}

static bool handout_check(struct play *play, size_t at)
{
    const struct msg_handout *fresh = &play->world.handouts[at].handout;
    for (size_t i = 0; i < at; i++) {
        const struct msg_handout *old = &play->world.handouts[i].handout;
        if (fence_equal(&old->fence, &fresh->fence))
            return fail(play, "a fence was used twice");
        if (!is_same_step(old, fresh))
            continue;
        if (play->fates[i] == FATE_OUT)
            return fail(play, "a step was handed out twice");
        if (play->fates[i] == FATE_ACCEPTED && play->outcomes[i] == REPORT_COMPLETED)
            return fail(play, "a completed step was handed out again");
        if (old->is_at_most_once && play->fates[i] == FATE_ENDED)
            return fail(play, "an at-most-once step was handed out again");
        if (old->attempt >= fresh->attempt)
            return fail(play, "an attempt did not rise");
        if (!bytes_equal(old->idempotency_key, fresh->idempotency_key))
            return fail(play, "the idempotency key of a step changed");
    }
    return true;
}

static size_t handout_find(const struct play *play, const struct msg_fence *fence)
{
    for (size_t i = 0; i < play->world.handout_count; i++)
        if (fence_equal(&play->world.handouts[i].handout.fence, fence))
            return i;
    return SIZE_MAX;
}

static bool fates_follow(struct play *play, const struct decision *decision)
{
    for (size_t i = 0; i < decision->release_count; i++) {
        size_t at = handout_find(play, &decision->releases[i].fence);
        if (at == SIZE_MAX || play->fates[at] != FATE_OUT)
            return fail(play, "a hand-out ended that was not out");
        play->fates[at] = FATE_ENDED;
    }
    size_t count = play->world.handout_count;
    play->fates = realloc(play->fates, (count + 1) * sizeof *play->fates);
    play->outcomes = realloc(play->outcomes, (count + 1) * sizeof *play->outcomes);
    assert(play->fates != NULL && play->outcomes != NULL);
    for (size_t i = play->fate_count; i < count; i++) {
        play->fates[i] = FATE_OUT;
        play->outcomes[i] = 0;
        if (!handout_check(play, i))
            return false;
    }
    play->fate_count = count;
    return true;
}

/* ---- The rows as a whole. ---- */

static bool header_of(struct play *play, struct arena *arena, struct id128 run,
                      struct instance *row)
{
    struct bytes value;
    return world_get(&play->world, TABLE_INSTANCE, id128_bytes(&run), &value) &&
           instance_read(value, arena, row) == PAWL_OK;
}

static bool is_timer_of(const struct instance *row, uint32_t number)
{
    if (!run_status_is_open(row->status) || row->tokens.count == 0)
        return false;
    const struct token *token = row->tokens.elements;
    const struct frame *frames = token->frames.elements;
    if (token->timer == number)
        return true;
    for (size_t i = 0; i < token->frames.count; i++)
        if (frames[i].timeout_timer == number || frames[i].attempt_timer == number)
            return true;
    return false;
}

static bool timer_check(struct play *play, struct arena *arena, const struct world_row *row)
{
    struct timer_row timer;
    struct instance header;
    struct id128 run;
    uint64_t due_us;
    uint32_t number;
    if (!key_timer_parse(row->key, &due_us, &run, &number) ||
        codec_decode(&schema_timer_row, row->value, arena, &timer, NULL) != PAWL_OK)
        return fail(play, "a timer is damaged");
    if (timer.kind == TIMER_REQUEST_EXPIRY)
        return true;
    if (!header_of(play, arena, run, &header) || !is_timer_of(&header, number))
        return fail(play, "a timer belongs to nobody");
    return true;
}

static bool ready_check(struct play *play, struct arena *arena, const struct world_row *row)
{
    struct instance header;
    struct id128 run;
    uint32_t number;
    if (!key_ready_parse(row->key, &run, &number) || !header_of(play, arena, run, &header))
        return fail(play, "a ready row has no run");
    const struct step_row *step = awaited_step(&header, number);
    if (step == NULL)
        return fail(play, "a ready row has no step");
    return step->state == STEP_READY || fail(play, "a ready row's step is not ready");
}

static bool rows_check(struct play *play)
{
    struct arena arena = {.limit = 0};
    bool is_sound = true;
    for (size_t i = 0; i < play->world.row_count && is_sound; i++) {
        const struct world_row *row = &play->world.rows[i];
        if (row->table == TABLE_TIMER)
            is_sound = timer_check(play, &arena, row);
        else if (row->table == TABLE_READY)
            is_sound = ready_check(play, &arena, row);
    }
    arena_done(&arena);
    return is_sound;
}

/* Of everything that may be undone at a fault of a whole run, the newest comes first. */
static bool undo_order_check(struct play *play, const struct decision *decision)
{
    struct arena arena = {.limit = 0};
    bool is_sound = true;
    for (size_t i = 0; i < decision->write_count && is_sound; i++) {
        const struct row_write *write = &decision->writes[i];
        struct instance row;
        if (write->table != TABLE_INSTANCE ||
            instance_read(write->value, &arena, &row) != PAWL_OK || row.tokens.count == 0 ||
            row.undos.count == 0)
            continue;
        const struct undoing *undoing = &((const struct token *)row.tokens.elements)->undoing;
        const struct pending_undo *undos = row.undos.elements;
        if (undoing->is_on && !undoing->has_scope &&
            undoing->undo != undos[row.undos.count - 1].number)
            is_sound = fail(play, "a compensation is not in reverse order");
    }
    arena_done(&arena);
    return is_sound;
}

/* ---- Deciding. ---- */

static void decision_show(struct play *play, const struct command *command,
                          const struct decision *decision)
{
    printf("%" PRIu64 " command %d: %s, %zu writes, %zu hand-outs\n", play->world.now_us,
           (int)command->kind, pawl_error_name(decision->rejection), decision->write_count,
           decision->handout_count);
    struct arena arena = {.limit = 0};
    for (size_t i = 0; i < decision->write_count; i++) {
        struct journal_record record;
        if (decision->writes[i].table != TABLE_JOURNAL ||
            journal_record_read(decision->writes[i].value, &arena, &record) != PAWL_OK)
            continue;
        const struct journal_event *events = record.events.elements;
        for (size_t k = 0; k < record.events.count; k++)
            printf("    %s %.*s step %u\n", event_name(events[k].kind), (int)events[k].task.size,
                   events[k].task.size > 0 ? (const char *)events[k].task.data : "",
                   events[k].step);
    }
    arena_done(&arena);
}

static const struct decision *decide(struct play *play, const struct command *command)
{
    play->decisions++;
    const struct decision *decision = world_decide(&play->world, command);
    if (play->is_shown)
        decision_show(play, command, decision);
    if (decision->rejection != PAWL_OK && decision->rejection != PAWL_E_STALE &&
        decision->write_count > 0)
        (void)fail(play, "a rejection wrote something");
    (void)(fates_follow(play, decision) && undo_order_check(play, decision));
    return decision;
}

/* ---- The commands. ---- */

static void play_start(struct play *play)
{
    char name[8], id[8];
    (void)snprintf(name, sizeof name, "d%u", (unsigned)draw(play, DEFINITIONS));
    (void)snprintf(id, sizeof id, "w%u", (unsigned)draw(play, 8));
    static const uint8_t input[] = {0x81, 0xa1, 'n', 0x01};
    struct command command = {
        .kind = CMD_START,
        .request = world_id(++play->request_last),
        .start = {.namespace_name = BYTES_LITERAL("test"),
                  .definition = arena_copy(&play->lasting, bytes_string(name)),
                  .workflow_id = arena_copy(&play->lasting, bytes_string(id)),
                  .input = bytes_of(input, sizeof input),
                  .on_conflict = (uint8_t)draw(play, 3),
                  .on_reuse = (uint8_t)draw(play, 3)}};
    const struct decision *decision = decide(play, &command);
    if (decision->rejection != PAWL_OK || play->start_count == STARTS_MAX)
        return;
    play->starts[play->start_count++] = (struct known_start){
        .command = command, .answer = arena_copy(&play->lasting, decision->answer)};
}

static void play_start_again(struct play *play)
{
    if (play->start_count == 0)
        return;
    const struct known_start *known = &play->starts[draw(play, play->start_count)];
    const struct decision *decision = decide(play, &known->command);
    if (!bytes_equal(decision->answer, known->answer) || decision->write_count > 0)
        (void)fail(play, "a repeated request got another answer");
}

static struct msg_report report_of(struct play *play, const struct msg_handout *handout)
{
    static const char *const types[] = {"communication", "timeout", "https://example.com/bad",
                                        "validation"};
    static const uint8_t output[] = {0x81, 0xa1, 'n', 0x02};
    struct msg_report report = {.run = handout->run,
                                .step = handout->step,
                                .fence = handout->fence,
                                .outcome = REPORT_COMPLETED};
    if (draw(play, 3) > 0)
        report.output = bytes_of(output, sizeof output);
    if (draw(play, 3) > 0)
        return report;
    report.outcome = REPORT_FAILED;
    report.output = bytes_of(NULL, 0);
    report.fault.type = bytes_string(types[draw(play, 4)]);
    report.fault.is_final = draw(play, 8) == 0;
    report.fault.retry_after_ms = draw(play, 4) == 0 ? draw(play, 1000) : 0;
    return report;
}

/* Mostly of what is out; sometimes of anything that ever was. */
static size_t handout_choose(struct play *play)
{
    size_t count = play->fate_count;
    size_t at = draw(play, count);
    for (size_t i = 0; i < count && draw(play, 8) > 0; i++) {
        if (play->fates[at] == FATE_OUT)
            break;
        at = (at + 1) % count;
    }
    return at;
}

static void play_report(struct play *play)
{
    if (play->fate_count == 0)
        return;
    size_t at = handout_choose(play);
    struct world_handout handout = play->world.handouts[at];
    struct command command = {.kind = CMD_STEP_REPORT,
                              .request = world_id(++play->request_last),
                              .session = handout.session,
                              .report = report_of(play, &handout.handout)};
    enum fate before = play->fates[at];
    uint8_t accepted = play->outcomes[at];
    const struct decision *decision = decide(play, &command);
    bool is_taken = decision->rejection == PAWL_OK && decision->write_count > 0;
    if (is_taken && before != FATE_OUT)
        (void)fail(play, "a report was taken under a fence that was not out");
    if (!is_taken && before == FATE_OUT)
        (void)fail(play, "a report under the current fence was refused");
    if (decision->rejection == PAWL_OK && decision->write_count == 0 &&
        accepted != command.report.outcome)
        (void)fail(play, "a report was answered accepted that never was");
    if (!is_taken)
        return;
    play->fates[at] = FATE_ACCEPTED;
    play->outcomes[at] = command.report.outcome;
}

static void play_lease(struct play *play)
{
    if (play->fate_count == 0)
        return;
    size_t at = handout_choose(play);
    struct command command = {
        .kind = CMD_LEASE_LOST,
        .lease = {play->world.handouts[at].session, play->world.handouts[at].handout.fence}};
    bool was_out = play->fates[at] == FATE_OUT;
    const struct decision *decision = decide(play, &command);
    if (!was_out && decision->write_count > 0)
        (void)fail(play, "a lease was lost that nobody held");
}

static void play_timer(struct play *play)
{
    const struct world_row *row = world_first(&play->world, TABLE_TIMER);
    if (row == NULL)
        return;
    uint64_t due_us = timer_key_due_us(row->key);
    bool is_far = due_us > play->world.now_us + (uint64_t)3600 * 1000000;
    if (draw(play, 4) > 0 && !is_far && due_us > play->world.now_us)
        play->world.now_us = due_us;
    struct command command = {.kind = CMD_TIMER_FIRE,
                              .timer_key = arena_copy(&play->lasting, row->key)};
    const struct decision *decision = decide(play, &command);
    if (decision->write_count > 0 && due_us > play->world.now_us)
        (void)fail(play, "a timer fired early");
}

static void play_dispatch(struct play *play)
{
    char type[4];
    (void)snprintf(type, sizeof type, "%c%u", draw(play, 2) == 0 ? 't' : 'u',
                   (unsigned)draw(play, AUTHOR_TYPES));
    struct command command = {.kind = CMD_DISPATCH,
                              .type = arena_copy(&play->lasting, bytes_string(type))};
    (void)decide(play, &command);
}

static void play_session(struct play *play)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3", "u0", "u1", "u2", "u3"};
    struct bytes types[8];
    size_t count = 0;
    size_t at = draw(play, SESSIONS);
    play->has_session[at] = !play->has_session[at];
    if (!play->has_session[at]) {
        dispatch_session_remove(play->world.dispatch, world_id(1000000 + at));
        return;
    }
    for (size_t i = 0; i < 8; i++)
        if (draw(play, 3) > 0)
            types[count++] = bytes_string(names[i]);
    enum pawl_error error = dispatch_session_put(play->world.dispatch, world_id(1000000 + at),
                                                 types, count, 1 + (uint32_t)draw(play, 3));
    assert(error == PAWL_OK);
}

static void play_once(struct play *play)
{
    uint64_t kind = draw(play, 20);
    if (kind < 3)
        play_start(play);
    else if (kind < 4)
        play_start_again(play);
    else if (kind < 10)
        play_report(play);
    else if (kind < 14)
        play_timer(play);
    else if (kind < 16)
        play_dispatch(play);
    else if (kind < 18)
        play_lease(play);
    else if (kind < 19)
        play_session(play);
    else
        play->world.now_us += draw(play, 100000);
}

static void play_deploy(struct play *play)
{
    for (unsigned i = 0; i < DEFINITIONS; i++) {
        char name[8];
        struct buffer text = {.limit = 0};
        (void)snprintf(name, sizeof name, "d%u", i);
        author_write(name, &play->world.random, &text);
        if (play->is_shown)
            printf("%.*s\n", (int)text.size, (const char *)text.data);
        struct command command = {.kind = CMD_DEPLOY,
                                  .request = world_id(++play->request_last),
                                  .deploy = {.source = buffer_bytes(&text)}};
        const struct decision *decision = decide(play, &command);
        if (decision->rejection != PAWL_OK)
            (void)fail(play, decision->diag.text);
        buffer_done(&text);
    }
}

static void totals_take(struct play *play)
{
    struct arena arena = {.limit = 0};
    for (size_t i = 0; i < play->world.row_count; i++) {
        struct instance row;
        if (play->world.rows[i].table != TABLE_INSTANCE ||
            instance_read(play->world.rows[i].value, &arena, &row) != PAWL_OK)
            continue;
        play->completed += row.status == RUN_COMPLETED;
        play->faulted += row.status == RUN_FAULTED;
        play->paused += row.status == RUN_PAUSED;
    }
    arena_done(&arena);
}

/* The violation is in play; false: there is one. */
static bool play_run(struct play *play, uint64_t seed)
{
    world_init(&play->world);
    play->violation[0] = '\0';
    play->fate_count = play->start_count = 0;
    play->request_last = 0;
    memset(play->has_session, 0, sizeof play->has_session);
    play->world.random = seed * 0x9e3779b97f4a7c15u;
    play->world.is_checked_inside = play->world.misses_rows = !play->is_mutant;
    play_deploy(play);
    play_session(play);
    for (int i = 0; i < COMMANDS && play->violation[0] == '\0'; i++) {
        play_once(play);
        (void)rows_check(play);
    }
    totals_take(play);
    free(play->fates);
    free(play->outcomes);
    play->fates = NULL;
    play->outcomes = NULL;
    arena_done(&play->lasting);
    play->lasting = (struct arena){.limit = 0};
    world_done(&play->world);
    return play->violation[0] == '\0';
}

#ifdef PAWL_MUTANTS
static bool choose_mutant(const char *name)
{
    static const struct {
        const char *name;
        enum wf_mutant mutant;
    } mutants[] = {
        {"fence-unchecked", WF_MUTANT_FENCE_UNCHECKED},
        {"request-forgotten", WF_MUTANT_REQUEST_FORGOTTEN},
        {"step-handed-out-twice", WF_MUTANT_STEP_HANDED_OUT_TWICE},
        {"undo-forward", WF_MUTANT_UNDO_FORWARD},
        {"timer-early", WF_MUTANT_TIMER_EARLY},
    };
    for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
        if (strcmp(mutants[i].name, name) == 0) {
            wf_mutant = mutants[i].mutant;
            return true;
        }
    }
    return false;
}
#else
static bool choose_mutant(const char *name)
{
    (void)name;
    return false;
}
#endif

struct plan {
    uint64_t first_seed, seed_count;
    const char *mutant;
    bool is_shown;
};

static bool plan_read(struct plan *plan, int argc, char **argv)
{
    *plan = (struct plan){.first_seed = 1, .seed_count = 200};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--show") == 0)
            plan->is_shown = true;
        else if (strcmp(argv[i], "--seeds") == 0 && has_value)
            plan->seed_count = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--mutant") == 0 && has_value)
            plan->mutant = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && has_value)
            plan->first_seed = strtoull(argv[++i], NULL, 0), plan->seed_count = 1;
        else
            return false;
    }
    return plan->mutant == NULL || choose_mutant(plan->mutant);
}

int main(int argc, char **argv)
{
    static struct play play;
    struct plan plan;
    if (!plan_read(&plan, argc, argv)) {
        fprintf(stderr, "usage: %s [--seeds COUNT] [--seed SEED] [--mutant NAME] [--show]\n",
                argv[0]);
        return 2;
    }
    play.is_mutant = plan.mutant != NULL;
    play.is_shown = plan.is_shown;
    for (uint64_t i = 0; i < plan.seed_count; i++) {
        uint64_t seed = plan.first_seed + i;
        if (play_run(&play, seed))
            continue;
        printf("seed %" PRIu64 ": %s\n", seed, play.violation);
        return play.is_mutant ? 0 : 1;
    }
    printf("%" PRIu64 " seeds: %" PRIu64 " decisions, %" PRIu64 " runs completed, %" PRIu64
           " faulted, %" PRIu64 " paused\n",
           plan.seed_count, play.decisions, play.completed, play.faulted, play.paused);
    return plan.mutant != NULL ? 1 : 0;
}
