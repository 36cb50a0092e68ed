/* The keys of the maps that are open while a value is checked or built; they find duplicates.
 *
 * 1. A stack: the keys of an inner map lie above those of the outer one and go when it closes.
 * 2. A few keys are held in place, more of them in a buffer; value_keys_done gives it back.
 * 3. A map of n keys costs n log n comparisons, whatever the keys are.
 */
#ifndef PAWL_PROTO_VALUE_KEYS_H
#define PAWL_PROTO_VALUE_KEYS_H

#include "proto/bytes.h"
#include "proto/error.h"

struct value_key {
    uint32_t offset; /* of the key's text in the bytes that value_keys_close is given */
    uint32_t size;
    uint32_t mark; /* the caller's, rising: where the key stood */
};

enum { VALUE_KEYS_IN_PLACE = 32 };

/* A zeroed count and spill make an empty stack; in_place needs no initial value. */
struct value_keys {
    uint32_t count;
    struct buffer spill; /* all keys, once they are more than VALUE_KEYS_IN_PLACE */
    struct value_key in_place[VALUE_KEYS_IN_PLACE];
};

/* Inside value_keys_push: when they are, or become, too many to be held in place. */
MUST_USE enum pawl_error value_keys_push_spill(struct value_keys *keys, struct value_key key);
/* PAWL_E_NO_MEMORY. */
MUST_USE static inline enum pawl_error value_keys_push(struct value_keys *keys,
                                                       struct value_key key)
{
    if (keys->spill.data != NULL || keys->count == VALUE_KEYS_IN_PLACE)
        return value_keys_push_spill(keys, key);
    keys->in_place[keys->count++] = key;
    return PAWL_OK;
}
/* Take the keys from `first` on off the stack. False when two of them are equal; then duplicate_out
 * is the later one of such a pair. */
bool value_keys_close(struct value_keys *keys, uint32_t first, const uint8_t *base,
                      struct value_key *duplicate_out);
void value_keys_done(struct value_keys *keys);

#endif
