#include "node/waiting.h"

#include <assert.h>
#include <stdlib.h>

void waiting_init(struct waiting_list *list, uint64_t seed)
{
    *list = (struct waiting_list){.runs.seed = seed, .loads.seed = seed};
}

static void waiting_free(struct waiting *waiting)
{
    arena_done(&waiting->arena);
    free(waiting);
}

void waiting_clear(struct waiting_list *list)
{
    const uint64_t seed = list->runs.seed;
    while (list->first != NULL) {
        struct waiting *waiting = list->first;
        list->first = waiting->next;
        waiting_free(waiting);
    }
    id_map_done(&list->runs);
    id_map_done(&list->loads);
    waiting_init(list, seed);
}

/* ---- a copy of the command that does not borrow from the frame it came in ---- */

static bool copy_bytes(struct arena *arena, struct bytes *bytes)
{
    const struct bytes copy = arena_copy(arena, *bytes);
    if (copy.size != bytes->size)
        return false;
    *bytes = copy;
    return true;
}

static bool copy_command(struct arena *arena, struct command *command)
{
    struct msg_start *start = &command->start;
    struct msg_report *report = &command->report;
    switch (command->kind) {
    case CMD_START:
        return copy_bytes(arena, &start->namespace_name) && copy_bytes(arena, &start->definition) &&
               copy_bytes(arena, &start->version) && copy_bytes(arena, &start->workflow_id) &&
               copy_bytes(arena, &start->input);
    case CMD_STEP_REPORT:
        return copy_bytes(arena, &report->output) && copy_bytes(arena, &report->fault.type) &&
               copy_bytes(arena, &report->fault.title) && copy_bytes(arena, &report->fault.detail);
    case CMD_DEPLOY:
        return copy_bytes(arena, &command->deploy.source);
    case CMD_TIMER_FIRE:
        return copy_bytes(arena, &command->timer_key);
    case CMD_DISPATCH:
        return copy_bytes(arena, &command->type);
    case CMD_LEASE_LOST:
    case CMD_CLOCK_JUMP:
        return true;
    }
    return false;
}

/* ---- coming ---- */

static size_t weight(const struct waiting *waiting)
{
    return sizeof *waiting + waiting->arena.used;
}

/* Behind the youngest of its run. */
static bool join_run(struct waiting_list *list, struct waiting *waiting)
{
    if (id128_is_none(waiting->run))
        return true;
    struct waiting *youngest = id_map_get(&list->runs, waiting->run);
    if (!id_map_put(&list->runs, waiting->run, waiting))
        return false;
    if (youngest != NULL)
        youngest->behind = waiting;
    return true;
}

struct waiting *waiting_add(struct waiting_list *list, const struct command *command,
                            struct origin origin)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL)
        return NULL;
    waiting->origin = origin;
    waiting->command = *command;
    waiting->run = command_run(command);
    if (!copy_command(&waiting->arena, &waiting->command) || !join_run(list, waiting)) {
        waiting_free(waiting);
        return NULL;
    }
    waiting->previous = list->last;
    if (list->last != NULL)
        list->last->next = waiting;
    else
        list->first = waiting;
    list->last = waiting;
    list->count++;
    list->bytes += weight(waiting);
    list->timer_count += command->kind == CMD_TIMER_FIRE;
    return waiting;
}

bool waiting_has_run(const struct waiting_list *list, struct id128 run)
{
    return !id128_is_none(run) && id_map_get(&list->runs, run) != NULL;
}

/* ---- loads ---- */

static struct waiting *first_of_load(const struct waiting_list *list, uint64_t token)
{
    return id_map_get(&list->loads, id_of_number(token));
}

bool waiting_set_load(struct waiting_list *list, struct waiting *waiting, uint64_t token)
{
    struct waiting *first = first_of_load(list, token);
    if (first == NULL && !id_map_put(&list->loads, id_of_number(token), waiting))
        return false;
    if (first == NULL)
        first = waiting;
    else
        first->load_last->load_next = waiting;
    first->load_last = waiting;
    waiting->load_next = NULL;
    waiting->load = token;
    return true;
}

void waiting_note_row(struct waiting_list *list, uint64_t token, enum row_table table,
                      struct bytes key)
{
    struct row_load *load = &list->row_loads[list->row_load_count++ % ROW_LOADS_KEPT];
    assert(key.size <= sizeof load->key);
    load->token = token;
    load->table = table;
    load->key_size = key.size;
    memcpy(load->key, key.data, key.size);
}

uint64_t waiting_row_load(const struct waiting_list *list, enum row_table table, struct bytes key)
{
    for (size_t i = 0; i < ROW_LOADS_KEPT; i++) {
        const struct row_load *load = &list->row_loads[i];
        if (load->token != 0 && load->table == table &&
            bytes_equal(bytes_of(load->key, load->key_size), key) &&
            first_of_load(list, load->token) != NULL)
            return load->token;
    }
    return 0;
}

/* ---- waking and going ---- */

static void awake(struct waiting_list *list, struct waiting *waiting)
{
    waiting->awake_next = NULL;
    if (list->awake_last != NULL)
        list->awake_last->awake_next = waiting;
    else
        list->awake_first = waiting;
    list->awake_last = waiting;
}

void waiting_postpone(struct waiting_list *list, struct waiting *waiting)
{
    awake(list, waiting);
}

bool waiting_wake(struct waiting_list *list, uint64_t token)
{
    struct waiting *waiting = first_of_load(list, token);
    if (waiting == NULL)
        return false;
    id_map_remove(&list->loads, id_of_number(token));
    for (; waiting != NULL; waiting = waiting->load_next) {
        waiting->load = 0;
        awake(list, waiting);
    }
    return true;
}

struct waiting *waiting_take_awake(struct waiting_list *list)
{
    struct waiting *waiting = list->awake_first;
    if (waiting == NULL)
        return NULL;
    list->awake_first = waiting->awake_next;
    if (list->awake_first == NULL)
        list->awake_last = NULL;
    return waiting;
}

void waiting_remove(struct waiting_list *list, struct waiting *waiting)
{
    assert(waiting->load == 0);
    if (waiting->behind != NULL)
        awake(list, waiting->behind);
    else if (!id128_is_none(waiting->run))
        id_map_remove(&list->runs, waiting->run);
    if (waiting->previous != NULL)
        waiting->previous->next = waiting->next;
    else
        list->first = waiting->next;
    if (waiting->next != NULL)
        waiting->next->previous = waiting->previous;
    else
        list->last = waiting->previous;
    list->count--;
    list->bytes -= weight(waiting);
    list->timer_count -= waiting->command.kind == CMD_TIMER_FIRE;
    waiting_free(waiting);
}

/* How many wait for the load that this one is the first to wait for; 0: it is not. */
static size_t count_of_load(const struct waiting_list *list, const struct waiting *first)
{
    size_t count = 0;
    if (first->load == 0 || first_of_load(list, first->load) != first)
        return 0;
    for (const struct waiting *w = first; w != NULL; w = w->load_next) {
        assert(w->load == first->load);
        assert(w->load_next != NULL || first->load_last == w);
        count++;
    }
    return count;
}

void waiting_check(const struct waiting_list *list)
{
    size_t count = 0, timer_count = 0, bytes = 0, loading_count = 0, load_count = 0;
    for (const struct waiting *w = list->first; w != NULL; w = w->next) {
        const size_t together = count_of_load(list, w);
        count++;
        bytes += weight(w);
        timer_count += w->command.kind == CMD_TIMER_FIRE;
        loading_count += w->load != 0;
        loading_count -= together;
        load_count += together > 0;
        assert(w->next == NULL ? list->last == w : w->next->previous == w);
        assert(w->behind == NULL || id128_equal(w->behind->run, w->run));
        assert(id128_is_none(w->run) || id_map_get(&list->runs, w->run) != NULL);
    }
    for (const struct waiting *w = list->awake_first; w != NULL; w = w->awake_next)
        assert(w->load == 0 && (w->awake_next != NULL || list->awake_last == w));
    assert(count == list->count && bytes == list->bytes && timer_count == list->timer_count);
    assert(loading_count == 0 && load_count == list->loads.count);
}
