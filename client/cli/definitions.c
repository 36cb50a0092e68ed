/* pawl def ... */
#include <stdio.h>

#include "client/cli/session.h"
#include "proto/limits.h"
#include "proto/value.h"
#include "workflow/definition.h"

static void place_print(const char *path, const struct pawl_diag *diag, const char *kind)
{
    if (diag->line > 0)
        fprintf(stderr, "%s:%d:%d: %s: %s\n", path, diag->line, diag->column, kind, diag->text);
    else
        fprintf(stderr, "%s: %s: %s\n", path, kind, diag->text);
}

static enum pawl_error source_read(const char *path, struct buffer *source, struct pawl_diag *diag)
{
    TRY(file_read(path, DEFINITION_BYTES_MAX, source, diag));
    struct bytes text = bytes_of(source->data, source->size - 1);
    if (memchr(text.data, '\0', text.size) != NULL)
        return diag_fail(diag, PAWL_E_INVALID, "%s is no text", path);
    return PAWL_OK;
}

/* Read one file as a definition, printing what a linter prints. */
static enum pawl_error lint_one(const char *path, struct pawl_diag *diag)
{
    struct buffer source = {0};
    struct definition *definition;
    enum pawl_error error = source_read(path, &source, diag);
    if (error == PAWL_OK)
        error = definition_read(bytes_of(source.data, source.size - 1), &definition, diag);
    buffer_done(&source);
    if (error != PAWL_OK)
        return error;
    size_t count;
    const struct definition_warning *warnings = definition_warnings(definition, &count);
    for (size_t i = 0; i < count; i++)
        place_print(path, &warnings[i].diag, "warning");
    struct bytes name = definition_name(definition), version = definition_version(definition);
    printf("%s: %.*s@%.*s is well formed\n", path, (int)name.size, (const char *)name.data,
           (int)version.size, (const char *)version.data);
    definition_free(definition);
    return PAWL_OK;
}

enum exit_code definition_lint(const struct arguments *arguments)
{
    enum exit_code code = EXIT_OK;
    for (size_t i = 0; i < arguments->word_count; i++) {
        struct pawl_diag diag = {0};
        if (lint_one(arguments->words[i], &diag) != PAWL_OK) {
            place_print(arguments->words[i], &diag, "error");
            code = EXIT_FAILED;
        }
    }
    return code;
}

static void warnings_print(const char *path, struct bytes answer)
{
    struct bytes warnings, warning;
    struct value_cursor cursor;
    struct value_head head;
    if (!value_map_get(answer, BYTES_LITERAL("warnings"), &warnings))
        return;
    cursor = value_cursor_of(warnings);
    if (value_next(&cursor, &head) != PAWL_OK || head.kind != VALUE_ARRAY)
        return;
    for (uint32_t i = 0; i < head.count && value_take(&cursor, &warning) == PAWL_OK; i++) {
        struct bytes text = value_map_string(warning, BYTES_LITERAL("text"));
        fprintf(stderr, "%s: warning: %.*s\n", path, (int)text.size, (const char *)text.data);
    }
}

static void deployed_print(struct session *session, const char *path)
{
    struct bytes existing, answer = session_value(session);
    bool is_known = value_map_get(answer, BYTES_LITERAL("existing"), &existing) &&
                    bytes_equal(existing, BYTES_LITERAL("\xc3"));
    if (wants_json(session->arguments)) {
        json_print(answer);
        return;
    }
    warnings_print(path, answer);
    printf("%s ", is_known ? "unchanged" : "deployed");
    text_print(value_map_string(answer, BYTES_LITERAL("namespace")));
    putchar('/');
    text_print(value_map_string(answer, BYTES_LITERAL("name")));
    putchar('@');
    text_print(value_map_string(answer, BYTES_LITERAL("version")));
    putchar('\n');
}

/* The cluster says no; say where in the file, if that can be found here. */
static enum exit_code refused(struct session *session, const char *path, struct bytes source,
                              enum pawl_error error)
{
    struct definition *definition;
    struct pawl_diag here = {0};
    if (error == PAWL_E_INVALID || error == PAWL_E_UNSUPPORTED) {
        if (definition_read(source, &definition, &here) == PAWL_OK)
            definition_free(definition);
        else if (here.line > 0 && !wants_json(session->arguments))
            fprintf(stderr, "%s:%d:%d\n", path, here.line, here.column);
    }
    return session_fail(session, error, NULL);
}

static enum exit_code deploy_one(struct session *session, const char *path)
{
    struct buffer source = {0};
    enum exit_code code = EXIT_OK;
    pawl_answer_free(session->answer);
    session->answer = NULL;
    enum pawl_error error = source_read(path, &source, &session->diag);
    if (error != PAWL_OK) {
        code = session_fail(session, error, NULL);
    } else {
        error =
            pawl_deploy(session->pawl, (const char *)source.data, &session->answer, &session->diag);
        if (error == PAWL_OK)
            deployed_print(session, path);
        else
            code = refused(session, path, bytes_of(source.data, source.size - 1), error);
    }
    buffer_done(&source);
    return code;
}

enum exit_code definition_deploy(const struct arguments *arguments)
{
    struct session session;
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < arguments->word_count && code == EXIT_OK; i++)
        code = deploy_one(&session, arguments->words[i]);
    session_close(&session);
    return code;
}

static void list_print(struct bytes answer)
{
    static const struct column columns[] = {
        {"NAMESPACE", "namespace"},
        {"NAME", "name"},
        {"VERSION", "version"},
        {"DEPLOYED", "deployedAt"},
        {0},
    };
    struct bytes definitions;
    if (value_map_get(answer, BYTES_LITERAL("definitions"), &definitions))
        table_print(definitions, columns);
}

enum exit_code definition_ls(const struct arguments *arguments)
{
    return session_list(arguments, pawl_definition_list, list_print);
}

enum exit_code definition_show(const struct arguments *arguments)
{
    struct session session;
    char name[NAME_BYTES_MAX * 2 + 2];
    enum exit_code code = session_open(&session, arguments);
    if (code != EXIT_OK)
        return code;
    snprintf(name, sizeof name, "%s", arguments->words[0]);
    char *at = strrchr(name, '@');
    if (at != NULL)
        *at = '\0';
    enum pawl_error error = pawl_definition_show(session.pawl, name, at != NULL ? at + 1 : NULL,
                                                 &session.answer, &session.diag);
    code = session_answered(&session, error, map_print);
    session_close(&session);
    return code;
}
