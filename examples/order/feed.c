/* Feed orders to the cluster: start each one once, keep some open at a time, wait for all to end.
 *
 *   order-feed --orders FILE --results FILE --status FILE [--nodes LIST] [--count N] [--open N]
 *
 * The status file holds one line, "started S open O ended E", rewritten whenever that changes.
 * Results are lines of tabs: workflow id, run, error name, answer as JSON. Exit status 1: an order
 * did not start or did not end.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/pawl.h"

struct feed {
    struct pawl *pawl;
    const char *status_path;
    FILE *results;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned started, open, ended, failed;
};

struct order {
    struct feed *feed;
    char workflow_id[64];
    char run[64];
};

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "order-feed: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

static void write_status(const struct feed *feed)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.new", feed->status_path);
    FILE *file = fopen(temporary, "w");
    if (file == NULL)
        die("cannot write", temporary);
    fprintf(file, "started %u open %u ended %u\n", feed->started, feed->open, feed->ended);
    if (fclose(file) != 0 || rename(temporary, feed->status_path) != 0)
        die("cannot write", feed->status_path);
}

static void order_ended(struct order *order, enum pawl_error error, const char *answer)
{
    struct feed *feed = order->feed;
    const bool has_ended = error == PAWL_OK || error == PAWL_E_WORKFLOW_FAILED;
    pthread_mutex_lock(&feed->mutex);
    fprintf(feed->results, "%s\t%s\t%s\t%s\n", order->workflow_id, order->run,
            pawl_error_name(error), answer != NULL ? answer : "null");
    feed->open--;
    feed->ended += has_ended;
    feed->failed += !has_ended;
    write_status(feed);
    pthread_cond_signal(&feed->changed);
    pthread_mutex_unlock(&feed->mutex);
    free(order);
}

static void result_answered(struct pawl_answer *answer, void *user)
{
    order_ended(user, pawl_answer_error(answer), pawl_answer_json(answer));
}

static void start_answered(struct pawl_answer *answer, void *user)
{
    struct order *order = user;
    const char *run = pawl_answer_text(answer, "run");
    if (pawl_answer_error(answer) != PAWL_OK || run == NULL) {
        fprintf(stderr, "order-feed: %s did not start: %s\n", order->workflow_id,
                pawl_answer_detail(answer));
        order_ended(order, PAWL_E_INTERNAL, NULL);
        return;
    }
    snprintf(order->run, sizeof order->run, "%s", run);
    const struct pawl_target target = {.size = sizeof target, .run = order->run};
    if (pawl_result_async(order->feed->pawl, &target, result_answered, order, NULL) != PAWL_OK)
        order_ended(order, PAWL_E_INTERNAL, NULL);
}

static bool read_id(const char *line, char id_out[64])
{
    static const char key[] = "\"orderId\":\"";
    const char *at = strstr(line, key);
    if (at == NULL)
        return false;
    at += sizeof key - 1;
    const size_t size = strcspn(at, "\"");
    if (size == 0 || size >= 64)
        return false;
    memcpy(id_out, at, size);
    id_out[size] = '\0';
    return true;
}

static void start_order(struct feed *feed, const char *line)
{
    struct order *order = calloc(1, sizeof *order);
    struct pawl_diag diag = {0};
    if (order == NULL || !read_id(line, order->workflow_id))
        die("not an order", line);
    order->feed = feed;
    const struct pawl_start start = {.size = sizeof start,
                                     .definition = "order",
                                     .workflow_id = order->workflow_id,
                                     .input_json = line,
                                     .timeout_ms = 120000};
    if (pawl_start_async(feed->pawl, &start, start_answered, order, &diag) != PAWL_OK)
        die("cannot start an order", diag.text);
}

static void feed_orders(struct feed *feed, FILE *orders, unsigned count, unsigned open_max)
{
    char line[16384];
    for (unsigned i = 0; i < count; i++) {
        if (fgets(line, sizeof line, orders) == NULL)
            break;
        line[strcspn(line, "\n")] = '\0';
        pthread_mutex_lock(&feed->mutex);
        while (feed->open >= open_max)
            pthread_cond_wait(&feed->changed, &feed->mutex);
        feed->started++;
        feed->open++;
        write_status(feed);
        pthread_mutex_unlock(&feed->mutex);
        start_order(feed, line);
    }
    pthread_mutex_lock(&feed->mutex);
    while (feed->open > 0)
        pthread_cond_wait(&feed->changed, &feed->mutex);
    pthread_mutex_unlock(&feed->mutex);
}

int main(int argc, char **argv)
{
    struct feed feed = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct pawl_options options = {
        .size = sizeof options, .namespace_name = "shop", .name = "order-feed"};
    const char *orders_path = NULL, *results_path = NULL;
    unsigned count = 1000000, open_max = 100;
    struct pawl_diag diag = {0};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--orders") == 0)
            orders_path = argv[i + 1];
        else if (strcmp(argv[i], "--results") == 0)
            results_path = argv[i + 1];
        else if (strcmp(argv[i], "--status") == 0)
            feed.status_path = argv[i + 1];
        else if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = argv[i + 1];
        else if (strcmp(argv[i], "--count") == 0)
            count = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--open") == 0)
            open_max = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    if (orders_path == NULL || results_path == NULL || feed.status_path == NULL) {
        fprintf(stderr,
                "usage: order-feed --orders FILE --results FILE --status FILE [--nodes LIST] "
                "[--count N] [--open N]\n");
        return 2;
    }
    FILE *orders = fopen(orders_path, "r");
    feed.results = fopen(results_path, "w");
    if (orders == NULL || feed.results == NULL)
        die("cannot open", orders == NULL ? orders_path : results_path);
    if (pawl_open(&options, &feed.pawl, &diag) != PAWL_OK)
        die("cannot open the cluster", diag.text);
    feed_orders(&feed, orders, count, open_max);
    pawl_close(feed.pawl);
    fclose(feed.results);
    fclose(orders);
    return feed.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
