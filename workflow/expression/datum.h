/* Datum: a value while an expression works on it.
 *
 * 1. Scalars are inline. Strings are views into the inputs, the program or the arena.
 * 2. Arrays and objects are encoded (a view of msgpack, opened one level when looked into) or
 * opened (an array of datums). Nothing is copied that nobody looks at.
 * 3. A datum never changes once a program can see it (an edit may change its own store). Appending
 * may use spare room behind an array or object that only the newest owner can see (store->fill ==
 * its size), so that building is linear.
 * 4. Objects keep the order of insertion. Keys are strings and unique.
 * 5. Opened containers nest at most DATUM_DEPTH_MAX deep, so recursion over datums is bounded.
 */
#ifndef PAWL_WORKFLOW_EXPRESSION_DATUM_H
#define PAWL_WORKFLOW_EXPRESSION_DATUM_H

#include "proto/limits.h"
#include "proto/value.h"

struct work;

#define DATUM_DEPTH_MAX VALUE_DEPTH_MAX

/* In the order in which jq sorts types; the three numbers are one type. */
enum datum_kind {
    DATUM_NULL,
    DATUM_FALSE,
    DATUM_TRUE,
    DATUM_INTEGER,
    DATUM_UNSIGNED, /* above INT64_MAX */
    DATUM_FLOAT,
    DATUM_STRING,
    DATUM_BINARY,
    DATUM_ARRAY,
    DATUM_OBJECT,
};

struct datum_items;
struct datum_entries;

struct datum {
    uint8_t kind; /* enum datum_kind; a byte keeps a datum at 16 */
    bool is_encoded;
    uint8_t depth; /* of opened containers: 1 + the deepest child */
    uint32_t
        size; /* string: bytes; opened: elements; encoded: bytes up to the end of what it lies in */
    union {
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
        const uint8_t *text;
        const uint8_t *encoded;
        struct datum_items *items;
        struct datum_entries *entries;
    };
};

/* The owner of a store is the edit (work->edit_count) that made it and shows it to nobody else
 * until it is done; it alone may change elements in place. 0: nobody. */
struct datum_items {
    uint32_t fill, capacity;
    uint32_t owner;
    struct datum at[];
};

struct datum_entry {
    struct datum key; /* always a string */
    struct datum value;
};

struct datum_entries {
    uint32_t fill, capacity;
    uint32_t owner;
    uint32_t *index; /* hash of key to 1 + place, of index_size places; NULL while small */
    uint32_t index_size;
    struct datum_entry at[];
};

static inline struct datum datum_null(void)
{
    return (struct datum){.kind = DATUM_NULL};
}
static inline struct datum datum_bool(bool boolean)
{
    return (struct datum){.kind = boolean ? DATUM_TRUE : DATUM_FALSE};
}
static inline struct datum datum_integer(int64_t integer)
{
    return (struct datum){.kind = DATUM_INTEGER, .integer = integer};
}
static inline struct datum datum_real(double real)
{
    return (struct datum){.kind = DATUM_FLOAT, .real = real};
}
/* The empty view may have no address; the empty string has one, so that views into it can be made.
 */
static inline struct datum datum_text(struct bytes text)
{
    return (struct datum){.kind = DATUM_STRING,
                          .size = (uint32_t)text.size,
                          .text = text.data != NULL ? text.data : (const uint8_t *)""};
}
struct datum datum_unsigned(uint64_t integer);

static inline bool datum_is_truthy(struct datum datum)
{
    return datum.kind > DATUM_FALSE;
}
static inline bool datum_is_number(struct datum datum)
{
    return datum.kind >= DATUM_INTEGER && datum.kind <= DATUM_FLOAT;
}
static inline struct bytes datum_bytes(struct datum string)
{
    return bytes_of(string.text, string.size);
}
/* "null", "boolean", "number", "string", "binary", "array", "object". */
const char *datum_type(struct datum datum);

/* A checked value as a datum, not yet looked into. */
struct datum datum_of_value(struct bytes value);

/* Elements of an array, entries of an object (opened or not). */
uint32_t datum_count(struct datum container);
/* One level opened; an opened datum comes back as it is. */
bool datum_open(struct work *work, struct datum container, struct datum *opened_out);

/* The element; false only on a limit. Past the end: null. */
bool datum_array_get(struct work *work, struct datum array, uint32_t index,
                     struct datum *element_out);
/* The value at key; is_found_out says whether there is one (null if not). False only on a limit. */
bool datum_object_get(struct work *work, struct datum object, struct bytes key,
                      struct datum *value_out, bool *is_found_out);

/* Empty containers with room for count. */
bool datum_array_new(struct work *work, uint32_t count, struct datum *array_out);
bool datum_object_new(struct work *work, uint32_t count, struct datum *object_out);
/* *array becomes the array with one more; *object the object with key set. Opens what is encoded.
 */
bool datum_array_push(struct work *work, struct datum *array, struct datum element);
bool datum_object_put(struct work *work, struct datum *object, struct datum key,
                      struct datum value);
/* The same for an edit (0: none), in place where the store is its own; the array gets nulls in
 * between. */
bool datum_array_edit(struct work *work, struct datum *array, uint32_t index, struct datum element,
                      uint32_t edit);
bool datum_object_edit(struct work *work, struct datum *object, struct datum key,
                       struct datum value, uint32_t edit);
bool datum_is_owned(struct datum datum, uint32_t edit);
/* *object without key. */
bool datum_object_remove(struct work *work, struct datum *object, struct bytes key);
/* A new array of the elements begin ≤ i < end of an array. */
bool datum_array_part(struct work *work, struct datum array, uint32_t begin, uint32_t end,
                      struct datum *part_out);
/* The entries in the order of their keys (by code point), as an array of the object's own entries.
 */
bool datum_object_sorted(struct work *work, struct datum object,
                         const struct datum_entry ***entries_out);

/* The datum as msgpack: the view itself when nothing was built, else written into the arena.
 * Infinite numbers and NaN follow JSON: NaN is null. PAWL_E_LIMIT past VALUE_BYTES_MAX,
 * VALUE_DEPTH_MAX, VALUE_NODES_MAX. */
bool datum_encode(struct work *work, struct datum datum, struct bytes *value_out);

/* jq's order: <0, 0, >0 in *order_out. NaN is below every number. */
bool datum_compare(struct work *work, struct datum a, struct datum b, int *order_out);
bool datum_equal(struct work *work, struct datum a, struct datum b, bool *is_equal_out);

/* Stable sort of count pointers-to-datums by jq's order of what they point to. */
bool datum_sort(struct work *work, const struct datum **datums, uint32_t count);

#endif
