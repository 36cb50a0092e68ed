/* Lists of runs over more rows than one page looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/client_messages.h"
#include "workflow/engine.h"
#include "workflow/state.h"

/* A table of many runs, of which the eldest alone has failed; keys are numbers from 1. */
struct many {
    struct arena *arena;
    uint64_t run_count;
    uint64_t row_count; /* handed out */
};

static struct bytes header_of(struct many *many, uint64_t number)
{
    struct buffer buffer = {.limit = 0};
    const struct instance row = {.status = number == 1 ? RUN_FAULTED : RUN_COMPLETED,
                                 .namespace_name = BYTES_LITERAL("test"),
                                 .definition = BYTES_LITERAL("many"),
                                 .version = BYTES_LITERAL("1.0.0"),
                                 .workflow_id = BYTES_LITERAL("w")};
    codec_encode(&schema_instance, &row, &buffer);
    const struct bytes header = arena_copy(many->arena, buffer_bytes(&buffer));
    buffer_done(&buffer);
    return header;
}

static enum pawl_error many_scan_back(void *self, enum row_table table, struct bytes begin,
                                      struct bytes end, size_t row_max, struct row *rows_out,
                                      size_t *count_out)
{
    struct many *many = self;
    uint64_t number = end.size == 16 ? be64_get(end.data + 8) : many->run_count + 1;
    size_t count = 0;
    assert_int_equal(table, TABLE_INSTANCE);
    assert_int_equal(begin.size, 0);
    for (; count < row_max && number > 1; count++) {
        uint8_t key[16] = {0};
        be64_put(key + 8, --number);
        rows_out[count] = (struct row){.key = arena_copy(many->arena, bytes_of(key, sizeof key)),
                                       .value = header_of(many, number)};
    }
    many->row_count += count;
    *count_out = count;
    return PAWL_OK;
}

static struct bytes ask(struct many *many, struct bytes after)
{
    struct buffer body = {.limit = 0};
    struct bytes answer;
    struct id128 run;
    const struct view view = {.self = many, .scan_back = many_scan_back};
    const struct msg_list list = {.status = BYTES_LITERAL("faulted"), .after = after};
    struct engine *engine = engine_new();
    assert_non_null(engine);
    codec_encode(&schema_list, &list, &body);
    assert_int_equal(wf_query(engine, &view, REQUEST_LIST, buffer_bytes(&body), many->arena,
                              &answer, &run, NULL),
                     PAWL_OK);
    buffer_done(&body);
    answer = arena_copy(many->arena, answer);
    engine_free(engine);
    return answer;
}

/* What the answer's map has at a key. */
static struct bytes at_key(struct bytes answer, const char *name)
{
    struct value_cursor cursor = value_cursor_of(answer);
    struct value_head head;
    assert_int_equal(value_next(&cursor, &head), PAWL_OK);
    for (uint32_t i = 0; i < head.count; i++) {
        struct bytes value;
        struct value_head key;
        assert_int_equal(value_next(&cursor, &key), PAWL_OK);
        assert_int_equal(value_take(&cursor, &value), PAWL_OK);
        if (bytes_equal(key.bytes, bytes_string(name)))
            return value;
    }
    fail_msg("no %s", name);
    return answer;
}

static void test_list_with_a_filter_looks_at_a_bounded_number_of_rows(void **state)
{
    enum { RUNS = 40000, LOOKED_AT_LIMIT = 17000 };
    (void)state;
    struct arena arena = {.limit = (size_t)512 << 20};
    struct many many = {.arena = &arena, .run_count = RUNS};
    struct bytes after = {NULL, 0};
    uint32_t found = 0, pages = 0;
    for (bool is_over = false; !is_over; pages++) {
        many.row_count = 0;
        const struct bytes answer = ask(&many, after);
        assert_true(many.row_count <= LOOKED_AT_LIMIT);
        struct value_cursor instances = value_cursor_of(at_key(answer, "instances"));
        struct value_cursor next = value_cursor_of(at_key(answer, "next"));
        struct value_head head;
        assert_int_equal(value_next(&instances, &head), PAWL_OK);
        found += head.count;
        assert_int_equal(value_next(&next, &head), PAWL_OK);
        is_over = head.kind == VALUE_NULL;
        after = head.bytes;
    }
    assert_int_equal(found, 1);
    assert_int_equal(pages, 3);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_with_a_filter_looks_at_a_bounded_number_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
