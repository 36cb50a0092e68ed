/* pawl wf ... */
#include <stdio.h>
#include <sys/random.h>

#include "client/cli/session.h"
#include "proto/limits.h"
#include "proto/value.h"

/* The number of a name in a list of names; false: it is none of them. */
static bool policy_parse(const char *text, const char *const *names, unsigned *policy_out)
{
    *policy_out = 0;
    for (unsigned i = 0; text != NULL && names[i] != NULL; i++)
        if (strcmp(text, names[i]) == 0) {
            *policy_out = i;
            return true;
        }
    return text == NULL;
}

static enum pawl_error policies_read(const struct arguments *arguments, struct pawl_start *start,
                                     struct pawl_diag *diag)
{
    static const char *const conflicts[] = {"fail", "use-existing", "terminate", NULL};
    static const char *const reuses[] = {"allow", "allow-if-failed", "reject", NULL};
    unsigned on_conflict, on_reuse;
    if (!policy_parse(arguments->values[OPTION_ON_CONFLICT], conflicts, &on_conflict))
        return diag_fail(diag, PAWL_E_INVALID, "--on-conflict is %s",
                         option_rows[OPTION_ON_CONFLICT].value);
    if (!policy_parse(arguments->values[OPTION_ON_REUSE], reuses, &on_reuse))
        return diag_fail(diag, PAWL_E_INVALID, "--on-reuse is %s",
                         option_rows[OPTION_ON_REUSE].value);
    start->on_conflict = (enum pawl_on_conflict)on_conflict;
    start->on_reuse = (enum pawl_on_reuse)on_reuse;
    return PAWL_OK;
}

/* The JSON text that --input means; input holds it if it came from a file. */
static enum pawl_error input_read(const struct arguments *arguments, struct buffer *input,
                                  const char **json_out, struct pawl_diag *diag)
{
    const char *given = arguments->values[OPTION_INPUT];
    *json_out = given;
    if (given == NULL || (given[0] != '@' && strcmp(given, "-") != 0))
        return PAWL_OK;
    TRY(file_read(given[0] == '@' ? given + 1 : "-", TEXT_BYTES_MAX, input, diag));
    *json_out = (const char *)input->data;
    return PAWL_OK;
}

static enum exit_code result_print(struct session *session, const char *workflow_id)
{
    const struct pawl_target target = {
        .size = sizeof target, .workflow_id = workflow_id, .timeout_ms = session->timeout_ms};
    struct pawl_answer *answer;
    enum exit_code code = EXIT_OK;
    enum pawl_error error = pawl_result(session->pawl, &target, &answer, &session->diag);
    size_t size = 0;
    const void *data = answer != NULL ? pawl_answer_msgpack(answer, &size) : NULL;
    if (error != PAWL_OK)
        code = session_fail(
            session, error,
            error == PAWL_E_WORKFLOW_FAILED ? "pawl wf show and pawl wf history say more" : NULL);
    if (error == PAWL_OK || (error == PAWL_E_WORKFLOW_FAILED && size > 0))
        json_print(bytes_of(data, size));
    pawl_answer_free(answer);
    return code;
}

static void started_print(struct session *session, FILE *file)
{
    struct bytes answer = session_value(session), existing;
    bool is_existing = value_map_get(answer, BYTES_LITERAL("existing"), &existing) &&
                       bytes_equal(existing, BYTES_LITERAL("\xc3"));
    const char *id = pawl_answer_text(session->answer, "workflowId");
    const char *run = pawl_answer_text(session->answer, "run");
    fprintf(file, "%s %s  run %s\n", is_existing ? "existing" : "started", id != NULL ? id : "-",
            run != NULL ? run : "-");
}

static enum exit_code started(struct session *session)
{
    bool waits = session->arguments->values[OPTION_WAIT] != NULL;
    const char *id = pawl_answer_text(session->answer, "workflowId");
    if (!waits && wants_json(session->arguments))
        json_print(session_value(session));
    else if (!wants_json(session->arguments))
        started_print(session, waits ? stderr : stdout);
    return waits && id != NULL ? result_print(session, id) : EXIT_OK;
}

/* A request id of our own, so that an unknown outcome can be told how to be tried again. */
static void request_draw(char text_out[37])
{
    struct id128 id;
    if (getrandom(&id, sizeof id, 0) != sizeof id)
        text_out[0] = '\0';
    else
        id128_format(id, text_out);
}

static enum exit_code start_run(struct session *session, struct pawl_start *start)
{
    char request[37], hint[128];
    if (start->request_id == NULL) {
        request_draw(request);
        start->request_id = request[0] != '\0' ? request : NULL;
    }
    enum pawl_error error = pawl_start(session->pawl, start, &session->answer, &session->diag);
    if (error == PAWL_OK)
        return started(session);
    snprintf(hint, sizeof hint, "to try exactly this start again, add --request %s",
             start->request_id != NULL ? start->request_id : "UUID");
    bool is_unknown = pawl_error_outcome(error) == PAWL_OUTCOME_UNKNOWN;
    return session_fail(session, error, is_unknown ? hint : NULL);
}

enum exit_code workflow_start(const struct arguments *arguments)
{
    struct session session;
    struct buffer input = {0};
    struct pawl_start start = {.size = sizeof start,
                               .definition = arguments->words[0],
                               .version = arguments->values[OPTION_VERSION],
                               .workflow_id = arguments->values[OPTION_ID],
                               .request_id = arguments->values[OPTION_REQUEST]};
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    if (policies_read(arguments, &start, &session.diag) != PAWL_OK ||
        input_read(arguments, &input, &start.input_json, &session.diag) != PAWL_OK) {
        (void)session_fail(&session, PAWL_E_INVALID, NULL);
        code = EXIT_USAGE;
    } else {
        code = start_run(&session, &start);
    }
    buffer_done(&input);
    session_close(&session);
    return code;
}

enum exit_code workflow_result(const struct arguments *arguments)
{
    struct session session;
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    code = result_print(&session, arguments->words[0]);
    session_close(&session);
    return code;
}

static void show_print(struct bytes answer)
{
    static const struct column columns[] = {{"STEP", "step"},   {"TYPE", "type"},
                                            {"STATE", "state"}, {"ATTEMPT", "attempt"},
                                            {"DETAILS", NULL},  {0}};
    struct value_cursor cursor = value_cursor_of(answer);
    struct value_head head, key;
    struct bytes value, steps = {NULL, 0};
    struct buffer rest = {0}, map = {0};
    uint32_t count = 0;
    if (value_kind_of(answer) != VALUE_MAP || value_next(&cursor, &head) != PAWL_OK)
        return;
    for (uint32_t i = 0; i < head.count; i++) {
        if (value_next(&cursor, &key) != PAWL_OK || value_take(&cursor, &value) != PAWL_OK)
            break;
        if (bytes_equal(key.bytes, BYTES_LITERAL("steps"))) {
            steps = value;
            continue;
        }
        pack_string(&rest, key.bytes);
        pack_value(&rest, value);
        count++;
    }
    pack_map(&map, count);
    pack_value(&map, buffer_bytes(&rest));
    map_print(buffer_bytes(&map));
    if (steps.size > 1)
        table_print(steps, columns);
    buffer_done(&rest);
    buffer_done(&map);
}

static void history_print(struct bytes answer)
{
    static const struct column columns[] = {
        {"TIME", "time"}, {"EVENT", "event"}, {"DETAILS", NULL}, {0}};
    struct bytes events;
    if (value_map_get(answer, BYTES_LITERAL("events"), &events))
        table_print(events, columns);
}

typedef enum pawl_error (*ask_target)(struct pawl *pawl, const struct pawl_target *target,
                                      struct pawl_answer **answer_out, struct pawl_diag *diag);

static enum exit_code target_print(const struct arguments *arguments, ask_target ask,
                                   void (*print)(struct bytes))
{
    struct session session;
    const struct pawl_target target = {.size = sizeof target, .workflow_id = arguments->words[0]};
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    code = session_answered(&session, ask(session.pawl, &target, &session.answer, &session.diag),
                            print);
    session_close(&session);
    return code;
}

enum exit_code workflow_show(const struct arguments *arguments)
{
    return target_print(arguments, pawl_show, show_print);
}

enum exit_code workflow_history(const struct arguments *arguments)
{
    return target_print(arguments, pawl_history, history_print);
}

static void list_print(struct bytes answer)
{
    static const struct column columns[] = {
        {"WORKFLOW", "workflowId"},
        {"STATUS", "status"},
        {"DEFINITION", "definition"},
        {"VERSION", "version"},
        {"STARTED", "startedAt"},
        {"ENDED", "endedAt"},
        {0},
    };
    struct bytes instances;
    if (value_map_get(answer, BYTES_LITERAL("instances"), &instances))
        table_print(instances, columns);
}

enum exit_code workflow_ls(const struct arguments *arguments)
{
    return session_list(arguments, pawl_list, list_print);
}
