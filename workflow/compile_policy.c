/* Durations, timeouts, retries and errors, inline or by a name under `use`. */
#include "workflow/compile.h"
#include "workflow/duration.h"
#include "workflow/problem.h"

static bool has_expression(struct bytes node)
{
    struct bytes text;
    if (value_string(node, &text))
        return memmem(text.data, text.size, "${", 2) != NULL;
    struct node_pairs pairs = node_pairs_of(node);
    struct node_pair pair;
    while (node_pair_next(&pairs, &pair))
        if (value_string(pair.value, &text) && memmem(text.data, text.size, "${", 2) != NULL)
            return true;
    return false;
}

enum pawl_error compile_duration(struct compile *compile, struct bytes node, const char *what,
                                 struct duration *duration_out)
{
    struct duration duration = {.is_given = true};
    const char *problem = "";
    if (has_expression(node))
        TRY(compile_template(compile, node, PLACE_TASK, &duration.text));
    else if (!duration_read(node, &duration.us, &problem))
        return compile_fail(compile, node, PAWL_E_INVALID, "%s is %s", what, problem);
    *duration_out = duration;
    return PAWL_OK;
}

static enum pawl_error optional_duration(struct compile *compile, struct bytes map, const char *key,
                                         const char *what, struct duration *duration_out)
{
    struct bytes node;
    if (!node_get(map, key, &node))
        return PAWL_OK;
    return compile_duration(compile, node, what, duration_out);
}

/* An entry of a map under `use`. */
static enum pawl_error use_find(const struct compile *compile, struct bytes use, const char *what,
                                struct bytes name_node, struct bytes *entry_out)
{
    struct bytes name;
    TRY(node_want_string(compile, name_node, what, &name));
    if (value_map_get(use, name, entry_out))
        return PAWL_OK;
    struct suggestion suggestion;
    suggestion_begin(&suggestion);
    struct node_pairs pairs = node_pairs_of(use);
    struct node_pair pair;
    while (node_pair_next(&pairs, &pair))
        suggestion_offer(&suggestion, name, pair.key);
    return compile_fail(compile, name_node, PAWL_E_INVALID, "use.%s has no '%.*s'%s", what,
                        TEXT_OF(name), suggestion.text);
}

enum pawl_error compile_timeout(struct compile *compile, struct bytes node,
                                struct duration *duration_out)
{
    static const struct key_rule rules[] = {{"after", NULL}, {NULL, NULL}};
    struct bytes spec = node, after;
    if (value_kind_of(node) == VALUE_STRING)
        TRY(use_find(compile, compile->timeouts, "timeouts", node, &spec));
    TRY(node_want_keys(compile, spec, "a timeout", rules));
    TRY(node_want(compile, spec, "a timeout", "after", &after));
    return compile_duration(compile, after, "the timeout", duration_out);
}

static enum pawl_error limit_read(struct compile *compile, struct bytes limit,
                                  struct retry_policy *policy)
{
    static const struct key_rule rules[] = {{"attempt", NULL}, {"duration", NULL}, {NULL, NULL}};
    static const struct key_rule attempt_rules[] = {
        {"count", NULL}, {"duration", NULL}, {NULL, NULL}};
    TRY(node_want_keys(compile, limit, "the limit of a retry", rules));
    TRY(optional_duration(compile, limit, "duration", "the retry's limit.duration",
                          &policy->total_limit));
    struct bytes attempt, count_node;
    if (!node_get(limit, "attempt", &attempt))
        return PAWL_OK;
    TRY(node_want_keys(compile, attempt, "the attempt limit of a retry", attempt_rules));
    TRY(optional_duration(compile, attempt, "duration", "the retry's limit.attempt.duration",
                          &policy->attempt_limit));
    if (!node_get(attempt, "count", &count_node))
        return PAWL_OK;
    int64_t count;
    TRY(node_want_integer(compile, count_node, "the retry's limit.attempt.count", &count));
    if (count < 0 || count > 1000000)
        return compile_fail(compile, count_node, PAWL_E_INVALID,
                            "the retry's limit.attempt.count must be from 0 to 1000000");
    policy->has_count = true;
    policy->count = (uint32_t)count;
    return PAWL_OK;
}

static bool number_of(struct bytes node, double *number_out)
{
    struct value_cursor cursor = value_cursor_of(node);
    struct value_head head;
    int64_t integer;
    if (value_integer(node, &integer)) {
        *number_out = (double)integer;
        return true;
    }
    if (value_next(&cursor, &head) != PAWL_OK || head.kind != VALUE_FLOAT)
        return false;
    *number_out = head.real;
    return true;
}

static enum pawl_error exponential_read(struct compile *compile, struct bytes node,
                                        struct retry_policy *policy)
{
    static const struct key_rule rules[] = {{"factor", NULL}, {"maxDelay", NULL}, {NULL, NULL}};
    struct bytes factor;
    TRY(node_want_keys(compile, node, "an exponential backoff", rules));
    TRY(optional_duration(compile, node, "maxDelay", "the backoff's maxDelay", &policy->delay_max));
    if (!node_get(node, "factor", &factor))
        return PAWL_OK;
    if (!number_of(factor, &policy->factor) || !(policy->factor >= 1 && policy->factor <= 100))
        return compile_fail(compile, factor, PAWL_E_INVALID,
                            "the backoff's factor must be a number from 1 to 100");
    return PAWL_OK;
}

static enum pawl_error backoff_read(struct compile *compile, struct bytes node,
                                    struct retry_policy *policy)
{
    static const struct key_rule rules[] = {
        {"constant", NULL}, {"linear", NULL}, {"exponential", NULL}, {NULL, NULL}};
    static const struct key_rule none[] = {{NULL, NULL}};
    TRY(node_want_keys(compile, node, "a backoff", rules));
    struct node_pairs pairs = node_pairs_of(node);
    struct node_pair pair = {.key = {NULL, 0}};
    if (pairs.left != 1 || !node_pair_next(&pairs, &pair))
        return compile_fail(compile, node, PAWL_E_INVALID,
                            "a backoff must be exactly one of constant, linear and exponential");
    if (bytes_equal(pair.key, BYTES_LITERAL("exponential"))) {
        policy->backoff = BACKOFF_EXPONENTIAL;
        return exponential_read(compile, pair.value, policy);
    }
    bool is_linear = bytes_equal(pair.key, BYTES_LITERAL("linear"));
    policy->backoff = is_linear ? BACKOFF_LINEAR : BACKOFF_CONSTANT;
    return node_want_keys(compile, pair.value, "a constant or linear backoff", none);
}

static enum pawl_error jitter_read(struct compile *compile, struct bytes node,
                                   struct retry_policy *policy)
{
    static const struct key_rule rules[] = {{"from", NULL}, {"to", NULL}, {NULL, NULL}};
    struct bytes from, to;
    TRY(node_want_keys(compile, node, "a jitter", rules));
    TRY(node_want(compile, node, "a jitter", "from", &from));
    TRY(node_want(compile, node, "a jitter", "to", &to));
    TRY(compile_duration(compile, from, "the jitter's from", &policy->jitter_from));
    return compile_duration(compile, to, "the jitter's to", &policy->jitter_to);
}

static enum pawl_error retry_conditions(struct compile *compile, struct bytes node,
                                        struct retry_policy *policy)
{
    struct bytes part;
    if (node_get(node, "when", &part))
        TRY(compile_expression(compile, part, PLACE_TASK, "the retry's when", &policy->when));
    if (node_get(node, "exceptWhen", &part))
        TRY(compile_expression(compile, part, PLACE_TASK, "the retry's exceptWhen",
                               &policy->except_when));
    return PAWL_OK;
}

enum pawl_error compile_retry(struct compile *compile, struct bytes node,
                              const struct retry_policy **policy_out)
{
    static const struct key_rule rules[] = {
        {"when", NULL},  {"exceptWhen", NULL}, {"delay", NULL}, {"backoff", NULL},
        {"limit", NULL}, {"jitter", NULL},     {NULL, NULL}};
    struct bytes spec = node, part;
    if (value_kind_of(node) == VALUE_STRING)
        TRY(use_find(compile, compile->retries, "retries", node, &spec));
    struct retry_policy *policy = ARENA_NEW(compile->arena, struct retry_policy);
    if (policy == NULL)
        return PAWL_E_NO_MEMORY;
    policy->factor = 2;
    TRY(node_want_keys(compile, spec, "a retry policy", rules));
    TRY(retry_conditions(compile, spec, policy));
    TRY(optional_duration(compile, spec, "delay", "the retry's delay", &policy->delay));
    if (node_get(spec, "backoff", &part))
        TRY(backoff_read(compile, part, policy));
    if (node_get(spec, "limit", &part))
        TRY(limit_read(compile, part, policy));
    if (node_get(spec, "jitter", &part))
        TRY(jitter_read(compile, part, policy));
    if (!policy->has_count && !policy->total_limit.is_given)
        TRY(compile_warn(compile, spec,
                         "this retry policy has neither limit.attempt.count nor limit.duration: it "
                         "retries for ever"));
    *policy_out = policy;
    return PAWL_OK;
}

static enum pawl_error error_field(struct compile *compile, struct bytes spec, const char *key,
                                   const struct template **out)
{
    struct bytes node;
    if (!node_get(spec, key, &node))
        return PAWL_OK;
    return compile_template(compile, node, PLACE_TASK, out);
}

enum pawl_error compile_error(struct compile *compile, struct bytes node,
                              const struct error_spec **error_out)
{
    static const struct key_rule rules[] = {{"type", NULL},   {"status", NULL},   {"title", NULL},
                                            {"detail", NULL}, {"instance", NULL}, {NULL, NULL}};
    struct bytes spec = node, part;
    if (value_kind_of(node) == VALUE_STRING)
        TRY(use_find(compile, compile->errors, "errors", node, &spec));
    struct error_spec *error = ARENA_NEW(compile->arena, struct error_spec);
    if (error == NULL)
        return PAWL_E_NO_MEMORY;
    TRY(node_want_keys(compile, spec, "an error", rules));
    TRY(node_want(compile, spec, "an error", "type", &part));
    TRY(node_want(compile, spec, "an error", "status", &part));
    TRY(error_field(compile, spec, "type", &error->type));
    TRY(error_field(compile, spec, "status", &error->status));
    TRY(error_field(compile, spec, "title", &error->title));
    TRY(error_field(compile, spec, "detail", &error->detail));
    TRY(error_field(compile, spec, "instance", &error->instance));
    int64_t status;
    if (error->status->kind == TEMPLATE_VALUE)
        TRY(node_want_integer(compile, error->status->value, "the status of an error", &status));
    struct bytes type;
    if (error->type->kind == TEMPLATE_VALUE)
        TRY(node_want_string(compile, error->type->value, "the type of an error", &type));
    *error_out = error;
    return PAWL_OK;
}

static enum pawl_error filter_text(struct compile *compile, struct bytes with, const char *key,
                                   struct bytes *text_out)
{
    struct bytes node;
    if (!node_get(with, key, &node))
        return PAWL_OK;
    return node_want_string(compile, node, "a field of an error filter", text_out);
}

enum pawl_error compile_error_filter(struct compile *compile, struct bytes node,
                                     struct error_filter *filter_out)
{
    static const struct key_rule rules[] = {{"with", NULL}, {NULL, NULL}};
    static const struct key_rule with_rules[] = {
        {"type", NULL},   {"status", NULL},  {"instance", NULL}, {"title", NULL},
        {"detail", NULL}, {"details", NULL}, {NULL, NULL}};
    struct bytes with, status;
    TRY(node_want_keys(compile, node, "catch.errors", rules));
    if (!node_get(node, "with", &with))
        return PAWL_OK;
    TRY(node_want_keys(compile, with, "an error filter", with_rules));
    TRY(filter_text(compile, with, "type", &filter_out->type));
    TRY(filter_text(compile, with, "instance", &filter_out->instance));
    TRY(filter_text(compile, with, "title", &filter_out->title));
    TRY(filter_text(compile, with, "details", &filter_out->detail));
    TRY(filter_text(compile, with, "detail", &filter_out->detail));
    filter_out->type = problem_type_canonical(filter_out->type);
    if (!node_get(with, "status", &status))
        return PAWL_OK;
    filter_out->has_status = true;
    return node_want_integer(compile, status, "the status of an error filter", &filter_out->status);
}
