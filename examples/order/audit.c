/* Audit a run of the order example: the workers' ledgers against the cluster's histories and
 * results.
 *
 *   order-audit --results FILE --kills FILE --seconds S [--nodes LIST] LEDGER...
 *
 * Kills are lines "time node role open". Prints a table; exit status 1 when an order was lost, a
 * completed step was run again, or a ledger differs from the history.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/pawl.h"

enum { FIELDS_MAX = 8, KILLS_MAX = 64 };

struct audit {
    struct pawl *pawl;
    json_t *keys;      /* idempotency key -> {starts, failures, completed: bool} */
    json_t *fences;    /* fence -> {workflow, outcome, output, ack} */
    json_t *histories; /* fence -> {handed, completed, failed, output} */
    unsigned orders, completed, compensated, faulted, lost, rerun, differing, twice, steps;
    long long *acks; /* times of acknowledged reports */
    size_t ack_count, ack_capacity;
    struct kill {
        long long at_us;
        char node[16], role[16];
        unsigned open;
    } kills[KILLS_MAX];
    size_t kill_count;
};

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "order-audit: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

static void complain(const char *what, const char *fence, const char *key)
{
    fprintf(stderr, "order-audit: %s: fence %s, key %s\n", what, fence, key);
}

static json_t *member(json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);
    if (found == NULL) {
        found = json_object();
        json_object_set_new(object, key, found);
    }
    return found;
}

static json_int_t count(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void add(json_t *object, const char *key)
{
    json_object_set_new(object, key, json_integer(count(object, key) + 1));
}

static bool same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return fabs(json_number_value(a) - json_number_value(b)) <= 0;
    if (json_is_object(a) && json_is_object(b)) {
        const char *key;
        json_t *value;
        union {
            const json_t *constant;
            json_t *plain;
        } alias = {.constant = a};
        json_object_foreach(alias.plain, key, value)
        {
            if (!same(value, json_object_get(b, key)))
                return false;
        }
        return json_object_size(a) == json_object_size(b);
    }
    return json_equal(a, b) != 0;
}

/* ---- ledgers ---- */

static size_t split(char *line, char *fields[FIELDS_MAX])
{
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; at != NULL && n < FIELDS_MAX;) {
        fields[n++] = at;
        at = n < FIELDS_MAX ? strchr(at, '\t') : NULL;
        if (at != NULL)
            *at++ = '\0';
    }
    return n;
}

static void take_start(struct audit *audit, char *fields[FIELDS_MAX])
{
    json_t *key = member(audit->keys, fields[3]), *fence = member(audit->fences, fields[2]);
    if (json_is_true(json_object_get(key, "completed"))) {
        audit->rerun++;
        complain("a completed step was run again", fields[2], fields[3]);
    }
    if (count(key, "starts") > count(key, "failures"))
        audit->twice++;
    add(key, "starts");
    json_object_set_new(fence, "key", json_string(fields[3]));
    json_object_set_new(fence, "workflow", json_string(fields[5]));
}

static void take_acknowledgement(struct audit *audit, char *fields[FIELDS_MAX])
{
    json_t *key = member(audit->keys, fields[3]), *fence = member(audit->fences, fields[2]);
    json_object_set_new(fence, "ack", json_string(fields[4]));
    if (strcmp(fields[4], "OK") != 0)
        return;
    const char *outcome = json_string_value(json_object_get(fence, "outcome"));
    if (outcome != NULL && strcmp(outcome, "completed") == 0) {
        json_object_set_new(key, "completed", json_true());
        audit->steps++;
    } else {
        add(key, "failures");
    }
    if (audit->ack_count == audit->ack_capacity) {
        audit->ack_capacity = audit->ack_capacity == 0 ? 1024 : audit->ack_capacity * 2;
        audit->acks = realloc(audit->acks, audit->ack_capacity * sizeof *audit->acks);
        if (audit->acks == NULL)
            die("out of memory", "");
    }
    audit->acks[audit->ack_count++] = atoll(fields[1]);
}

static void read_ledger(struct audit *audit, const char *path)
{
    char line[16384], *fields[FIELDS_MAX];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot open", path);
    while (fgets(line, sizeof line, file) != NULL) {
        const size_t n = split(line, fields);
        if (n >= 7 && strcmp(fields[0], "start") == 0) {
            take_start(audit, fields);
        } else if (n >= 6 && strcmp(fields[0], "end") == 0) {
            json_t *fence = member(audit->fences, fields[2]);
            json_object_set_new(fence, "outcome", json_string(fields[4]));
            json_object_set_new(fence, "output", json_string(fields[5]));
        } else if (n >= 5 && strcmp(fields[0], "ack") == 0) {
            take_acknowledgement(audit, fields);
        } else {
            die("a line is no ledger line", path);
        }
    }
    fclose(file);
}

static void read_kills(struct audit *audit, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot open", path);
    struct kill kill = {0};
    while (audit->kill_count < KILLS_MAX &&
           fscanf(file, "%lld %15s %15s %u", &kill.at_us, kill.node, kill.role, &kill.open) == 4)
        audit->kills[audit->kill_count++] = kill;
    fclose(file);
}

/* ---- histories and results ---- */

static void take_event(struct audit *audit, const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    char fence[128];
    if (name == NULL || json_object_get(event, "index") == NULL)
        return;
    snprintf(fence, sizeof fence, "0-%lld-%lld-%lld", (long long)count(event, "term"),
             (long long)count(event, "index"), (long long)count(event, "ordinal"));
    json_t *known = member(audit->histories, fence);
    if (strcmp(name, "step-handed-out") == 0)
        json_object_set_new(known, "handed", json_true());
    if (strcmp(name, "step-completed") == 0)
        json_object_set(known, "output", json_object_get(event, "value"));
    if (strcmp(name, "step-failed") == 0)
        json_object_set_new(known, "failed", json_true());
}

static void fetch_history(struct audit *audit, const char *run)
{
    const struct pawl_target target = {.size = sizeof target, .run = run};
    struct pawl_answer *answer = NULL;
    struct pawl_diag diag = {0};
    if (pawl_history(audit->pawl, &target, &answer, &diag) != PAWL_OK)
        die("a history cannot be read", diag.text);
    json_t *history = json_loads(pawl_answer_json(answer), 0, NULL), *event;
    size_t i;
    json_array_foreach(json_object_get(history, "events"), i, event)
    {
        take_event(audit, event);
    }
    json_decref(history);
    pawl_answer_free(answer);
}

static void take_result(struct audit *audit, char *fields[FIELDS_MAX])
{
    json_t *answer = json_loads(fields[3], JSON_DECODE_ANY, NULL);
    const char *status = json_string_value(json_object_get(answer, "status"));
    audit->orders++;
    if (strcmp(fields[2], "WORKFLOW_FAILED") == 0)
        audit->faulted++;
    else if (strcmp(fields[2], "OK") != 0)
        audit->lost++;
    else if (status != NULL && strcmp(status, "compensated") == 0)
        audit->compensated++;
    else
        audit->completed++;
    json_decref(answer);
    if (fields[1][0] != '\0')
        fetch_history(audit, fields[1]);
}

static void read_results(struct audit *audit, const char *path)
{
    static char line[1 << 20];
    char *fields[FIELDS_MAX];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot open", path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (split(line, fields) < 4)
            die("a line is no result", path);
        take_result(audit, fields);
    }
    fclose(file);
}

static bool agrees(const json_t *ledger, const json_t *history)
{
    const char *ack = json_string_value(json_object_get(ledger, "ack"));
    const char *outcome = json_string_value(json_object_get(ledger, "outcome"));
    if (!json_is_true(json_object_get(history, "handed")))
        return false;
    if (ack == NULL || strcmp(ack, "OK") != 0)
        return true; /* nothing was acknowledged, nothing is owed */
    if (outcome == NULL)
        return false;
    if (strcmp(outcome, "completed") != 0)
        return json_is_true(json_object_get(history, "failed"));
    json_t *output =
        json_loads(json_string_value(json_object_get(ledger, "output")), JSON_DECODE_ANY, NULL);
    const bool is_same = same(output, json_object_get(history, "output"));
    json_decref(output);
    return is_same;
}

static void compare(struct audit *audit)
{
    const char *fence;
    json_t *ledger;
    json_object_foreach(audit->fences, fence, ledger)
    {
        if (agrees(ledger, json_object_get(audit->histories, fence)))
            continue;
        audit->differing++;
        complain("the ledger differs from the history", fence,
                 json_string_value(json_object_get(ledger, "key")));
    }
}

/* ---- the table ---- */

static void row(const char *what, unsigned number, const char *remark)
{
    printf("  %-34s %8u  %s\n", what, number, remark);
}

static int compare_times(const void *a, const void *b)
{
    const long long x = *(const long long *)a, y = *(const long long *)b;
    return x < y ? -1 : x > y;
}

/* The longest time without an acknowledged step that begins within some seconds of a kill. What was
 * on its way when the node died is acknowledged at once and says nothing. -1: no step was
 * acknowledged after it. */
static double silence_ms(const struct audit *audit, const struct kill *kill)
{
    const long long window_us = 3000000;
    long long last_us = kill->at_us, longest_us = -1;
    for (size_t i = 0; i < audit->ack_count && last_us < kill->at_us + window_us; i++) {
        if (audit->acks[i] < kill->at_us)
            continue;
        if (audit->acks[i] - last_us > longest_us)
            longest_us = audit->acks[i] - last_us;
        last_us = audit->acks[i];
    }
    return longest_us < 0 ? -1 : (double)longest_us / 1000;
}

static void print_table(const struct audit *audit, double seconds)
{
    printf("\n");
    row("orders", audit->orders, "");
    row("  completed", audit->completed, "");
    row("  compensated", audit->compensated, "undone in reverse, on purpose");
    row("  faulted", audit->faulted, "");
    row("lost", audit->lost, "must be 0");
    row("completed steps run again", audit->rerun, "must be 0");
    row("ledger differing from history", audit->differing, "must be 0");
    row("steps handed out twice", audit->twice, "allowed: a lease was lost");
    row("steps acknowledged", audit->steps, "");
    printf("  %-34s %8.0f\n", "steps per second", seconds > 0 ? audit->steps / seconds : 0);
    for (size_t i = 0; i < audit->kill_count; i++) {
        const struct kill *kill = &audit->kills[i];
        char what[64];
        snprintf(what, sizeof what, "kill -9 of %s (%s)", kill->node, kill->role);
        const double ms = silence_ms(audit, kill);
        if (ms < 0)
            printf("  %-34s %8s  no step was acknowledged after it\n", what, "-");
        else
            printf("  %-34s %8.0f  ms until steps were acknowledged again; %u orders were open\n",
                   what, ms, kill->open);
    }
}

int main(int argc, char **argv)
{
    struct audit audit = {
        .keys = json_object(), .fences = json_object(), .histories = json_object()};
    struct pawl_options options = {
        .size = sizeof options, .namespace_name = "shop", .name = "order-audit"};
    const char *results = NULL, *kills = NULL;
    struct pawl_diag diag = {0};
    double seconds = 0;
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--results") == 0)
            results = argv[i + 1];
        else if (strcmp(argv[i], "--kills") == 0)
            kills = argv[i + 1];
        else if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = argv[i + 1];
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = strtod(argv[i + 1], NULL);
    }
    if (results == NULL || kills == NULL || i >= argc) {
        fprintf(stderr, "usage: order-audit --results FILE --kills FILE --seconds S [--nodes LIST] "
                        "LEDGER...\n");
        return 2;
    }
    if (pawl_open(&options, &audit.pawl, &diag) != PAWL_OK)
        die("cannot open the cluster", diag.text);
    read_kills(&audit, kills);
    for (; i < argc; i++)
        read_ledger(&audit, argv[i]);
    read_results(&audit, results);
    compare(&audit);
    qsort(audit.acks, audit.ack_count, sizeof *audit.acks, compare_times);
    print_table(&audit, seconds);
    pawl_close(audit.pawl);
    return audit.lost + audit.rerun + audit.differing == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
