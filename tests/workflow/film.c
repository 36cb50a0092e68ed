#include "film.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "world.h"

enum { WORDS_MAX = 24, SESSIONS_MAX = 16 };

struct session {
    char name[32];
    struct id128 id;
};

struct film {
    FILE *out;
    struct world world;
    uint64_t began_us;
    struct session sessions[SESSIONS_MAX];
    size_t session_count;
    bool is_quiet; /* decisions are not shown */
    uint64_t request_last;
    struct command last; /* for `again`; its texts lie in lasting */
    struct arena lasting;
    struct bytes body; /* the text under the command */
};

struct line {
    char *words[WORDS_MAX];
    size_t count;
};

static uint64_t millis(const struct film *film, uint64_t us)
{
    return (us - film->began_us) / 1000;
}

static const char *session_name(const struct film *film, struct id128 id)
{
    for (size_t i = 0; i < film->session_count; i++)
        if (id128_equal(film->sessions[i].id, id))
            return film->sessions[i].name;
    return "?";
}

static struct session *session_of(struct film *film, const char *name)
{
    for (size_t i = 0; i < film->session_count; i++)
        if (strcmp(film->sessions[i].name, name) == 0)
            return &film->sessions[i];
    assert(film->session_count < SESSIONS_MAX);
    struct session *session = &film->sessions[film->session_count];
    (void)snprintf(session->name, sizeof session->name, "%s", name);
    session->id = world_id(0x5e55000 + film->session_count++);
    return session;
}

/* The value of NAME=VALUE among the words; NULL: not there. */
static const char *option(const struct line *line, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 1; i < line->count; i++)
        if (strncmp(line->words[i], name, size) == 0 && line->words[i][size] == '=')
            return line->words[i] + size + 1;
    return NULL;
}

static bool has_word(const struct line *line, const char *word)
{
    for (size_t i = 1; i < line->count; i++)
        if (strcmp(line->words[i], word) == 0)
            return true;
    return false;
}

/* The JSON among the words from `first` on as a value in the lasting arena; no bytes: none. */
static struct bytes json_of(struct film *film, const struct line *line, size_t first)
{
    for (size_t i = first; i < line->count; i++) {
        const char *word = line->words[i];
        if (strchr("{[\"-0123456789tfn", word[0]) == NULL || strchr(word, '=') != NULL ||
            strcmp(word, "final") == 0)
            continue;
        struct buffer buffer = {.limit = 0};
        struct pawl_diag diag = {.line = 0};
        enum pawl_error error = json_read(bytes_string(word), NULL, &buffer, &diag);
        if (error != PAWL_OK)
            fprintf(film->out, "  (bad JSON: %s)\n", diag.text);
        struct bytes value = arena_copy(&film->lasting, buffer_bytes(&buffer));
        buffer_done(&buffer);
        return value;
    }
    return bytes_of(NULL, 0);
}

/* ---- What is shown. ---- */

static void show_json(struct film *film, struct bytes value)
{
    struct buffer text = {.limit = 0};
    json_write(value, JSON_COMPACT, &text);
    fprintf(film->out, "%.*s", (int)text.size, (const char *)text.data);
    buffer_done(&text);
}

static void show_text(struct film *film, const char *before, struct bytes text)
{
    if (text.size > 0)
        fprintf(film->out, "%s%.*s", before, (int)text.size, (const char *)text.data);
}

/* The value of an event, which may be in the run's header or a row of its own. */
static struct bytes event_value(struct film *film, struct id128 run,
                                const struct journal_event *event)
{
    struct world *world = &film->world;
    struct bytes value = event->value, header;
    struct instance row;
    if (event->value_number == 0)
        return value;
    bool is_there = world_get(world, TABLE_INSTANCE, key_run(&world->arena, run), &header) &&
                    instance_read(header, &world->arena, &row) == PAWL_OK;
    assert(is_there);
    value = inlined_value(&row.values, event->value_number);
    if (value.size == 0)
        is_there = world_get(world, TABLE_VALUE,
                             key_run_number(&world->arena, run, event->value_number), &value);
    assert(is_there);
    return value;
}

static void show_event(struct film *film, struct id128 run, const struct journal_event *event)
{
    fprintf(film->out, "  %s", event_name(event->kind));
    show_text(film, " ", event->task);
    if (event->step != 0)
        fprintf(film->out, " step %u", event->step);
    if (event->attempt != 0)
        fprintf(film->out, " attempt %u", event->attempt);
    show_text(film, " ", event->type);
    show_text(film, ": ", event->detail);
    if (event->due_us != 0)
        fprintf(film->out, " due %" PRIu64, millis(film, event->due_us));
    struct bytes value = event_value(film, run, event);
    if (value.size > 0 && event->kind != EV_WORKFLOW_STARTED) {
        fprintf(film->out, " = ");
        show_json(film, value);
    }
    fprintf(film->out, "\n");
}

static void show_record(struct film *film, struct bytes value)
{
    struct journal_record record;
    enum pawl_error error = journal_record_read(value, &film->world.arena, &record);
    assert(error == PAWL_OK);
    const struct journal_event *events = record.events.elements;
    for (size_t i = 0; i < record.events.count; i++)
        show_event(film, record.run, &events[i]);
}

static const char *const table_names[TABLE_COUNT] = {
    "meta",  "definition", "latest", "instance",     "workflow", "value",   "step",
    "ready", "handout",    "timer",  "compensation", "request",  "journal", "incident",
};

static void show_rows(struct film *film, const struct decision *decision)
{
    if (decision->write_count == 0 && decision->rejection == PAWL_OK)
        fprintf(film->out, "  accepted, nothing changes\n");
    if (decision->write_count == 0)
        return;
    fprintf(film->out, "  rows:");
    for (int table = 0; table < TABLE_COUNT; table++) {
        unsigned put = 0, deleted = 0;
        for (size_t i = 0; i < decision->write_count; i++) {
            if (decision->writes[i].table != table)
                continue;
            put += !decision->writes[i].is_deleted;
            deleted += decision->writes[i].is_deleted;
        }
        if (put > 0)
            fprintf(film->out, " +%u %s", put, table_names[table]);
        if (deleted > 0)
            fprintf(film->out, " -%u %s", deleted, table_names[table]);
    }
    fprintf(film->out, "\n");
}

static void show_handout(struct film *film, const struct decision_handout *handout)
{
    const struct msg_handout *message = &handout->handout;
    fprintf(film->out, "  -> %s: %.*s step %u attempt %u key %.*s input ",
            session_name(film, handout->session), (int)message->type.size,
            (const char *)message->type.data, message->step, message->attempt,
            (int)message->idempotency_key.size - 36,
            (const char *)message->idempotency_key.data + 36);
    show_json(film, message->input);
    if (message->deadline_ms != 0)
        fprintf(film->out, " deadline %" PRIu64, millis(film, message->deadline_ms * 1000));
    fprintf(film->out, "%s\n", message->is_at_most_once ? " at most once" : "");
}

static void show_decision(struct film *film, const struct decision *decision)
{
    if (decision->rejection != PAWL_OK) {
        fprintf(film->out, "  rejected %s", pawl_error_name(decision->rejection));
        if (decision->diag.line != 0)
            fprintf(film->out, " at %d:%d", decision->diag.line, decision->diag.column);
        fprintf(film->out, ": %s\n", decision->diag.text);
    }
    for (size_t i = 0; i < decision->write_count; i++)
        if (decision->writes[i].table == TABLE_JOURNAL)
            show_record(film, decision->writes[i].value);
    for (size_t i = 0; i < decision->handout_count; i++)
        show_handout(film, &decision->handouts[i]);
    for (size_t i = 0; i < decision->readied_count; i++)
        show_text(film, i == 0 ? "  waits for a worker: " : ", ", decision->readied[i]);
    if (decision->readied_count > 0)
        fprintf(film->out, "\n");
    struct bytes flag;
    if (value_map_get(decision->answer, BYTES_LITERAL("existing"), &flag))
        fprintf(film->out, "  answer: %s\n", flag.data[0] == 0xc3 ? "existing" : "new");
    show_rows(film, decision);
}

static void decide(struct film *film, const struct command *command)
{
    const struct decision *decision = world_decide(&film->world, command);
    if (!film->is_quiet)
        show_decision(film, decision);
}

/* ---- Commands. False: the words are none. ---- */

static bool do_worker(struct film *film, const struct line *line)
{
    struct bytes types[WORDS_MAX];
    if (line->count < 4)
        return false;
    for (size_t i = 3; i < line->count; i++)
        types[i - 3] = bytes_string(line->words[i]);
    return dispatch_session_put(film->world.dispatch, session_of(film, line->words[1])->id, types,
                                line->count - 3,
                                (uint32_t)strtoul(line->words[2], NULL, 10)) == PAWL_OK;
}

static bool do_gone(struct film *film, const struct line *line)
{
    if (line->count != 2)
        return false;
    struct world *world = &film->world;
    struct session *session = session_of(film, line->words[1]);
    dispatch_session_remove(world->dispatch, session->id);
    for (size_t i = 0, count = world->handout_count; i < count; i++) {
        struct world_handout *handout = &world->handouts[i];
        struct arena arena = {.limit = 0};
        struct bytes value;
        bool is_out = id128_equal(handout->session, session->id) &&
                      world_get(world, TABLE_HANDOUT,
                                key_handout(&arena, session->id, &handout->handout.fence), &value);
        arena_done(&arena);
        if (!is_out)
            continue;
        struct command command = {.kind = CMD_LEASE_LOST,
                                  .lease = {session->id, handout->handout.fence}};
        decide(film, &command);
    }
    return true;
}

static struct id128 request_of(struct film *film, const struct line *line)
{
    const char *given = option(line, "request");
    return world_id(given != NULL ? strtoul(given, NULL, 10) : 100 + ++film->request_last);
}

/* NULL: it cannot be read. */
static char *file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    if (file == NULL)
        return NULL;
    if (getdelim(&text, &capacity, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    (void)fclose(file);
    return text;
}

static bool do_deploy(struct film *film, const struct line *line)
{
    struct command command = {
        .kind = CMD_DEPLOY, .request = request_of(film, line), .deploy = {.source = film->body}};
    const char *path = option(line, "file");
    char *text = path != NULL ? file_read(path) : NULL;
    if (text != NULL)
        command.deploy.source = bytes_string(text);
    decide(film, &command);
    free(text);
    return path == NULL || text != NULL;
}

static bool do_start(struct film *film, const struct line *line)
{
    if (line->count < 3)
        return false;
    const char *conflict = option(line, "conflict"), *reuse = option(line, "reuse");
    const char *version = option(line, "version"), *namespace_name = option(line, "namespace");
    struct msg_start start = {
        .namespace_name = arena_copy(
            &film->lasting, bytes_string(namespace_name != NULL ? namespace_name : "test")),
        .definition = arena_copy(&film->lasting, bytes_string(line->words[1])),
        .workflow_id = strcmp(line->words[2], "-") == 0
                           ? bytes_of(NULL, 0)
                           : arena_copy(&film->lasting, bytes_string(line->words[2])),
        .version = arena_copy(&film->lasting, bytes_string(version)),
        .input = json_of(film, line, 3),
    };
    if (conflict != NULL)
        start.on_conflict =
            strcmp(conflict, "use") == 0 ? ON_CONFLICT_USE_EXISTING : ON_CONFLICT_TERMINATE;
    if (reuse != NULL)
        start.on_reuse = strcmp(reuse, "failed") == 0 ? ON_REUSE_ALLOW_IF_FAILED : ON_REUSE_REJECT;
    film->last =
        (struct command){.kind = CMD_START, .request = request_of(film, line), .start = start};
    decide(film, &film->last);
    return true;
}

/* The newest hand-out of a step, or its K-th from 1. */
static const struct world_handout *handout_of(struct film *film, const struct line *line)
{
    const struct world_handout *found = NULL;
    const char *which = option(line, "handout");
    unsigned long wanted = which != NULL ? strtoul(which, NULL, 10) : 0, count = 0;
    unsigned long step = strtoul(line->words[2], NULL, 10);
    for (size_t i = 0; i < film->world.handout_count; i++) {
        const struct world_handout *handout = &film->world.handouts[i];
        if (!bytes_equal(handout->handout.workflow_id, bytes_string(line->words[1])) ||
            handout->handout.step != step)
            continue;
        if (++count == wanted || wanted == 0)
            found = handout;
    }
    return found;
}

static bool report(struct film *film, const struct line *line, const struct msg_report *report)
{
    const struct world_handout *handout = handout_of(film, line);
    if (handout == NULL)
        return false;
    film->last = (struct command){.kind = CMD_STEP_REPORT,
                                  .request = request_of(film, line),
                                  .session = handout->session,
                                  .report = *report};
    film->last.report.run = handout->handout.run;
    film->last.report.step = handout->handout.step;
    film->last.report.fence = handout->handout.fence;
    decide(film, &film->last);
    return true;
}

static bool do_complete(struct film *film, const struct line *line)
{
    if (line->count < 3)
        return false;
    return report(
        film, line,
        &(struct msg_report){.outcome = REPORT_COMPLETED, .output = json_of(film, line, 3)});
}

static bool do_fail(struct film *film, const struct line *line)
{
    if (line->count < 4)
        return false;
    const char *after = option(line, "after");
    struct msg_report failed = {.outcome = REPORT_FAILED};
    failed.fault.type = arena_copy(&film->lasting, bytes_string(line->words[3]));
    failed.fault.is_final = has_word(line, "final");
    failed.fault.retry_after_ms = after != NULL ? strtoul(after, NULL, 10) : 0;
    (void)value_string(json_of(film, line, 4), &failed.fault.detail);
    return report(film, line, &failed);
}

static bool do_again(struct film *film, const struct line *line)
{
    (void)line;
    decide(film, &film->last);
    return true;
}

static bool do_dispatch(struct film *film, const struct line *line)
{
    if (line->count != 2)
        return false;
    struct command command = {.kind = CMD_DISPATCH, .type = bytes_string(line->words[1])};
    decide(film, &command);
    return true;
}

static bool do_wait(struct film *film, const struct line *line)
{
    if (line->count != 2)
        return false;
    film->world.now_us += strtoull(line->words[1], NULL, 10) * 1000;
    return true;
}

static bool do_fire(struct film *film, const struct line *line)
{
    const struct world_row *row = world_first(&film->world, TABLE_TIMER);
    if (row == NULL) {
        fprintf(film->out, "  no timer\n");
        return true;
    }
    uint64_t due_us = timer_key_due_us(row->key);
    struct command command = {.kind = CMD_TIMER_FIRE,
                              .timer_key = arena_copy(&film->lasting, row->key)};
    if (!has_word(line, "early") && due_us > film->world.now_us)
        film->world.now_us = due_us;
    fprintf(film->out, "  at %" PRIu64 "\n", millis(film, film->world.now_us));
    decide(film, &command);
    return true;
}

/* Timers that are due now fire until there are none; too much to show. */
static bool do_settle(struct film *film, const struct line *line)
{
    (void)line;
    unsigned count = 0;
    for (;; count++) {
        const struct world_row *row = world_first(&film->world, TABLE_TIMER);
        if (row == NULL || timer_key_due_us(row->key) > film->world.now_us)
            break;
        struct command command = {.kind = CMD_TIMER_FIRE,
                                  .timer_key = arena_copy(&film->lasting, row->key)};
        (void)world_decide(&film->world, &command);
    }
    fprintf(film->out, "  %s\n", count == 0 ? "nothing is due" : "went on");
    return true;
}

static void query(struct film *film, enum request_kind kind, struct bytes body)
{
    struct view view = world_view(&film->world);
    struct bytes answer = {NULL, 0};
    struct pawl_diag diag = {.line = 0};
    struct id128 run;
    enum pawl_error error =
        wf_query(film->world.engine, &view, kind, body, &film->lasting, &answer, &run, &diag);
    if (error != PAWL_OK)
        fprintf(film->out, "  %s: %s\n", pawl_error_name(error), diag.text);
    if (answer.size == 0)
        return;
    struct buffer text = {.limit = 0};
    json_write(answer, JSON_INDENTED, &text);
    buffer_append(&text, "", 1);
    for (char *at = strtok((char *)text.data, "\n"); at != NULL; at = strtok(NULL, "\n"))
        fprintf(film->out, "  %s\n", at);
    buffer_done(&text);
}

static bool do_query(struct film *film, const struct line *line)
{
    struct buffer body = {.limit = 0};
    const char *word = line->words[0];
    if (strcmp(word, "list") == 0 || strcmp(word, "definitions") == 0) {
        struct msg_list list = {.namespace_name = BYTES_LITERAL("test")};
        const char *limit = option(line, "limit");
        const char *after = option(line, "after");
        list.limit = limit != NULL ? (uint32_t)strtoul(limit, NULL, 10) : 0;
        list.after = bytes_string(after);
        list.status = bytes_string(option(line, "status"));
        codec_encode(&schema_list, &list, &body);
        query(film, word[0] == 'l' ? REQUEST_LIST : REQUEST_DEFINITION_LIST, buffer_bytes(&body));
        buffer_done(&body);
        return true;
    }
    if (line->count != 2)
        return false;
    struct msg_target target = {.namespace_name = BYTES_LITERAL("test"),
                                .workflow_id = bytes_string(line->words[1])};
    codec_encode(&schema_target, &target, &body);
    query(film,
          word[0] == 's'   ? REQUEST_SHOW
          : word[0] == 'h' ? REQUEST_HISTORY
                           : REQUEST_RESULT,
          buffer_bytes(&body));
    buffer_done(&body);
    return true;
}

static bool do_rows(struct film *film, const struct line *line)
{
    (void)line;
    for (int table = 0; table < TABLE_COUNT; table++) {
        unsigned count = 0;
        for (size_t i = 0; i < film->world.row_count; i++)
            count += film->world.rows[i].table == table;
        if (count > 0)
            fprintf(film->out, "  %s %u\n", table_names[table], count);
    }
    return true;
}

static const struct {
    const char *name;
    bool (*run)(struct film *film, const struct line *line);
} commands[] = {
    {"worker", do_worker}, {"gone", do_gone},         {"deploy", do_deploy},
    {"start", do_start},   {"complete", do_complete}, {"fail", do_fail},
    {"again", do_again},   {"dispatch", do_dispatch}, {"wait", do_wait},
    {"fire", do_fire},     {"show", do_query},        {"history", do_query},
    {"result", do_query},  {"list", do_query},        {"definitions", do_query},
    {"rows", do_rows},     {"settle", do_settle},
};

static bool line_command_run(struct film *film, const struct line *line)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (line->count > 0 && strcmp(line->words[0], commands[i].name) == 0)
            return commands[i].run(film, line);
    return false;
}

/* Words are separated by spaces, but not inside braces, brackets and quotes. */
static void split(char *text, struct line *line)
{
    int depth = 0;
    bool is_quoted = false;
    line->count = 0;
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        if (!is_quoted)
            depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        bool is_start = at == text || at[-1] == '\0';
        if (*at == ' ' && depth == 0 && !is_quoted)
            *at = '\0';
        else if (is_start && line->count < WORDS_MAX)
            line->words[line->count++] = at;
    }
}

/* The lines under a command that begin with "| ", without that. */
static void body_read(struct film *film, const char *at)
{
    struct buffer body = {.limit = 0};
    while (at[0] == '|') {
        size_t size = strcspn(at, "\n");
        if (size > 2)
            buffer_append(&body, at + 2, size - 2);
        buffer_append(&body, "\n", 1);
        fprintf(film->out, "%.*s\n", (int)size, at);
        at += size + (at[size] == '\n');
    }
    film->body = arena_copy(&film->lasting, buffer_bytes(&body));
    buffer_done(&body);
}

static bool line_run(struct film *film, const char *at, size_t size)
{
    char text[4096];
    struct line line;
    fprintf(film->out, "%.*s\n", (int)size, at);
    (void)snprintf(text, sizeof text, "%.*s", (int)size - 2, at + 2);
    split(text, &line);
    film->is_quiet = has_word(&line, "quiet");
    body_read(film, at + size + (at[size] == '\n'));
    if (line_command_run(film, &line))
        return true;
    fprintf(film->out, "  (not a command)\n");
    return false;
}

bool film_run(const char *script, FILE *out)
{
    struct film film = {.out = out};
    bool is_right = true;
    world_init(&film.world);
    film.began_us = film.world.now_us;
    for (const char *at = script; *at != '\0';) {
        size_t size = strcspn(at, "\n");
        if (strncmp(at, "> ", 2) == 0)
            is_right = line_run(&film, at, size) && is_right;
        else if (strncmp(at, "  ", 2) != 0 && at[0] != '|')
            fprintf(out, "%.*s\n", (int)size, at);
        at += size + (at[size] == '\n');
    }
    world_done(&film.world);
    arena_done(&film.lasting);
    return is_right;
}
