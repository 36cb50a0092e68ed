#include "client/answer.h"

#include <stdlib.h>

#include "proto/json.h"

void answer_set(struct pawl_answer *answer, enum pawl_error error, struct bytes detail,
                struct bytes value, uint64_t index)
{
    enum { JSON_BYTES_KEPT = 64 << 10 };
    arena_reset(&answer->texts);
    buffer_reset(&answer->json);
    if (answer->json.capacity > JSON_BYTES_KEPT)
        buffer_done(&answer->json);
    answer->error = error;
    answer->index = index;
    answer->value = value;
    answer->detail = detail;
    answer->words = error != PAWL_OK ? pawl_error_text(error) : "";
    const char *words = detail.size > 0 ? arena_string(&answer->texts, detail) : NULL;
    if (words != NULL)
        answer->words = words;
}

void answer_done(struct pawl_answer *answer)
{
    arena_done(&answer->texts);
    buffer_done(&answer->json);
    buffer_done(&answer->kept);
}

struct pawl_answer *answer_keep(const struct pawl_answer *answer)
{
    struct pawl_answer *copy = calloc(1, sizeof *copy);
    struct buffer kept = {0};
    if (copy == NULL)
        return NULL;
    buffer_append(&kept, answer->value.data, answer->value.size);
    buffer_append(&kept, answer->detail.data, answer->detail.size);
    if (kept.is_failed) {
        buffer_done(&kept);
        free(copy);
        return NULL;
    }
    size_t value_bytes = answer->value.size;
    struct bytes value = {kept.data, value_bytes};
    struct bytes detail = {NULL, 0};
    if (answer->detail.size > 0)
        detail = bytes_of(kept.data + value_bytes, answer->detail.size);
    answer_set(copy, answer->error, detail, value, answer->index);
    copy->kept = kept;
    return copy;
}

void pawl_answer_free(struct pawl_answer *answer)
{
    if (answer == NULL)
        return;
    answer_done(answer);
    free(answer);
}

enum pawl_error pawl_answer_error(const struct pawl_answer *answer)
{
    return answer->error;
}

const char *pawl_answer_detail(const struct pawl_answer *answer)
{
    return answer->words;
}

uint64_t pawl_answer_index(const struct pawl_answer *answer)
{
    return answer->index;
}

const char *pawl_answer_json(struct pawl_answer *answer)
{
    if (answer->json.size == 0) {
        json_write(answer->value.size > 0 ? answer->value : value_null, JSON_COMPACT,
                   &answer->json);
        buffer_append(&answer->json, "", 1);
    }
    return answer->json.is_failed ? NULL : (const char *)answer->json.data;
}

const void *pawl_answer_msgpack(const struct pawl_answer *answer, size_t *size_out)
{
    *size_out = answer->value.size;
    return answer->value.data;
}

const char *pawl_answer_text(struct pawl_answer *answer, const char *key)
{
    struct bytes value, text;
    if (!value_map_get(answer->value, bytes_string(key), &value) || !value_string(value, &text))
        return NULL;
    return arena_string(&answer->texts, text);
}
