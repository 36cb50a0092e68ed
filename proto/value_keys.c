#include "proto/value_keys.h"

#include <stdlib.h>

enum { PAIRWISE_MAX = 12 }; /* up to here comparing each with each is faster than sorting */

static struct value_key *keys_of(struct value_keys *keys)
{
    return keys->spill.data != NULL ? (struct value_key *)(void *)keys->spill.data : keys->in_place;
}

enum pawl_error value_keys_push_spill(struct value_keys *keys, struct value_key key)
{
    struct buffer *spill = &keys->spill;
    if (spill->data == NULL)
        buffer_append(spill, keys->in_place, keys->count * sizeof key);
    spill->size = keys->count * sizeof key;
    buffer_append(spill, &key, sizeof key);
    if (spill->is_failed)
        return PAWL_E_NO_MEMORY;
    keys->count++;
    return PAWL_OK;
}

static int text_compare(const struct value_key *a, const struct value_key *b, const uint8_t *base)
{
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return memcmp(base + a->offset, base + b->offset, a->size);
}

static int key_compare(const void *left, const void *right, void *base_at)
{
    const struct value_key *a = left;
    const struct value_key *b = right;
    const int order = text_compare(a, b, *(const uint8_t *const *)base_at);
    if (order != 0)
        return order;
    return a->mark < b->mark ? -1 : a->mark > b->mark;
}

static const struct value_key *duplicate_pairwise(const struct value_key *keys, uint32_t count,
                                                  const uint8_t *base)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (text_compare(&keys[i], &keys[j], base) == 0)
                return &keys[i];
    return NULL;
}

static const struct value_key *duplicate_sorted(struct value_key *keys, uint32_t count,
                                                const uint8_t *base)
{
    qsort_r(keys, count, sizeof *keys, key_compare, &base);
    for (uint32_t i = 1; i < count; i++)
        if (text_compare(&keys[i], &keys[i - 1], base) == 0)
            return &keys[i];
    return NULL;
}

bool value_keys_close(struct value_keys *keys, uint32_t first, const uint8_t *base,
                      struct value_key *duplicate_out)
{
    struct value_key *own = keys_of(keys) + first;
    const uint32_t count = keys->count - first;
    keys->count = first;
    const struct value_key *duplicate = count <= PAIRWISE_MAX ? duplicate_pairwise(own, count, base)
                                                              : duplicate_sorted(own, count, base);
    if (duplicate == NULL)
        return true;
    *duplicate_out = *duplicate;
    return false;
}

void value_keys_done(struct value_keys *keys)
{
    buffer_done(&keys->spill);
}
