/* The document: who it is, what it uses, and its tasks. */
#include "workflow/compile.h"
#include "workflow/version.h"

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$ */
static bool is_document_name(struct bytes text)
{
    if (text.size == 0 || text.size > 63 || !is_alphanumeric(text.data[0]) ||
        !is_alphanumeric(text.data[text.size - 1]))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!is_alphanumeric(text.data[i]) && text.data[i] != '-')
            return false;
    return true;
}

static enum pawl_error name_read(struct compile *compile, struct bytes document, const char *key,
                                 struct bytes *out)
{
    struct bytes node;
    TRY(node_want(compile, document, "'document'", key, &node));
    TRY(node_want_string(compile, node, key, out));
    if (!is_document_name(*out))
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "the %s '%.*s' must have 1 to 63 letters, digits and '-', none of them "
                            "'-' at its ends",
                            key, TEXT_OF(*out));
    return PAWL_OK;
}

static enum pawl_error version_read(struct compile *compile, struct bytes document)
{
    struct bytes node, *version = &compile->definition->version;
    TRY(node_want(compile, document, "'document'", "version", &node));
    TRY(node_want_string(compile, node, "the version (put it in quotes)", version));
    if (!version_is_valid(*version))
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "the version '%.*s' is no semantic version such as '1.0.0'",
                            TEXT_OF(*version));
    return PAWL_OK;
}

static enum pawl_error dsl_read(struct compile *compile, struct bytes document)
{
    struct bytes node, dsl;
    TRY(node_want(compile, document, "'document'", "dsl", &node));
    TRY(node_want_string(compile, node, "the dsl version (put it in quotes)", &dsl));
    if (!version_is_valid(dsl))
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "dsl '%.*s' is no version such as '1.0.3'", TEXT_OF(dsl));
    if (!bytes_have_prefix(dsl, BYTES_LITERAL("1.0.")))
        return compile_fail(compile, node, PAWL_E_UNSUPPORTED,
                            "pawl runs version 1.0 of the language (such as '1.0.3'), not '%.*s'",
                            TEXT_OF(dsl));
    return PAWL_OK;
}

static enum pawl_error metadata_read(struct compile *compile, struct bytes node)
{
    static const struct key_rule rules[] = {
        {"onFault", NULL},
        {"onCancel", "pawl has no cancel, so there is nothing for onCancel to do"},
        {NULL, NULL}};
    struct bytes pawl, part, text;
    TRY(node_want_map(compile, node, "document.metadata"));
    if (!node_get(node, "pawl", &pawl))
        return PAWL_OK;
    TRY(node_want_keys(compile, pawl, "document.metadata.pawl", rules));
    if (!node_get(pawl, "onFault", &part))
        return PAWL_OK;
    TRY(node_want_string(compile, part, "onFault", &text));
    if (!bytes_equal(text, BYTES_LITERAL("compensate")))
        return compile_fail(compile, part, PAWL_E_INVALID, "onFault can only be 'compensate'");
    compile->definition->compensates_on_fault = true;
    return PAWL_OK;
}

static enum pawl_error head_read(struct compile *compile)
{
    static const struct key_rule rules[] = {
        {"dsl", NULL},     {"namespace", NULL}, {"name", NULL},
        {"version", NULL}, {"title", NULL},     {"summary", NULL},
        {"tags", NULL},    {"metadata", NULL},  {NULL, NULL}};
    struct bytes document, metadata;
    TRY(node_want(compile, compile->document, "a definition", "document", &document));
    TRY(node_want_keys(compile, document, "'document'", rules));
    TRY(dsl_read(compile, document));
    TRY(name_read(compile, document, "namespace", &compile->definition->namespace_name));
    TRY(name_read(compile, document, "name", &compile->definition->name));
    TRY(version_read(compile, document));
    if (node_get(document, "metadata", &metadata))
        return metadata_read(compile, metadata);
    return PAWL_OK;
}

/* Entries that are named somewhere are checked there again, with what they may refer to at that
 * place. */
static enum pawl_error use_check(struct compile *compile)
{
    struct node_pair pair;
    struct node_pairs pairs = node_pairs_of(compile->errors);
    const struct error_spec *error;
    while (node_pair_next(&pairs, &pair))
        TRY(compile_error(compile, pair.value, &error));
    struct duration timeout;
    pairs = node_pairs_of(compile->timeouts);
    while (node_pair_next(&pairs, &pair))
        TRY(compile_timeout(compile, pair.value, &timeout));
    pairs = node_pairs_of(compile->functions);
    struct function_use function;
    while (node_pair_next(&pairs, &pair))
        TRY(compile_function(compile, pair.key_node, &function));
    pairs = node_pairs_of(compile->retries);
    while (node_pair_next(&pairs, &pair))
        TRY(node_want_map(compile, pair.value, "a retry policy"));
    return PAWL_OK;
}

static enum pawl_error use_part(const struct compile *compile, struct bytes use, const char *key,
                                struct bytes *out)
{
    if (!node_get(use, key, out))
        return PAWL_OK;
    return node_want_map(compile, *out, key);
}

static enum pawl_error use_read(struct compile *compile)
{
    static const struct key_rule rules[] = {
        {"errors", NULL},
        {"functions", NULL},
        {"retries", NULL},
        {"timeouts", NULL},
        {"authentications", "pawl makes no calls of its own, so it takes no authentications"},
        {"catalogs", "pawl reads no catalogs; functions are what its workers serve"},
        {"extensions", "pawl does not run extensions"},
        {"secrets", "pawl keeps no secrets; give them to the worker"},
        {NULL, NULL}};
    struct bytes use;
    if (!node_get(compile->document, "use", &use))
        return PAWL_OK;
    TRY(node_want_keys(compile, use, "'use'", rules));
    TRY(use_part(compile, use, "errors", &compile->errors));
    TRY(use_part(compile, use, "functions", &compile->functions));
    TRY(use_part(compile, use, "retries", &compile->retries));
    TRY(use_part(compile, use, "timeouts", &compile->timeouts));
    return use_check(compile);
}

static enum pawl_error evaluate_read(struct compile *compile)
{
    static const struct key_rule rules[] = {{"language", NULL}, {"mode", NULL}, {NULL, NULL}};
    struct bytes evaluate, part, text;
    if (!node_get(compile->document, "evaluate", &evaluate))
        return PAWL_OK;
    TRY(node_want_keys(compile, evaluate, "'evaluate'", rules));
    if (node_get(evaluate, "language", &part)) {
        TRY(node_want_string(compile, part, "evaluate.language", &text));
        if (!bytes_equal(text, BYTES_LITERAL("jq")))
            return compile_fail(compile, part, PAWL_E_UNSUPPORTED, "pawl evaluates only jq");
    }
    if (node_get(evaluate, "mode", &part)) {
        TRY(node_want_string(compile, part, "evaluate.mode", &text));
        if (!bytes_equal(text, BYTES_LITERAL("strict")))
            return compile_fail(compile, part, PAWL_E_UNSUPPORTED,
                                "pawl evaluates only in strict mode: expressions stand in ${ }");
    }
    return PAWL_OK;
}

static enum pawl_error root_read(struct compile *compile)
{
    struct task *root = ARENA_NEW(compile->arena, struct task);
    if (root == NULL)
        return PAWL_E_NO_MEMORY;
    *root = (struct task){
        .kind = TASK_ROOT, .name = compile->definition->name, .source = compile->document};
    compile->tasks[0] = root;
    compile->task_count = 1;
    TRY(compile_data_flow(compile, compile->document, root));
    struct bytes list;
    TRY(node_want(compile, compile->document, "a definition", "do", &list));
    TRY(compile_list(compile, list, 0, "/do", &root->first));
    if (root->first == 0)
        return compile_fail(compile, list, PAWL_E_INVALID, "a definition without tasks");
    root->last = compile->task_count - 1;
    return PAWL_OK;
}

enum pawl_error compile_document(struct compile *compile)
{
    static const struct key_rule rules[] = {
        {"document", NULL},
        {"input", NULL},
        {"use", NULL},
        {"do", NULL},
        {"timeout", NULL},
        {"output", NULL},
        {"evaluate", NULL},
        {"schedule", "pawl does not start workflows on a schedule; start them from a client"},
        {NULL, NULL}};
    TRY(node_want_keys(compile, compile->document, "a definition", rules));
    TRY(head_read(compile));
    TRY(evaluate_read(compile));
    TRY(use_read(compile));
    TRY(root_read(compile));
    struct definition *definition = compile->definition;
    definition->task_count = compile->task_count;
    definition->tasks = arena_array(compile->arena, compile->task_count, sizeof(struct task *));
    if (definition->tasks == NULL)
        return PAWL_E_NO_MEMORY;
    memcpy(definition->tasks, compile->tasks, compile->task_count * sizeof(struct task *));
    definition->warnings = compile->warnings;
    definition->warning_count = compile->warning_count;
    return PAWL_OK;
}
