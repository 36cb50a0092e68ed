#include "workflow/changes.h"

enum { ROWS_FEW = 16 }; /* so few are looked through one by one */

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Of table and key. Only places depend on it, never an order that anybody sees. */
static uint64_t hash_of(enum row_table table, struct bytes key)
{
    uint64_t hash = key.size << 8 | (uint64_t)table;
    const uint8_t *at = key.data, *end = key.data + key.size;
    for (; end - at >= 8; at += 8)
        hash = mixed(hash, le64_get(at));
    uint8_t rest[8] = {0};
    memcpy(rest, at, (size_t)(end - at));
    return mixed(hash, le64_get(rest));
}

static bool is_row(const struct change *change, enum row_table table, struct bytes key)
{
    return change->write.table == table && bytes_equal(change->write.key, key);
}

/* The slot of a row, or the free slot where it would go. */
static size_t slot_find(const struct changes *changes, enum row_table table, struct bytes key)
{
    size_t mask = changes->slot_count - 1;
    size_t slot = (size_t)hash_of(table, key) & mask;
    while (changes->slots[slot] != 0 &&
           !is_row(&changes->rows[changes->slots[slot] - 1], table, key))
        slot = (slot + 1) & mask;
    return slot;
}

static struct change *change_find(const struct changes *changes, enum row_table table,
                                  struct bytes key)
{
    if (changes->slot_count > 0) {
        uint32_t place = changes->slots[slot_find(changes, table, key)];
        return place == 0 ? NULL : &changes->rows[place - 1];
    }
    for (size_t i = 0; i < changes->count; i++)
        if (is_row(&changes->rows[i], table, key))
            return &changes->rows[i];
    return NULL;
}

static void slot_put(const struct changes *changes, size_t place)
{
    const struct row_write *write = &changes->rows[place].write;
    changes->slots[slot_find(changes, write->table, write->key)] = (uint32_t)place + 1;
}

/* Room for twice as many rows, which are many from the second time on. */
static enum pawl_error changes_grow(struct changes *changes)
{
    bool is_first = changes->capacity == 0;
    size_t capacity = is_first ? ROWS_FEW : changes->capacity * 2;
    struct change *rows = arena_room(changes->arena, capacity * sizeof *rows);
    if (rows == NULL)
        return PAWL_E_NO_MEMORY;
    if (changes->count > 0)
        memcpy(rows, changes->rows, changes->count * sizeof *rows);
    changes->rows = rows;
    changes->capacity = capacity;
    if (is_first)
        return PAWL_OK;
    changes->slots = arena_array(changes->arena, capacity * 2, sizeof *changes->slots);
    if (changes->slots == NULL)
        return PAWL_E_NO_MEMORY;
    changes->slot_count = capacity * 2;
    for (size_t i = 0; i < changes->count; i++)
        slot_put(changes, i);
    return PAWL_OK;
}

static enum pawl_error change_set(struct changes *changes, struct row_write write, bool is_new)
{
    if (write.key.data == NULL)
        return PAWL_E_NO_MEMORY;
    changes->bytes += write.value.size;
    struct change *change = change_find(changes, write.table, write.key);
    if (change != NULL) {
        change->write = write;
        return PAWL_OK;
    }
    if (changes->count == changes->capacity)
        TRY(changes_grow(changes));
    changes->rows[changes->count++] = (struct change){.write = write, .is_new = is_new};
    if (changes->slot_count > 0)
        slot_put(changes, changes->count - 1);
    return PAWL_OK;
}

enum pawl_error changes_get(const struct changes *changes, enum row_table table, struct bytes key,
                            struct bytes *value_out)
{
    if (key.data == NULL)
        return PAWL_E_NO_MEMORY;
    const struct change *change = change_find(changes, table, key);
    if (change == NULL)
        return changes->view->get(changes->view->self, table, key, value_out);
    if (change->write.is_deleted)
        return PAWL_E_NOT_FOUND;
    *value_out = change->write.value;
    return PAWL_OK;
}

enum pawl_error changes_get_row(const struct changes *changes, enum row_table table,
                                struct bytes key, const struct schema *schema, void *row_out)
{
    struct bytes value;
    TRY(changes_get(changes, table, key, &value));
    enum pawl_error error = codec_decode(schema, value, changes->arena, row_out, NULL);
    return error == PAWL_OK || error == PAWL_E_NO_MEMORY ? error : PAWL_E_CORRUPT;
}

enum pawl_error changes_put(struct changes *changes, enum row_table table, struct bytes key,
                            struct bytes value)
{
    return change_set(
        changes, (struct row_write){.table = (uint8_t)table, .key = key, .value = value}, false);
}

enum pawl_error changes_put_new(struct changes *changes, enum row_table table, struct bytes key,
                                struct bytes value)
{
    return change_set(
        changes, (struct row_write){.table = (uint8_t)table, .key = key, .value = value}, true);
}

enum pawl_error changes_put_row(struct changes *changes, enum row_table table, struct bytes key,
                                const struct schema *schema, const void *row, bool is_new)
{
    struct bytes value = codec_encode_in(changes->arena, schema, row);
    if (value.data == NULL)
        return PAWL_E_NO_MEMORY;
    struct row_write write = {.table = (uint8_t)table, .key = key, .value = value};
    return change_set(changes, write, is_new);
}

enum pawl_error changes_delete(struct changes *changes, enum row_table table, struct bytes key)
{
    return change_set(changes,
                      (struct row_write){.table = (uint8_t)table, .is_deleted = true, .key = key},
                      false);
}

enum pawl_error changes_writes(const struct changes *changes, struct row_write **writes_out,
                               size_t *count_out)
{
    struct row_write *writes = arena_room(changes->arena, changes->count * sizeof *writes);
    if (writes == NULL)
        return PAWL_E_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < changes->count; i++)
        if (!(changes->rows[i].is_new && changes->rows[i].write.is_deleted)) {
            writes[count] = changes->rows[i].write;
            writes[count++].is_new = changes->rows[i].is_new;
        }
    *writes_out = writes;
    *count_out = count;
    return PAWL_OK;
}
